/* `grapevine policy eval`: an expression with facts from a file, as the operator's scratch pad; or
 * JSON lines on stdin, each answered by one line, whatever is wrong with it. */
#include "node/cli/command.h"
#include "node/cli/dir/files.h"
#include "node/cli/policy/cel_case.h"

#include <stdio.h>

#define LINE_BYTES_MAX (1u << 20)
#define FACTS_BYTES_MAX (8u << 20)

/* --- lines */

/* The next line of stdin without its end; false at the end of the input. Of one that is too long
 * the rest is skipped, and *ret_is_cut says so. */
static bool read_line(struct buf *line, bool *ret_is_cut)
{
    int c;
    buf_clear(line);
    *ret_is_cut = false;
    while ((c = getchar_unlocked()) != EOF && c != '\n')
        if (buf_append_byte(line, (uint8_t)c) != ERR_OK)
            *ret_is_cut = true;
    return c != EOF || line->size;
}

static enum cli_exit answer_lines(struct cel_case *k)
{
    struct buf line, answer;
    bool is_cut;
    buf_init(&line, LINE_BYTES_MAX);
    buf_init(&answer, CEL_CASE_ANSWER_MAX);
    while (read_line(&line, &is_cut)) {
        buf_clear(&answer);
        if (is_cut)
            cel_case_refuse(&answer, "a line of more than 1 MiB");
        else if (line.size)
            cel_case_answer(k, buf_bytes(&line), &answer);
        else
            continue;
        fwrite(answer.data, 1, answer.size, stdout);
        fputc('\n', stdout);
    }
    buf_fini(&line);
    buf_fini(&answer);
    if (fflush(stdout) != 0)
        return say_error(CLI_FAILED, "the answers cannot be written: stdout: check where it goes");
    return CLI_DONE;
}

/* --- one expression */

static enum cli_exit print_outcome(const struct cli *cli, struct cel_case *k,
                                   const struct cel_problem *problem)
{
    struct buf out;
    enum err e;
    if (problem)
        return say_error(CLI_FAILED, "%s: line %u, column %u: %s",
                         policy_cel_phase_name(problem->phase), problem->line, problem->column,
                         problem->text);
    buf_init(&out, CEL_CASE_ANSWER_MAX);
    if (cli->json) {
        struct json j;
        json_begin(&j, &out);
        cel_json_put_value(&j, k->value);
        e = json_end(&j);
    } else {
        e = policy_cel_show(k->value, &out);
    }
    if (e == ERR_OK)
        printf("%.*s\n", (int)out.size, (const char *)out.data);
    buf_fini(&out);
    return e == ERR_OK
               ? CLI_DONE
               : say_error(CLI_FAILED, "%s: the value: it is too large to be shown", err_text(e));
}

static enum cli_exit evaluate(const struct cli *cli, struct cel_case *k, const char *file)
{
    struct cel_problem problem;
    struct buf facts;
    enum err e = ERR_OK;
    buf_init(&facts, FACTS_BYTES_MAX);
    if (file)
        e = files_read(file, &facts);
    if (e != ERR_OK) {
        buf_fini(&facts);
        return say_file_error(e, file);
    }
    const char *why = cel_case_set_facts(k, file ? buf_bytes(&facts) : BYTES("{}"));
    enum cli_exit code;
    if (why) {
        code = say_error(CLI_FAILED,
                         "%s: %s: give a JSON object such as "
                         "{\"node\": {\"tier\": \"edge\"}}",
                         why, file ? file : "");
    } else {
        bool fine = cel_case_run(k, bytes_from_str(cli->flags.words[0]), &problem);
        code = print_outcome(cli, k, fine ? NULL : &problem);
    }
    buf_fini(&facts);
    return code;
}

enum cli_exit cli_policy_eval(const struct cli *cli)
{
    struct cel_case k;
    const char *facts = flags_get(&cli->flags, "--facts");
    if (facts && !cli->flags.word_count)
        return say_error(CLI_USAGE, "expression missing: --facts: give it as an argument");
    if (cel_case_init(&k) != ERR_OK)
        return say_error(CLI_FAILED, "%s: policy eval: try again", err_text(ERR_NO_MEMORY));
    enum cli_exit code = cli->flags.word_count ? evaluate(cli, &k, facts) : answer_lines(&k);
    cel_case_fini(&k);
    return code;
}
