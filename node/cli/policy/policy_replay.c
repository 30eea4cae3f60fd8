/* `grapevine policy replay --from RECORDING --with FILE`: which recorded requests would move under
 * other policies, what they would take and cost. RECORDING is what `decisions export` prints. */
#include "node/cli/command.h"
#include "node/cli/dir/files.h"
#include "node/cli/mistakes.h"
#include "node/cli/table.h"

#include <math.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (1024 * 1024)
#define RECORDING_BYTES_MAX (64 * 1024 * 1024)
#define ANSWER_BYTES_MAX (16 * 1024 * 1024)
#define TEXT_SIZE 160

struct mean {
    double sum;
    size_t count;
};

struct replay {
    const struct cli *cli;
    struct buf documents, recording, answer;
    struct policy_set *set;
    struct cel_vm *vm;
    struct table table;
    struct json json;
    size_t count, moved, refused, unreadable;
    struct mean answer_us, new_answer_us, cost_usd, new_cost_usd; /* of those known both times */
};

static void add_mean(struct mean *mean, double value)
{
    mean->sum += value;
    mean->count++;
}

static void add_both(struct mean *then, struct mean *now, double was, double is)
{
    if (isnan(was) || isnan(is))
        return;
    add_mean(then, was);
    add_mean(now, is);
}

static double mean_of(const struct mean *mean)
{
    return mean->count ? mean->sum / (double)mean->count : NAN;
}

/* --- one record */

static const char *format(double value, const char *unit, char text[TEXT_SIZE])
{
    text[0] = 0;
    if (!isnan(value))
        snprintf(text, TEXT_SIZE, "%.6g%s", value, unit);
    return text;
}

static void put_number(struct json *j, const char *key, double value)
{
    char text[TEXT_SIZE];
    json_key(j, key);
    if (isnan(value))
        json_null(j);
    else
        json_number(j, format(value, "", text));
}

static void put_row(struct replay *r, const struct policy_replayed *d)
{
    struct json *j = &r->json;
    json_open(j, '{');
    json_put_str(j, "id", d->id);
    json_put_str(j, "policy", d->rule);
    json_put_text_or_null(j, "from", bytes_from_str(d->from));
    json_put_text_or_null(j, "to", bytes_from_str(d->to));
    json_put_bool(j, "moved", d->is_moved);
    json_put_text_or_null(j, "why_none",
                          d->to[0] ? BYTES("") : bytes_from_str(policy_verdict_name(d->none)));
    put_number(j, "answer_ms", d->answer_us / 1000);
    put_number(j, "new_answer_ms", d->new_answer_us / 1000);
    put_number(j, "cost_usd", d->cost_usd);
    put_number(j, "new_cost_usd", d->new_cost_usd);
    json_close(j, '}');
}

static void add_row(struct replay *r, const struct policy_replayed *d)
{
    char text[TEXT_SIZE];
    table_add(&r->table, d->id);
    table_add(&r->table, d->rule);
    table_add(&r->table, d->from);
    snprintf(text, sizeof text, "%s%s",
             d->to[0] ? d->to : "refused: ", d->to[0] ? "" : policy_verdict_name(d->none));
    table_add(&r->table, text);
    table_add(&r->table, format(d->answer_us / 1000, "ms", text));
    table_add(&r->table, format(d->new_answer_us / 1000, "ms", text));
    table_add(&r->table, format(d->cost_usd, "", text));
    table_add(&r->table, format(d->new_cost_usd, "", text));
}

static void take(struct replay *r, struct bytes record)
{
    struct policy_replayed d;
    if (policy_replay(r->set, r->vm, record, &d) != ERR_OK) {
        r->unreadable++;
        return;
    }
    r->count++;
    r->moved += d.is_moved;
    r->refused += d.to[0] == 0;
    add_both(&r->answer_us, &r->new_answer_us, d.answer_us, d.new_answer_us);
    add_both(&r->cost_usd, &r->new_cost_usd, d.cost_usd, d.new_cost_usd);
    if (r->cli->json)
        put_row(r, &d);
    else if (d.is_moved)
        add_row(r, &d);
}

static void take_all(struct replay *r)
{
    struct bytes rest = buf_bytes(&r->recording);
    while (rest.size > 0) {
        struct bytes line = bytes_of(rest.data, bytes_find(rest, '\n'));
        rest = bytes_skip(rest, line.size + 1);
        if (line.size > 0)
            take(r, line);
    }
}

/* --- all of them */

