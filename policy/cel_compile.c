/* From source to program: parse, resolve, check, emit. The tree lives in an arena of its own and is
 * gone when the program is ready. */
#include "policy/cel_compile.h"

#include "base/utf8.h"
#include "policy/cel_types.h"

#define TREE_BYTES_MAX (32u << 20)
#define PROGRAM_BYTES_MAX (32u << 20)
#define CODE_BYTES_MAX (8u << 20)
#define FOLD_BUDGET_ALL 1000000 /* some milliseconds for the constants of one expression */

/* A level of an expression holds a macro's locals or the arguments of one call, which are fewer. */
_Static_assert(POLICY_CEL_STACK_MAX > POLICY_CEL_DEPTH_MAX * CEL_L_COUNT + 32, "stack too small");

uint32_t policy_cel_here(const struct cel_compiler *c)
{
    return (uint32_t)(c->code.size / sizeof(struct cel_code));
}

enum err policy_cel_emit(struct cel_compiler *c, const struct cel_node *n, struct cel_code code,
                         int stack_change)
{
    TRY(buf_append(&c->code, bytes_of(&code, sizeof(code))));
    TRY(buf_append(&c->offsets, bytes_of(&n->offset, sizeof(n->offset))));
    c->depth = (uint32_t)((int)c->depth + stack_change);
    if (c->depth > c->depth_max)
        c->depth_max = c->depth;
    return ERR_OK;
}

void policy_cel_land(struct cel_compiler *c, uint32_t from)
{
    ((struct cel_code *)(void *)c->code.data)[from].c = policy_cel_here(c);
}

enum err policy_cel_add_constant(struct cel_compiler *c, struct cel_value v, uint32_t *ret_index)
{
    if (v.kind == CEL_STRING || v.kind == CEL_BYTES) { /* it may lie in the tree */
        struct bytes copy = arena_copy(&c->program->arena, policy_cel_bytes(v));
        if (v.size && !copy.data)
            return ERR_NO_MEMORY;
        v.data = copy.data;
    }
    *ret_index = (uint32_t)(c->constants.size / sizeof(v));
    return buf_append(&c->constants, bytes_of(&v, sizeof(v)));
}

static enum err emit_part(struct cel_compiler *c, const struct cel_node *n, struct cel_part *part)
{
    part->start = policy_cel_here(c);
    c->reads = part->reads;
    c->depth = 0;
    TRY(policy_cel_emit_node(c, n));
    TRY(policy_cel_emit(c, n, (struct cel_code){.op = CEL_I_RETURN}, -1));
    part->size = policy_cel_here(c) - part->start;
    return ERR_OK;
}

static enum err emit_parts(struct cel_compiler *c, const struct cel_node *root)
{
    struct cel_program *p = c->program;
    bool has_parts = root->kind == CEL_N_CALL && root->op == CEL_OP_AND;
    uint32_t count = 1 + (has_parts ? root->arg_count : 0);
    p->parts = arena_calloc(&p->arena, count * sizeof(*p->parts));
    if (!p->parts)
        return ERR_NO_MEMORY;
    p->part_count = count;
    TRY(emit_part(c, root, &p->parts[0]));
    for (uint32_t i = 1; i < count; i++)
        TRY(emit_part(c, root->args[i - 1], &p->parts[i]));
    CHECK(c->depth_max + c->job->local_count < POLICY_CEL_STACK_MAX);
    return ERR_OK;
}

static enum err keep_used(struct cel_program *p)
{
    const struct cel_env *env = p->env;
    p->used = arena_alloc(&p->arena, (env->fact_count + 1) * sizeof(*p->used));
    if (!p->used)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < env->fact_count; i++)
        if (policy_cel_reads(p, POLICY_CEL_WHOLE, i))
            p->used[p->used_count++] = (struct cel_used){
                CEL_PACK(env->facts[i].group, env->facts[i].slot), env->facts[i].name};
    return ERR_OK;
}

/* A buffer's content in the program's memory; never NULL unless memory is out. */
static void *keep(struct cel_program *p, const struct buf *b)
{
    void *copy = arena_alloc(&p->arena, b->size + 1);
    if (copy && b->size)
        memcpy(copy, b->data, b->size);
    return copy;
}

static enum err keep_all(struct cel_compiler *c)
{
    struct cel_program *p = c->program;
    struct bytes source = arena_copy(&p->arena, c->job->source);
    p->code = keep(p, &c->code);
    p->offsets = keep(p, &c->offsets);
    p->constants = keep(p, &c->constants);
    p->calls = keep(p, &c->calls);
    p->regexes = keep(p, &c->regexes);
    if (!p->code || !p->offsets || !p->constants || !p->calls || !p->regexes ||
        (c->job->source.size && !source.data))
        return ERR_NO_MEMORY;
    p->source = source;
    p->code_size = policy_cel_here(c);
    p->regex_count = (uint32_t)(c->regexes.size / sizeof(struct policy_cel_regex *));
    c->regexes.size = 0; /* they are the program's now */
    return ERR_OK;
}

