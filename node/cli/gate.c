/* See gate.h. The policies in force and the new ones together are the set that nodes would make. */
#include "node/cli/gate.h"

#include "node/cli/gate_mesh.h"
#include "node/cli/mistakes.h"

#include <stdlib.h>

#define NOT_APPLIED "grapevine: not applied: "

struct gate {
    const struct cli *cli;
    struct gate_mesh mesh;
    struct policy_source *sources; /* the new ones, then those in force */
    struct mistakes_place *places;
    size_t own_count, count;
    struct policy_mistakes mistakes;
    struct policy_tests tests;
    struct policy_set *set;
};

static enum cli_exit no_memory(enum err e)
{
    return say_error(CLI_FAILED, "%s: the policies: try again", err_text(e));
}

static uint32_t lines_before(struct bytes file, struct bytes part)
{
    uint32_t lines = 0;
    uintptr_t begin = (uintptr_t)file.data, at = (uintptr_t)part.data;
    for (size_t i = 0; at >= begin && i < file.size && i < at - begin; i++)
        lines += file.data[i] == '\n';
    return at >= begin && at - begin < file.size ? lines : 0;
}

static bool is_policy(const struct registry_op *op)
{
    return op->kind == REGISTRY_POLICY && op->verb == REGISTRY_PUT;
}

static void add(struct gate *g, struct bytes name, struct bytes text, const char *path,
                uint32_t line_offset)
{
    g->sources[g->count] = (struct policy_source){.name = name, .text = text};
    g->places[g->count++] = (struct mistakes_place){path, line_offset};
}

static bool is_replaced(const struct gate *g, struct bytes name)
{
    for (size_t i = 0; i < g->own_count; i++)
        if (bytes_equal(g->sources[i].name, name))
            return true;
    return false;
}

/* --- what is in force */

/* Documents that nodes do not understand stand against nothing: they are left out, as nodes do. */
static enum cli_exit leave_out_broken(struct gate *g)
{
    struct policy_set *set;
    enum err e = ERR_INVALID;
    for (size_t tries = 0; e == ERR_INVALID && tries <= g->mesh.policy_count; tries++) {
        size_t kept = 0, at = 0;
        e = policy_set_create(g->mesh.policies, g->mesh.policy_count, &set, &g->mistakes);
        for (size_t i = 0; e == ERR_INVALID && i < g->mesh.policy_count; i++) {
            while (at < g->mistakes.count && g->mistakes.source[at] < i)
                at++;
            if (at == g->mistakes.count || g->mistakes.source[at] != i)
                g->mesh.policies[kept++] = g->mesh.policies[i];
        }
        if (e == ERR_INVALID)
            g->mesh.policy_count = kept;
    }
    if (e != ERR_OK)
        return no_memory(e);
    policy_set_destroy(set);
    return CLI_DONE;
}

static enum cli_exit ask_mesh(struct gate *g)
{
    enum cli_exit code = gate_mesh_ask(g->cli, &g->mesh);
    return code == CLI_DONE ? leave_out_broken(g) : code;
}

/* --- what stands against it */

static enum cli_exit check(struct gate *g)
{
    enum err e = policy_set_create(g->sources, g->count, &g->set, &g->mistakes);
    if (e == ERR_OK)
        return CLI_DONE;
    if (e != ERR_INVALID)
        return no_memory(e);
    mistakes_print(stderr, NOT_APPLIED, &g->mistakes, g->places, g->count);
    return CLI_USAGE;
}

static enum cli_exit run_tests(struct gate *g, const struct policy_rule *rule)
{
    enum err e = policy_test(rule, &g->tests);
    if (e != ERR_OK)
        return no_memory(e);
    return mistakes_print_failed(stderr, NOT_APPLIED, rule, &g->tests,
                                 &g->places[rule->source_index])
               ? CLI_REFUSED
               : CLI_DONE;
}

