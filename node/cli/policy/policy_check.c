/* `grapevine policy check FILE...` and `policy test FILE...`: documents of policies as the mesh
 * would judge them, without a mesh. All files together are one set, so that a policy in one may
 * name a strategy in another. */
#include "node/cli/command.h"
#include "node/cli/dir/files.h"
#include "node/cli/mistakes.h"

#include <stdlib.h>

#define FILE_BYTES_MAX (1024 * 1024)
#define ANSWER_BYTES_MAX (8 * 1024 * 1024)

struct check {
    const struct cli *cli;
    size_t count;
    struct buf texts[FLAGS_WORDS_MAX];
    struct policy_source sources[FLAGS_WORDS_MAX];
    struct mistakes_place places[FLAGS_WORDS_MAX];
    struct policy_mistakes mistakes;
    struct policy_tests tests;
    struct policy_set *set; /* NULL: there are mistakes */
    struct buf answer;
    struct json json;
    bool runs_tests_aloud; /* `policy test` */
    size_t ran, failed;
};

static enum cli_exit read_files(struct check *c)
{
    for (c->count = 0; c->count < c->cli->flags.word_count; c->count++) {
        const char *path = c->cli->flags.words[c->count];
        struct buf *text = &c->texts[c->count];
        buf_init(text, FILE_BYTES_MAX);
        enum err e = files_read(path, text);
        c->sources[c->count].text = buf_bytes(text);
        c->places[c->count].path = path;
        if (e != ERR_OK) {
            c->count++; /* to be freed */
            return say_file_error(e, path);
        }
    }
    return CLI_DONE;
}

/* --- tests */

static void put_test(struct check *c, const struct policy_rule *rule, const struct policy_test *t)
{
    json_open(&c->json, '{');
    json_put_text(&c->json, "policy", rule->name);
    json_put_str(&c->json, "test", t->name);
    json_put_str(&c->json, "file", c->places[rule->source_index].path);
    json_put_uint(&c->json, "line", t->line);
    json_put_bool(&c->json, "passed", t->passed);
    json_put_text_or_null(&c->json, "why", bytes_from_str(t->why));
    json_close(&c->json, '}');
}

static void print_test(const struct policy_rule *rule, const struct policy_test *t)
{
    if (t->passed)
        printf("ok    %.*s: %s\n", (int)rule->name.size, (const char *)rule->name.data, t->name);
}

static enum cli_exit run_tests(struct check *c, const struct policy_rule *rule)
{
    enum err e = policy_test(rule, &c->tests);
    if (e != ERR_OK)
        return say_error(CLI_FAILED, "%s: policy test: try again", err_text(e));
    c->ran += c->tests.count;
    c->failed += c->tests.failed;
    for (size_t i = 0; i < c->tests.count; i++)
        if (c->cli->json)
            put_test(c, rule, &c->tests.items[i]);
        else if (c->runs_tests_aloud)
            print_test(rule, &c->tests.items[i]);
    if (!c->cli->json)
        mistakes_print_failed(stdout, c->runs_tests_aloud ? "FAIL  " : "", rule, &c->tests,
                              &c->places[rule->source_index]);
    return CLI_DONE;
}

static enum cli_exit run_all_tests(struct check *c)
{
    for (size_t i = 0; c->set && i < policy_set_count(c->set); i++) {
        enum cli_exit code = run_tests(c, policy_set_rule(c->set, i));
        if (code != CLI_DONE)
            return code;
    }
    return CLI_DONE;
}

/* --- both */

static void put_mistakes(struct check *c)
{
    json_key(&c->json, "mistakes");
    json_open(&c->json, '[');
    mistakes_put(&c->json, &c->mistakes, c->places);
    json_close(&c->json, ']');
    json_key(&c->json, "tests");
    json_open(&c->json, '[');
}

static enum cli_exit finish(struct check *c)
{
    bool is_fine = c->mistakes.count == 0 && c->failed == 0;
    size_t policies = c->set ? policy_set_count(c->set) : 0;
    if (c->cli->json) {
        json_close(&c->json, ']');
        json_close(&c->json, '}');
        if (json_end(&c->json) != ERR_OK)
            return say_error(CLI_FAILED, "%s: the answer: check fewer files at once",
                             err_text(ERR_LIMIT));
        printf("%.*s\n", (int)c->answer.size, (const char *)c->answer.data);
    } else if (is_fine) {
        printf("%zu polic%s, %zu test%s: all right\n", policies, policies == 1 ? "y" : "ies",
               c->ran, c->ran == 1 ? "" : "s");
    }
    return is_fine ? CLI_DONE : CLI_FAILED;
}

static enum cli_exit check(struct check *c)
{
    enum cli_exit code = read_files(c);
    if (code != CLI_DONE)
        return code;
    enum err e = policy_set_create(c->sources, c->count, &c->set, &c->mistakes);
    if (e != ERR_OK && e != ERR_INVALID)
        return say_error(CLI_FAILED, "%s: policy check: try again", err_text(e));
    json_begin(&c->json, &c->answer);
    json_open(&c->json, '{');
    if (c->cli->json)
        put_mistakes(c);
    else
        mistakes_print(stdout, "", &c->mistakes, c->places, c->count);
    code = run_all_tests(c);
    return code == CLI_DONE ? finish(c) : code;
}

static enum cli_exit check_aloud(const struct cli *cli, bool runs_tests_aloud)
{
    struct check *c = calloc(1, sizeof *c);
    if (!c)
        return say_error(CLI_FAILED, "%s: policy check: try again", err_text(ERR_NO_MEMORY));
    c->cli = cli;
    c->runs_tests_aloud = runs_tests_aloud;
    buf_init(&c->answer, ANSWER_BYTES_MAX);
    enum cli_exit code = check(c);
    policy_set_destroy(c->set);
    for (size_t i = 0; i < c->count; i++)
        buf_fini(&c->texts[i]);
    buf_fini(&c->answer);
    free(c);
    return code;
}

enum cli_exit cli_policy_check(const struct cli *cli)
{
    return check_aloud(cli, false);
}

enum cli_exit cli_policy_test(const struct cli *cli)
{
    return check_aloud(cli, true);
}
