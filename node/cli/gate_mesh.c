/* See gate_mesh.h. Three questions: policies and models of the registry, and the nodes. */
#include "node/cli/gate_mesh.h"

#include "node/cli/control.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#define MESH_BYTES_MAX (512u << 20)

static cJSON *ask(const struct cli *cli, const char *target, enum cli_exit *ret_code)
{
    struct buf body;
    buf_init(&body, CONTROL_BODY_MAX);
    *ret_code = control_get(cli, target, NULL, &body);
    cJSON *json =
        *ret_code == CLI_DONE ? cJSON_ParseWithLength((const char *)body.data, body.size) : NULL;
    if (*ret_code == CLI_DONE && !json)
        *ret_code = say_error(CLI_FAILED, "no sane answer: the node: see its log");
    buf_fini(&body);
    return json;
}

static size_t count_items(const cJSON *list)
{
    int count = cJSON_GetArraySize(list);
    return count > 0 ? (size_t)count : 0;
}

/* Kept in the arena; empty where it is no text. */
static struct bytes keep(struct gate_mesh *m, const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return arena_copy(&m->arena, bytes_from_str(text ? text : ""));
}

/* --- policies */

static enum err take_policies(struct gate_mesh *m, const cJSON *answer)
{
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(answer, "items"), *row;
    size_t room = count_items(items);
    m->policies = arena_calloc(&m->arena, room * sizeof *m->policies);
    m->names = arena_calloc(&m->arena, room * sizeof *m->names);
    if (!m->policies || !m->names)
        return ERR_NO_MEMORY;
    cJSON_ArrayForEach(row, items)
    {
        struct policy_source *p = &m->policies[m->policy_count];
        uint8_t called[POLICY_NAME_MAX + 32];
        struct buf name;
        p->name = keep(m, row, "name");
        p->text = keep(m, row, "document");
        buf_init_fixed(&name, called, sizeof called);
        if (buf_printf(&name, "policy %.*s, in force", (int)p->name.size,
                       (const char *)p->name.data) != ERR_OK)
            continue; /* no name of a policy is that long */
        m->names[m->policy_count] = arena_str(&m->arena, buf_bytes(&name));
        if (!m->names[m->policy_count++])
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* --- who serves what */

struct placement {
    struct bytes model;
    struct policy_static facts;
};

static void take_node(struct gate_mesh *m, const cJSON *node, struct policy_static *ret_facts)
{
    *ret_facts = (struct policy_static){.node = keep(m, node, "name"),
                                        .region = keep(m, node, "region"),
                                        .zone = keep(m, node, "zone"),
                                        .tier = policy_tier_of(keep(m, node, "tier")),
                                        .label_count = SIZE_MAX, /* not known here */
                                        .context = -1,
                                        .parameters = -1,
                                        .price_input = NAN,
                                        .price_output = NAN,
                                        .price_request = NAN,
                                        .egress_price = NAN};
}

static enum err take_models(struct gate_mesh *m, const cJSON *node, struct buf *placements)
{
    const cJSON *backend, *model;
    struct placement p;
    take_node(m, node, &p.facts);
    cJSON_ArrayForEach(backend, cJSON_GetObjectItemCaseSensitive(node, "backends"))
    {
        p.facts.backend = keep(m, backend, "name");
        p.facts.kind = keep(m, backend, "kind");
        cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(backend, "models"))
        {
            p.model = p.facts.model = keep(m, model, "name");
            p.facts.version = keep(m, model, "version");
            TRY(buf_append(placements, bytes_of(&p, sizeof p)));
        }
    }
    return ERR_OK;
}

static int compare_placements(const void *one, const void *other)
{
    return bytes_compare(((const struct placement *)one)->model,
                         ((const struct placement *)other)->model);
}

static struct bytes task_of(struct gate_mesh *m, const cJSON *models, struct bytes model)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(models, "items"))
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name"));
        if (name && bytes_equal(bytes_from_str(name), model))
            return keep(m, row, "task");
    }
    return BYTES("");
}

static enum err group(struct gate_mesh *m, const struct buf *placements, const cJSON *models)
{
    struct placement *all = (struct placement *)(void *)placements->data;
    size_t count = placements->size / sizeof *all;
    struct policy_static *facts = arena_calloc(&m->arena, count * sizeof *facts);
    m->served = arena_calloc(&m->arena, count * sizeof *m->served);
    if (!facts || !m->served)
        return ERR_NO_MEMORY;
    if (count > 0)
        qsort(all, count, sizeof *all, compare_placements);
    for (size_t i = 0; i < count; i++) {
        facts[i] = all[i].facts;
        if (i == 0 || !bytes_equal(all[i - 1].model, all[i].model))
            m->served[m->served_count++] = (struct policy_served){
                all[i].model, task_of(m, models, all[i].model), &facts[i], 0};
        m->served[m->served_count - 1].count++;
    }
    return ERR_OK;
}

static bool is_live(const cJSON *node)
{
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(node, "state"));
    return state && (strcmp(state, "alive") == 0 || strcmp(state, "suspect") == 0);
}

static enum err take_nodes(struct gate_mesh *m, const cJSON *answer, const cJSON *models)
{
    struct buf placements;
    const cJSON *node;
    enum err e = ERR_OK;
    buf_init(&placements, MESH_BYTES_MAX);
    cJSON_ArrayForEach(node, cJSON_GetObjectItemCaseSensitive(answer, "nodes"))
    {
        if (e == ERR_OK && is_live(node))
            e = take_models(m, node, &placements);
    }
    if (e == ERR_OK)
        e = group(m, &placements, models);
    buf_fini(&placements);
    return e;
}

enum cli_exit gate_mesh_ask(const struct cli *cli, struct gate_mesh *m)
{
    enum cli_exit code;
    cJSON *models = NULL, *nodes = NULL;
    arena_init(&m->arena, MESH_BYTES_MAX);
    m->is_made = true;
    cJSON *policies = ask(cli, "/mesh/v1/registry/policy", &code);
    if (code == CLI_DONE)
        models = ask(cli, "/mesh/v1/registry/model", &code);
    if (code == CLI_DONE)
        nodes = ask(cli, "/mesh/v1/nodes", &code);
    if (code == CLI_DONE) {
        enum err e = take_policies(m, policies);
        if (e == ERR_OK)
            e = take_nodes(m, nodes, models);
        if (e != ERR_OK)
            code = say_error(CLI_FAILED, "%s: the mesh's policies: try again", err_text(e));
    }
    cJSON_Delete(policies);
    cJSON_Delete(models);
    cJSON_Delete(nodes);
    return code;
}

void gate_mesh_fini(struct gate_mesh *m)
{
    if (m->is_made)
        arena_fini(&m->arena);
}