static const struct cel_type *keep_type(struct arena *arena, const struct cel_type *type,
                                        unsigned *left)
{
    const struct cel_type *params[POLICY_CEL_TYPE_PARAMS_MAX];
    if ((*left)-- == 0 || !type)
        return NULL;
    if (!type->param_count && !type->name.size)
        return policy_cel_type(type->kind);
    for (size_t i = 0; i < type->param_count; i++) {
        params[i] = keep_type(arena, type->params[i], left);
        if (!params[i])
            return NULL;
    }
    struct bytes name = arena_copy(arena, type->name);
    if (type->name.size && !name.data)
        return NULL;
    return policy_cel_type_make(arena, type->kind, name, params, type->param_count);
}

static void compiler_fini(struct cel_compiler *c)
{
    for (size_t i = 0; i < c->regexes.size / sizeof(struct policy_cel_regex *); i++)
        policy_cel_regex_destroy(((struct policy_cel_regex **)(void *)c->regexes.data)[i]);
    buf_fini(&c->code);
    buf_fini(&c->offsets);
    buf_fini(&c->constants);
    buf_fini(&c->calls);
    buf_fini(&c->regexes);
    policy_cel_vm_destroy(c->vm);
}

static enum err emit_program(struct cel_job *job, const struct cel_node *root,
                             struct cel_program *p)
{
    struct cel_compiler c = {.job = job, .program = p, .fold_left = FOLD_BUDGET_ALL};
    unsigned type_parts = 1000;
    buf_init(&c.code, CODE_BYTES_MAX);
    buf_init(&c.offsets, CODE_BYTES_MAX);
    buf_init(&c.constants, CODE_BYTES_MAX);
    buf_init(&c.calls, CODE_BYTES_MAX);
    buf_init(&c.regexes, CODE_BYTES_MAX);
    enum err e = emit_parts(&c, root);
    if (e == ERR_OK)
        e = keep_all(&c);
    compiler_fini(&c);
    TRY(e);
    TRY(keep_used(p));
    p->local_count = job->local_count;
    p->type = policy_cel_type(CEL_T_DYN);
    if (!job->env->disable_check)
        p->type = keep_type(&p->arena, root->type, &type_parts);
    if (!p->type)
        return policy_cel_fail(job, CEL_CHECK, 0, "its type is too complex");
    return ERR_OK;
}

static enum err front(struct cel_job *job, struct cel_node **ret_root)
{
    for (size_t at = 0; at < job->source.size;) {
        size_t size = utf8_size(bytes_skip(job->source, at));
        if (!size)
            return policy_cel_fail(job, CEL_PARSE, (uint32_t)at, "a byte that is not UTF-8");
        at += size;
    }
    return policy_cel_parse(job, ret_root);
}

static enum err compile(struct cel_job *job, struct cel_program *p)
{
    struct cel_node *root;
    for (size_t i = 0; i < job->env->fact_count; i++)
        CHECK(job->env->facts[i].group < POLICY_CEL_GROUPS_MAX &&
              job->env->facts[i].slot < 1 << CEL_SLOT_BITS);
    CHECK(job->env->fact_count <= POLICY_CEL_FACTS_MAX);
    TRY(front(job, &root));
    TRY(policy_cel_resolve(job, root));
    if (!job->env->disable_check)
        TRY(policy_cel_check(job, root));
    return emit_program(job, root, p);
}

enum err policy_cel_compile(const struct cel_env *env, struct bytes source,
                            struct cel_program **ret_program, struct cel_problem *ret_problem)
{
    struct arena program_arena, tree;
    struct cel_job job = {.env = env, .source = source, .arena = &tree, .problem = ret_problem};
    arena_init(&program_arena, PROGRAM_BYTES_MAX);
    arena_init(&tree, TREE_BYTES_MAX);
    struct cel_program *p = arena_calloc(&program_arena, sizeof(*p));
    enum err e = p ? ERR_OK : ERR_NO_MEMORY;
    if (p) {
        p->arena = program_arena;
        p->env = env;
        e = compile(&job, p);
    }
    arena_fini(&tree);
    if (e == ERR_OK) {
        *ret_program = p;
        return ERR_OK;
    }
    if (p)
        policy_cel_program_destroy(p);
    if (e == ERR_LIMIT) /* of a buffer */
        e = policy_cel_fail(&job, CEL_CHECK, 0, "too large");
    return e;
}

void policy_cel_program_destroy(struct cel_program *program)
{
    if (!program)
        return;
    for (uint32_t i = 0; i < program->regex_count; i++)
        policy_cel_regex_destroy(program->regexes[i]);
    struct arena arena = program->arena; /* which holds the program */
    arena_fini(&arena);
}

enum err policy_cel_reformat(struct bytes source, struct buf *out, struct cel_problem *ret_problem)
{
    static const struct cel_env empty = {0};
    struct arena tree;
    struct cel_node *root;
    struct cel_job job = {.env = &empty, .source = source, .arena = &tree, .problem = ret_problem};
    arena_init(&tree, TREE_BYTES_MAX);
    enum err e = front(&job, &root);
    if (e == ERR_OK)
        e = policy_cel_unparse(root, out);
    arena_fini(&tree);
    return e;
}