static bool is_forced(const struct cli *cli, struct bytes name)
{
    size_t cursor = 0;
    const char *forced;
    while ((forced = flags_next(&cli->flags, "--force", &cursor)))
        if (bytes_equal(bytes_from_str(forced), name))
            return true;
    return false;
}

static enum cli_exit check_reach(const struct gate *g, const struct policy_rule *rule,
                                 struct cel_vm *vm)
{
    enum cli_exit code = CLI_DONE;
    const struct mistakes_place *place = &g->places[rule->source_index];
    for (size_t i = 0; i < g->mesh.served_count && !is_forced(g->cli, rule->name); i++) {
        bool reaches;
        enum err e = policy_reaches(rule, vm, g->mesh.served, g->mesh.served_count, i, &reaches);
        if (e != ERR_OK)
            return no_memory(e);
        if (!reaches)
            code = say_error(CLI_REFUSED,
                             "not applied: %s:%u: %.*s would leave %.*s without any candidate: "
                             "--force %.*s puts it all the same",
                             place->path, place->line_offset + rule->line_offset + 1,
                             (int)rule->name.size, (const char *)rule->name.data,
                             (int)g->mesh.served[i].model.size,
                             (const char *)g->mesh.served[i].model.data, (int)rule->name.size,
                             (const char *)rule->name.data);
    }
    return code;
}

static enum cli_exit judge_rules(struct gate *g)
{
    struct cel_vm *vm;
    enum cli_exit code = CLI_DONE;
    enum err e = policy_cel_vm_create(POLICY_VM_BYTES, &vm);
    if (e != ERR_OK)
        return no_memory(e);
    for (size_t i = 0; i < policy_set_count(g->set); i++) {
        const struct policy_rule *rule = policy_set_rule(g->set, i);
        if (rule->source_index >= g->own_count)
            continue;
        enum cli_exit tested = run_tests(g, rule), reached = check_reach(g, rule, vm);
        code = tested != CLI_DONE ? tested : reached != CLI_DONE ? reached : code;
    }
    policy_cel_vm_destroy(vm);
    return code;
}

static enum cli_exit judge(struct gate *g, const struct registry_op *ops, size_t count,
                           struct bytes file, const char *path)
{
    enum cli_exit code = CLI_DONE;
    if (!flags_has(&g->cli->flags, "--out"))
        code = ask_mesh(g);
    if (code != CLI_DONE)
        return code;
    g->sources = calloc(count + g->mesh.policy_count, sizeof *g->sources);
    g->places = calloc(count + g->mesh.policy_count, sizeof *g->places);
    if (!g->sources || !g->places)
        return no_memory(ERR_NO_MEMORY);
    for (size_t i = 0; i < count; i++)
        if (is_policy(&ops[i]))
            add(g, ops[i].doc.policy.name, ops[i].doc.policy.document, path,
                lines_before(file, ops[i].doc.policy.document));
    g->own_count = g->count;
    for (size_t i = 0; i < g->mesh.policy_count; i++)
        if (!is_replaced(g, g->mesh.policies[i].name))
            add(g, g->mesh.policies[i].name, g->mesh.policies[i].text, g->mesh.names[i], 0);
    code = check(g);
    return code == CLI_DONE ? judge_rules(g) : code;
}

enum cli_exit gate_policies(const struct cli *cli, const struct registry_op *ops, size_t count,
                            struct bytes file, const char *path)
{
    bool has_any = false;
    for (size_t i = 0; i < count; i++)
        has_any |= is_policy(&ops[i]);
    if (!has_any)
        return CLI_DONE;
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        return no_memory(ERR_NO_MEMORY);
    g->cli = cli;
    enum cli_exit code = judge(g, ops, count, file, path);
    policy_set_destroy(g->set);
    free(g->sources);
    free(g->places);
    gate_mesh_fini(&g->mesh);
    free(g);
    return code;
}
