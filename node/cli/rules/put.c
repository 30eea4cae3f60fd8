/* Commands that put, move or remove one row of the registry: a table of which command does what to
 * which kind, and the flags as fields of the document. */
#include "node/cli/clock.h"
#include "node/cli/rules/document.h"
#include "node/cli/rules/order.h"

#include <stdio.h>

#define FIELD_MAX 64
#define VALUES_MAX (64 * 1024)

/* What the words of a command are: fields of the key, then others. "a/b" is one word for two. */
static const struct rule {
    const char *command;
    enum registry_kind kind;
    enum registry_verb verb;
    const char *words[2];
    const char *state; /* of a move: a word of the kind's state; NULL: the second word is it */
    const char *done;
} rules[] = {
    {"model put", REGISTRY_MODEL, REGISTRY_PUT, {"name"}, NULL, "model put"},
    {"model rm", REGISTRY_MODEL, REGISTRY_REMOVE, {"name"}, NULL, "model removed"},
    {"version put", REGISTRY_VERSION, REGISTRY_PUT, {"model/name"}, NULL, "version put"},
    {"version promote", REGISTRY_VERSION, REGISTRY_MOVE, {"model/name"}, NULL, "version promoted"},
    {"version revoke", REGISTRY_VERSION, REGISTRY_MOVE, {"model/name"}, "revoked", "revoked"},
    {"version rm", REGISTRY_VERSION, REGISTRY_REMOVE, {"model/name"}, NULL, "version removed"},
    {"alias rm", REGISTRY_ALIAS, REGISTRY_REMOVE, {"name"}, NULL, "alias removed"},
    {"tenant put", REGISTRY_TENANT, REGISTRY_PUT, {"name"}, NULL, "tenant put"},
    {"tenant rm", REGISTRY_TENANT, REGISTRY_REMOVE, {"name"}, NULL, "tenant removed"},
    {"tenant suspend", REGISTRY_TENANT, REGISTRY_MOVE, {"name"}, "suspended", "tenant suspended"},
    {"tenant resume", REGISTRY_TENANT, REGISTRY_MOVE, {"name"}, "active", "tenant active"},
    {"tenant key rm", REGISTRY_KEY, REGISTRY_MOVE, {"tenant", "id"}, "revoked", "API key revoked"},
    {"quota put", REGISTRY_QUOTA, REGISTRY_PUT, {"tenant", "model"}, NULL, "quota put"},
    {"quota rm", REGISTRY_QUOTA, REGISTRY_REMOVE, {"tenant", "model"}, NULL, "quota removed"},
    {"price put", REGISTRY_PRICE, REGISTRY_PUT, {"name"}, NULL, "price sheet put"},
    {"price rm", REGISTRY_PRICE, REGISTRY_REMOVE, {"name"}, NULL, "price sheet removed"},
    {"policy rm", REGISTRY_POLICY, REGISTRY_REMOVE, {"name"}, NULL, "policy removed"},
    {"setting put", REGISTRY_SETTING, REGISTRY_PUT, {"key", "value"}, NULL, "setting put"},
    {"setting rm", REGISTRY_SETTING, REGISTRY_REMOVE, {"key"}, NULL, "setting removed"},
};

struct work {
    const struct cli *cli;
    const struct rule *rule;
    struct registry_op op;
    struct arena arena;
    struct buf why;
    char why_text[512];
};

static const struct rule *rule_of(const char *command)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].command, command) == 0)
            return &rules[i];
    return NULL;
}

static enum cli_exit refuse(struct work *w, enum err e, const char *what)
{
    w->why_text[w->why.size] = 0;
    if (e == ERR_NO_MEMORY)
        return say_error(CLI_FAILED, "%s: %s: try again", err_text(e), what);
    return say_error(CLI_USAGE, "not a right value: %s: %s", what,
                     w->why.size ? w->why_text : err_text(e));
}

static enum cli_exit set(struct work *w, const char *field, struct bytes text, const char *what)
{
    enum err e = document_set(w->op.kind, &w->op.doc, bytes_from_str(field), text, clock_now_ms(),
                              &w->arena, &w->why);
    return e == ERR_OK ? CLI_DONE : refuse(w, e, what);
}

/* --- words */

static enum cli_exit set_pair(struct work *w, const char *fields, const char *word)
{
    char first[FIELD_MAX];
    const char *slash = strchr(fields, '/'), *cut = strrchr(word, '/');
    if (!cut || cut == word || !cut[1])
        return say_error(CLI_USAGE, "not %s: %.200s: write MODEL/VERSION", fields, word);
    bytes_to_str(bytes_of(fields, (size_t)(slash - fields)), first, sizeof first);
    enum cli_exit code = set(w, first, bytes_of(word, (size_t)(cut - word)), word);
    return code == CLI_DONE ? set(w, slash + 1, bytes_from_str(cut + 1), word) : code;
}

