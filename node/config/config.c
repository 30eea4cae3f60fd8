/* The public face of the folder: defaults, parsing of files and of --set, checks across keys. The
 * tree comes from yaml.c, its meaning from read.c. Called by node/cli and tests; node/ only reads
 * the struct. */
#include "node/config/config.h"

#include "node/config/found.h"
#include "node/config/read.h"
#include "node/config/url.h"
#include "node/config/value.h"
#include "node/config/yaml.h"
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

static enum err check_backend_names(const struct config *config, const char *file,
                                    struct buf *message)
{
    for (size_t i = 0; i < config->backend_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(config->backends[i].name, config->backends[j].name) != 0)
                continue;
            found_say(
                message,
                "%s: backends[%zu].name: %s is the name of backends[%zu] too; names must differ",
                file, i, config->backends[i].name, j);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

enum err config_validate(const struct config *config, const char *file, struct buf *message)
{
    struct io_addr http;
    struct io_addr mesh;
    if (!config->name[0])
        return refuse(message, file, "node.name",
                      "missing; give this node a name that is unique in the mesh");
    TRY(check_backend_names(config, file, message));
    if (io_addr_parse(bytes_from_str(config->listen_http), &http) != ERR_OK)
        return refuse(message, file, "listen.http", "not an address");
    if (io_addr_parse(bytes_from_str(config->listen_mesh), &mesh) != ERR_OK)
        return refuse(message, file, "listen.mesh", "not an address");
    if (http.port != 0 && io_addr_equal(&http, &mesh))
        return refuse(message, file, "listen", "http and mesh cannot share one address and port");
    return ERR_OK;
}

enum err config_parse_duration(const char *text, uint64_t *ret_ms)
{
    return value_parse_duration(bytes_from_str(text), ret_ms) ? ERR_OK : ERR_INVALID;
}

static const struct yaml_item *find_value(const struct yaml_item *map, struct bytes key)
{
    for (const struct yaml_item *v = map->kind == YAML_MAP ? map->first : NULL; v; v = v->next)
        if (bytes_equal(v->key->text, key))
            return v;
    return NULL;
}

unsigned config_line_of(struct bytes yaml, const char *key)
{
    struct arena arena;
    struct yaml_problem problem;
    const struct yaml_item *item = NULL;
    arena_init(&arena, YAML_ARENA_SIZE);
    if (yaml_tree_parse(yaml, &arena, &item, &problem) != ERR_OK)
        item = NULL;
    for (struct bytes rest = bytes_from_str(key); item && rest.size;) {
        size_t size = bytes_find(rest, '.');
        item = find_value(item, bytes_of(rest.data, size));
        rest = bytes_skip(rest, size + 1);
    }
    unsigned line = item ? item->line : 0;
    arena_fini(&arena);
    return line;
}

const char *config_library_version(void)
{
    return yaml_library_version();
}