static void print_summary(const struct replay *r)
{
    char was[TEXT_SIZE], is[TEXT_SIZE];
    if (r->moved > 0)
        table_print(&r->table, stdout);
    printf("%s%zu decisions: %zu would move, %zu would be refused\n", r->moved ? "\n" : "",
           r->count, r->moved, r->refused);
    if (r->answer_us.count > 0)
        printf("expected time, mean: %s then, %s now\n",
               format(mean_of(&r->answer_us) / 1000, "ms", was),
               format(mean_of(&r->new_answer_us) / 1000, "ms", is));
    if (r->cost_usd.count > 0)
        printf("expected cost, mean: %s then, %s now\n", format(mean_of(&r->cost_usd), " USD", was),
               format(mean_of(&r->new_cost_usd), " USD", is));
    if (r->unreadable > 0)
        printf("%zu lines are no decisions and were passed over\n", r->unreadable);
}

static enum cli_exit print_json(struct replay *r)
{
    struct json *j = &r->json;
    json_close(j, ']');
    json_put_uint(j, "count", r->count);
    json_put_uint(j, "moved", r->moved);
    json_put_uint(j, "refused", r->refused);
    json_put_uint(j, "unreadable", r->unreadable);
    put_number(j, "answer_ms", mean_of(&r->answer_us) / 1000);
    put_number(j, "new_answer_ms", mean_of(&r->new_answer_us) / 1000);
    put_number(j, "cost_usd", mean_of(&r->cost_usd));
    put_number(j, "new_cost_usd", mean_of(&r->new_cost_usd));
    json_close(j, '}');
    if (json_end(j) != ERR_OK)
        return say_error(CLI_FAILED, "%s: the answer: replay a shorter recording",
                         err_text(ERR_LIMIT));
    printf("%.*s\n", (int)r->answer.size, (const char *)r->answer.data);
    return CLI_DONE;
}

static enum cli_exit replay_all(struct replay *r)
{
    static const char *const headers[] = {"REQUEST", "POLICY", "FROM", "TO", "TIME",
                                          "NEW",     "COST",   "NEW",  NULL};
    table_init(&r->table, headers);
    json_begin(&r->json, &r->answer);
    json_open(&r->json, '{');
    json_key(&r->json, "decisions");
    json_open(&r->json, '[');
    take_all(r);
    enum cli_exit code = CLI_DONE;
    if (r->cli->json)
        code = print_json(r);
    else
        print_summary(r);
    table_fini(&r->table);
    return code;
}

static enum cli_exit read_all(struct replay *r, const char *from, const char *with)
{
    struct policy_mistakes mistakes;
    enum err e = files_read(with, &r->documents);
    if (e != ERR_OK)
        return say_file_error(e, with);
    e = files_read(from, &r->recording);
    if (e != ERR_OK)
        return say_file_error(e, from);
    const struct policy_source source = {.text = buf_bytes(&r->documents)};
    const struct mistakes_place place = {with, 0};
    e = policy_set_create(&source, 1, &r->set, &mistakes);
    if (e == ERR_INVALID) {
        mistakes_print(stderr, "", &mistakes, &place, 1);
        return say_error(CLI_FAILED, "not replayed: %s: mend what is wrong with it", with);
    }
    if (e == ERR_OK)
        e = policy_cel_vm_create(POLICY_VM_BYTES, &r->vm);
    return e == ERR_OK ? CLI_DONE
                       : say_error(CLI_FAILED, "%s: policy replay: try again", err_text(e));
}

enum cli_exit cli_policy_replay(const struct cli *cli)
{
    const char *from = flags_get(&cli->flags, "--from"), *with = flags_get(&cli->flags, "--with");
    struct replay *r = calloc(1, sizeof *r);
    if (!r)
        return say_error(CLI_FAILED, "%s: policy replay: try again", err_text(ERR_NO_MEMORY));
    r->cli = cli;
    buf_init(&r->documents, FILE_BYTES_MAX);
    buf_init(&r->recording, RECORDING_BYTES_MAX);
    buf_init(&r->answer, ANSWER_BYTES_MAX);
    enum cli_exit code = from && with ? read_all(r, from, with)
                                      : say_error(CLI_USAGE, "policy replay: give --from RECORDING "
                                                             "and --with FILE");
    if (code == CLI_DONE)
        code = replay_all(r);
    policy_set_destroy(r->set);
    policy_cel_vm_destroy(r->vm);
    buf_fini(&r->documents);
    buf_fini(&r->recording);
    buf_fini(&r->answer);
    free(r);
    return code;
}