static enum cli_exit set_words(struct work *w)
{
    enum cli_exit code = CLI_DONE;
    const struct flags *f = &w->cli->flags;
    for (size_t i = 0; i < 2 && i < f->word_count && w->rule->words[i] && code == CLI_DONE; i++) {
        const char *field = w->rule->words[i];
        code = strchr(field, '/') ? set_pair(w, field, f->words[i])
                                  : set(w, field, bytes_from_str(f->words[i]), f->words[i]);
    }
    return code;
}

/* --- flags: "--memory" is memory_bytes, "--region" one of regions; two have other names, because
 * --node says whom to ask */

static const char *name_of_flag(const char *flag)
{
    if (strcmp(flag, "--expires") == 0)
        return "not_after_ms";
    return strcmp(flag, "--node-name") == 0 ? "node" : flag + 2;
}

static const struct registry_field *field_of_flag(enum registry_kind kind, const char *flag)
{
    const struct registry_group *group = &registry_schema(kind)->group;
    char name[FIELD_MAX];
    snprintf(name, sizeof name, "%s", name_of_flag(flag));
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : *c;
    size_t size = strlen(name);
    for (size_t i = 0; i < group->field_count; i++) {
        const char *field = group->fields[i].name;
        const char *rest = strncmp(field, name, size) == 0 ? field + size : "?";
        if (!*rest || strcmp(rest, "_bytes") == 0 ||
            (strcmp(rest, "s") == 0 && group->fields[i].type >= REGISTRY_TYPE_LABELS))
            return &group->fields[i];
    }
    return NULL;
}

static enum cli_exit set_flag(struct work *w, const struct flag *flag)
{
    const struct registry_field *field = field_of_flag(w->op.kind, flag->name);
    size_t cursor = 0;
    const char *value;
    struct buf all;
    enum err e = ERR_OK;
    bool is_ours = strcmp(flag->name, "--node") != 0 && strcmp(flag->name, "--key") != 0;
    if (!field || !is_ours || !flags_has(&w->cli->flags, flag->name))
        return CLI_DONE;
    buf_init(&all, VALUES_MAX);
    while (e == ERR_OK && (value = flags_next(&w->cli->flags, flag->name, &cursor))) {
        if (all.size > 0)
            e = buf_append_byte(&all, ',');
        if (e == ERR_OK)
            e = buf_append_str(&all, value);
    }
    enum cli_exit code = e == ERR_OK ? set(w, field->name, buf_bytes(&all), flag->name)
                                     : say_error(CLI_USAGE, "too long: %s: shorten it", flag->name);
    buf_fini(&all);
    return code;
}

static enum cli_exit set_condition(struct work *w)
{
    const char *rev = flags_get(&w->cli->flags, "--if-rev");
    if (!rev)
        return CLI_DONE;
    w->op.has_if_rev = true;
    if (bytes_to_u64(bytes_from_str(rev), &w->op.if_rev))
        return CLI_DONE;
    return say_error(CLI_USAGE, "not a revision: --if-rev %.100s: take the rev of get -o json",
                     rev);
}

static enum cli_exit set_flags(struct work *w)
{
    enum cli_exit code = set_condition(w);
    for (const struct flag *f = w->cli->command->flags; f->name && code == CLI_DONE; f++)
        code = set_flag(w, f);
    return code;
}

/* --- states */

static enum cli_exit set_state(struct work *w)
{
    const char *word = w->rule->state ? w->rule->state : w->cli->flags.words[1];
    const struct registry_group *group = &registry_schema(w->op.kind)->group;
    const struct registry_field *state = NULL;
    if (w->rule->verb != REGISTRY_MOVE)
        return CLI_DONE;
    for (size_t i = 0; i < group->field_count; i++)
        if (group->fields[i].flags & REGISTRY_STATE)
            state = &group->fields[i];
    CHECK(state != NULL);
    for (uint32_t i = 0; state->words[i]; i++)
        if (strcmp(state->words[i], word) == 0) {
            w->op.state = i;
            return CLI_DONE;
        }
    return say_error(CLI_USAGE, "no such %s: %.100s: one of %s, %s, %s or %s", state->name, word,
                     state->words[0], state->words[1], state->words[2] ? state->words[2] : "",
                     state->words[2] && state->words[3] ? state->words[3] : "");
}

/* A moved row is named by its key; its words must not set more. */
static enum cli_exit fill(struct work *w)
{
    enum cli_exit code = set_words(w);
    if (code == CLI_DONE)
        code = set_flags(w);
    return code == CLI_DONE ? set_state(w) : code;
}

enum cli_exit cli_put(const struct cli *cli)
{
    struct work w = {.cli = cli, .rule = rule_of(cli->command->name)};
    CHECK(w.rule != NULL);
    w.op = (struct registry_op){.verb = w.rule->verb, .kind = w.rule->kind};
    arena_init(&w.arena, DOCUMENT_ARENA_MAX);
    buf_init_fixed(&w.why, (uint8_t *)w.why_text, sizeof w.why_text - 1);
    enum cli_exit code = fill(&w);
    if (code == CLI_DONE)
        code = order_send(cli, &w.op, 1, w.rule->done);
    arena_fini(&w.arena);
    return code;
}
