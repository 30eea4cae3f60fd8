/* The public face of the folder: defaults, parsing of files and of --set, checks across keys. The
 * tree comes from yaml.c, its meaning from read.c. Called by node/cli and tests; node/ only reads
 * the struct. */
#include "node/config/config.h"

#include "base/yaml.h"
#include "node/config/found.h"
#include "node/config/read.h"
#include "node/config/url.h"
#include "node/config/value.h"
#include "node/io/addr.h"

#include <stdio.h>

void config_defaults(struct config *ret_config)
{
    memset(ret_config, 0, sizeof(*ret_config));
    for (size_t i = 0; i < schema_count(); i++) {
        const struct schema_row *row = schema_row(i);
        struct buf why;
        buf_init_fixed(&why, NULL, 0);
        if (row->default_text && strcmp(row->section, SCHEMA_IN_BACKEND) != 0)
            CHECK(value_parse(row, bytes_from_str(row->default_text), false, ret_config, &why) ==
                  ERR_OK);
    }
}

/* Parses `yaml` and lets `read` put it into r->config; syntax errors are told as mistakes of the
 * same place. */
static enum err parse_and_read(struct reader *r, struct bytes yaml, struct bytes key)
{
    struct arena arena;
    const struct yaml_item *root = NULL;
    struct yaml_problem problem = {0};
    arena_init(&arena, YAML_ARENA_SIZE);
    enum err e = yaml_tree_parse(yaml, &arena, &root, &problem);
    if (e == ERR_OK)
        e = key.size ? read_assignment(r, key, root) : read_document(r, root);
    else if (r->has_lines)
        found_say(r->message, "%s:%u:%u: %s", r->where, problem.line, problem.column,
                  e == ERR_NO_MEMORY ? err_text(e) : problem.text);
    else
        found_say(r->message, "%s: %s", r->where, e == ERR_NO_MEMORY ? err_text(e) : problem.text);
    arena_fini(&arena);
    return e == ERR_LIMIT ? ERR_INVALID : e;
}

enum err config_parse(struct bytes yaml, const char *file, struct config *ret_config,
                      struct buf *message)
{
    struct config config;
    config_defaults(&config);
    struct reader r = {.where = file, .has_lines = true, .config = &config, .message = message};
    TRY(parse_and_read(&r, yaml, BYTES("")));
    *ret_config = config;
    return ERR_OK;
}

enum err config_set(struct config *config, const char *assignment, struct buf *message)
{
    struct bytes text = bytes_from_str(assignment);
    size_t equals = bytes_find(text, '=');
    char where[128];
    snprintf(where, sizeof(where), "--set %.100s%s", assignment, text.size > 100 ? "..." : "");
    if (equals == text.size || equals == 0) {
        found_say(message, "%s: expected KEY=VALUE, such as node.tier=cloud", where);
        return ERR_INVALID;
    }
    struct config changed = *config;
    struct reader r = {.where = where, .config = &changed, .message = message};
    TRY(parse_and_read(&r, bytes_skip(text, equals + 1), bytes_of(text.data, equals)));
    *config = changed;
    return ERR_OK;
}

static enum err refuse(struct buf *message, const char *file, const char *key, const char *what)
{
    found_say(message, "%s: %s: %s", file, key, what);
    return ERR_INVALID;
}

enum err config_set_text(struct config *config, const char *key, const char *text,
                         const char *where, struct buf *message)
{
    struct config changed = *config;
    struct reader r = {.where = where, .config = &changed, .message = message};
    struct yaml_item value = {.kind = YAML_SCALAR, .text = bytes_from_str(text)};
    TRY(read_assignment(&r, bytes_from_str(key), &value));
    *config = changed;
    return ERR_OK;
}

enum err config_add_peer(struct config *config, const char *address, const char *where,
                         struct buf *message)
{
    if (!url_dialable_is_valid(bytes_from_str(address))) {
        found_say(message, "%s: ", where);
        return found_refuse(message,
                            "expected HOST:PORT that can be dialled, such as 203.0.113.7:7300",
                            bytes_from_str(address));
    }
    for (size_t i = 0; i < config->peer_count; i++)
        if (strcmp(config->peers[i], address) == 0)
            return ERR_OK;
    if (config->peer_count == CONFIG_PEERS_MAX)
        return refuse(message, where, "peers", "there are as many as there can be");
    bytes_to_str(bytes_from_str(address), config->peers[config->peer_count], CONFIG_TEXT_MAX);
    config->peer_count++;
    return ERR_OK;
}

enum err config_add_backend(struct config *config, const char *url, const char *where,
                            struct buf *message)
{
    if (config->backend_count == CONFIG_BACKENDS_MAX)
        return refuse(message, where, "backends", "there are as many as there can be");
    uint8_t storage[512];
    struct buf why;
    buf_init_fixed(&why, storage, sizeof(storage));
    struct config_backend backend;
    read_default_backend(&backend);
    if (url_parse(bytes_from_str(url), &backend, &why) != ERR_OK) {
        found_say(message, "%s: %.*s", where, (int)why.size, (char *)why.data);
        return ERR_INVALID;
    }
    snprintf(backend.name, sizeof(backend.name), "backend-%zu", config->backend_count + 1);
    config->backends[config->backend_count++] = backend;
    return ERR_OK;
}

