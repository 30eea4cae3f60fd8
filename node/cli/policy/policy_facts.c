/* `grapevine policy facts`: what expressions of policies may name, from the one table of facts. */
#include "node/admin/json.h"
#include "node/cli/command.h"
#include "node/cli/table.h"
#include "policy/policy.h"

#define TYPE_SIZE 64
#define ANSWER_BYTES_MAX 65536

/* When a fact is looked at, as people say it. */
static const char *of_whom(enum policy_group group)
{
    static const char *const words[] = {[POLICY_REQUEST] = "request",
                                        [POLICY_STATIC] = "candidate, seldom changes",
                                        [POLICY_LIVE] = "candidate, now"};
    return words[group];
}

static const char *type_of(size_t fact, char ret_text[TYPE_SIZE])
{
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)ret_text, TYPE_SIZE - 1);
    if (policy_cel_type_show(policy_env()->facts[fact].type, &out) != ERR_OK)
        out.size = 0;
    ret_text[out.size] = 0;
    return ret_text;
}

static void print_table(void)
{
    static const char *const headers[] = {"FACT", "TYPE", "OF", "UNIT", "MEANING", NULL};
    char type[TYPE_SIZE];
    struct table t;
    table_init(&t, headers);
    for (size_t i = 0; i < policy_fact_count; i++) {
        const struct policy_fact *f = &policy_facts[i];
        table_add(&t, f->name);
        table_add(&t, type_of(i, type));
        table_add(&t, of_whom(f->group));
        table_add(&t, f->unit);
        table_add(&t, f->meaning);
    }
    table_print(&t, stdout);
    table_fini(&t);
}

static enum err put_all(struct buf *out)
{
    char type[TYPE_SIZE];
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_key(&j, "facts");
    json_open(&j, '[');
    for (size_t i = 0; i < policy_fact_count; i++) {
        const struct policy_fact *f = &policy_facts[i];
        json_open(&j, '{');
        json_put_str(&j, "name", f->name);
        json_put_str(&j, "type", type_of(i, type));
        json_put_str(&j, "group", policy_group_name(f->group));
        json_put_text_or_null(&j, "unit", bytes_from_str(f->unit));
        json_put_str(&j, "meaning", f->meaning);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    return json_end(&j);
}

enum cli_exit cli_policy_facts(const struct cli *cli)
{
    struct buf out;
    if (!cli->json) {
        print_table();
        return CLI_DONE;
    }
    buf_init(&out, ANSWER_BYTES_MAX);
    enum err e = put_all(&out);
    if (e == ERR_OK)
        printf("%.*s\n", (int)out.size, (const char *)out.data);
    buf_fini(&out);
    return e == ERR_OK ? CLI_DONE : say_error(CLI_FAILED, "%s: the facts: try again", err_text(e));
}