/* --- places in a file */

/* "name" of "node.name"; *ret_index of "backends[1]", 0 elsewhere. */
static struct bytes first_step(struct bytes key, size_t *ret_index, struct bytes *ret_rest)
{
    size_t size = bytes_find(key, '.');
    struct bytes step = bytes_of(key.data, size);
    size_t bracket = bytes_find(step, '[');
    struct bytes digits = bytes_skip(step, bracket + 1);
    uint64_t index = 0;
    if (digits.size > 0)
        digits.size--;
    *ret_index = bytes_to_u64(digits, &index) ? (size_t)index : 0;
    *ret_rest = bytes_skip(key, size + 1);
    return bytes_of(step.data, bracket);
}

static const struct yaml_item *find_value(const struct yaml_item *map, struct bytes key)
{
    for (const struct yaml_item *v = map->kind == YAML_MAP ? map->first : NULL; v; v = v->next)
        if (bytes_equal(v->key->text, key))
            return v;
    return NULL;
}

/* The value of `key`, or the nearest one above it that is there. */
static const struct yaml_item *find_place(const struct yaml_item *item, const char *key,
                                          bool *ret_is_exact)
{
    struct bytes rest = bytes_from_str(key);
    *ret_is_exact = true;
    while (rest.size > 0) {
        size_t index;
        const struct yaml_item *next = find_value(item, first_step(rest, &index, &rest));
        if (next && next->kind == YAML_LIST && rest.size > 0)
            for (next = next->first; next && index > 0; index--)
                next = next->next;
        if (!next) {
            *ret_is_exact = false;
            return item;
        }
        item = next;
    }
    return item;
}

struct place {
    unsigned line; /* 0: the text is no YAML */
    unsigned column;
    bool is_exact;
};

static struct place place_of(struct bytes yaml, const char *key)
{
    struct arena arena;
    struct yaml_problem problem;
    const struct yaml_item *root = NULL;
    struct place place = {0};
    arena_init(&arena, YAML_ARENA_SIZE);
    if (yaml_tree_parse(yaml, &arena, &root, &problem) == ERR_OK) {
        const struct yaml_item *item = find_place(root, key, &place.is_exact);
        place.line = item->line;
        place.column = item->column;
    }
    arena_fini(&arena);
    return place;
}

/* --- checks across keys */

static enum err refuse_at(struct buf *message, struct bytes yaml, const char *file, const char *key,
                          const char *what)
{
    struct place place = place_of(yaml, key);
    if (yaml.data && place.line > 0)
        found_say(message, "%s:%u:%u: %s: %s", file, place.line, place.column, key, what);
    else
        found_say(message, "%s: %s: %s", file, key, what);
    return ERR_INVALID;
}

static enum err check_backend_names(const struct config *config, struct bytes yaml,
                                    const char *file, struct buf *message)
{
    for (size_t i = 0; i < config->backend_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(config->backends[i].name, config->backends[j].name) != 0)
                continue;
            char key[40];
            char what[CERT_NAME_MAX + 80];
            snprintf(key, sizeof(key), "backends[%zu].name", i);
            snprintf(what, sizeof(what), "%s is the name of backends[%zu] too; names must differ",
                     config->backends[i].name, j);
            return refuse_at(message, yaml, file, key, what);
        }
    }
    return ERR_OK;
}

enum err config_validate(const struct config *config, struct bytes yaml, const char *file,
                         struct buf *message)
{
    struct io_addr http;
    struct io_addr mesh;
    if (!config->name[0])
        return refuse_at(message, yaml, file, "node.name",
                         "missing; give this node a name that is unique in the mesh");
    TRY(check_backend_names(config, yaml, file, message));
    if (io_addr_parse(bytes_from_str(config->listen_http), &http) != ERR_OK)
        return refuse_at(message, yaml, file, "listen.http", "not an address");
    if (io_addr_parse(bytes_from_str(config->listen_mesh), &mesh) != ERR_OK)
        return refuse_at(message, yaml, file, "listen.mesh", "not an address");
    if (http.port != 0 && io_addr_equal(&http, &mesh))
        return refuse_at(message, yaml, file, "listen",
                         "http and mesh cannot share one address and port");
    return ERR_OK;
}

static bool is_on_this_host(const char *host)
{
    struct bytes text = bytes_from_str(host);
    return bytes_equal_nocase(text, BYTES("localhost")) || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

bool config_backend_gpu(const struct config_backend *backend, uint32_t *ret_index)
{
    bool is_named = backend->gpu != CONFIG_GPU_AUTO;
    bool may_be = backend->hardware == HARDWARE_AUTO || backend->hardware == HARDWARE_GPU;
    if (!is_named && !(may_be && is_on_this_host(backend->host)))
        return false;
    *ret_index = is_named ? backend->gpu : 0;
    return true;
}

enum err config_parse_duration(const char *text, uint64_t *ret_ms)
{
    return value_parse_duration(bytes_from_str(text), ret_ms) ? ERR_OK : ERR_INVALID;
}

unsigned config_line_of(struct bytes yaml, const char *key)
{
    struct place place = place_of(yaml, key);
    return place.is_exact ? place.line : 0;
}

const char *config_library_version(void)
{
    return yaml_library_version();
}
