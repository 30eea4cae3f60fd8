/* The program `grapevine-load`: flags, files, the loop, signals, and the summary on stdout.
 * Exit status: 0 the run was done, whatever came of it; 1 it could not be done; 2 usage. A first
 * SIGINT or SIGTERM ends the run with the summary of what there is. */
#include "testnet/load/options.h"
#include "testnet/load/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MESSAGE_MAX 512
#define TRACE_MAX (256 * 1024 * 1024)
#define SUMMARY_MAX (1024 * 1024)

struct program {
    struct run run;
    struct run_cfg cfg;
    struct flags flags;
    struct io_loop *loop;
    struct io_signals *signals;
    FILE *history; /* NULL: none is kept */
    bool history_failed;
};

static void on_signal(void *owner, int signal_number)
{
    struct program *p = owner;
    (void)signal_number;
    run_stop(&p->run);
    io_loop_stop(p->loop);
}

static void on_done(void *owner)
{
    io_loop_stop(((struct program *)owner)->loop);
}

static void on_result(void *owner, const struct tally_result *result, const char *mark,
                      const char *request_id, const char *node)
{
    struct program *p = owner;
    uint8_t storage[1024];
    struct buf line;
    buf_init_fixed(&line, storage, sizeof storage);
    if (!p->history)
        return;
    if (report_result(result, mark, request_id, node, &line) != ERR_OK ||
        fwrite(line.data, 1, line.size, p->history) != line.size)
        p->history_failed = true;
}

static int fail(const char *what, const char *where, const char *todo)
{
    fprintf(stderr, "grapevine-load: %s: %s: %s\n", what, where, todo);
    return 1;
}

static int read_trace(struct program *p, const char *path)
{
    struct buf text;
    size_t line = 0, got;
    char number[32];
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail("cannot read the trace", path, "look at the path");
    buf_init(&text, TRACE_MAX);
    enum err e = ERR_OK;
    do {
        e = buf_reserve(&text, 65536);
        got = e == ERR_OK ? fread(text.data + text.size, 1, 65536, file) : 0;
        text.size += got;
    } while (got > 0);
    fclose(file);
    if (e == ERR_OK)
        e = plan_read_trace(&p->run.plan, buf_bytes(&text), &line);
    buf_fini(&text);
    snprintf(number, sizeof number, "line %zu", line);
    if (e == ERR_INVALID)
        return fail(path, number, "OFFSET_MS [PROMPT_TOKENS [OUTPUT_TOKENS]], in order of time");
    return e == ERR_OK ? 0 : fail("cannot keep the trace", path, err_text(e));
}

/* Sockets for what may be open at once. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static uint64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int print_summary(struct program *p, uint64_t used_us)
{
    struct buf out;
    const char *names[TALLY_TARGETS_MAX];
    size_t cursor = 0;
    const char *format = flags_get(&p->flags, "-o");
    struct report report = {.tally = &p->run.tally,
                            .seed = p->cfg.plan.seed,
                            .planned_rate = p->cfg.plan.kind == PLAN_TRACE ? 0 : p->cfg.plan.rate,
                            .cpu_us = used_us,
                            .target_count = p->cfg.target_count,
                            .tenant_count = p->cfg.talk.tenant_count,
                            .targets = names};
    for (size_t i = 0; i < p->cfg.target_count; i++) {
        names[i] = flags_next(&p->flags, "--target", &cursor);
        report.connections += p->run.targets[i].connection_count;
    }
    buf_init(&out, SUMMARY_MAX);
    bool is_json = format && strcmp(format, "json") == 0;
    enum err e = is_json ? report_json(&report, &out) : report_text(&report, &out);
    bool is_written = e == ERR_OK && fwrite(out.data, 1, out.size, stdout) == out.size;
    buf_fini(&out);
    return is_written && fflush(stdout) == 0 ? 0 : fail("no summary", "stdout", "see it closed");
}

static int measure(struct program *p)
{
    const char *trace = flags_get(&p->flags, "--trace");
    int status = trace ? read_trace(p, trace) : 0;
    if (status == 0) {
        uint64_t before_us = cpu_us();
        run_start(&p->run);
        io_loop_run(p->loop);
        status = print_summary(p, cpu_us() - before_us);
    }
    run_fini(&p->run);
    return status;
}

static int run_program(struct program *p)
{
    const char *history = flags_get(&p->flags, "--history");
    if (history && !(p->history = fopen(history, "wb")))
        return fail("cannot write the history", history, "look at the path");
    if (io_loop_create(&p->loop) != ERR_OK)
        return fail("no event loop", "libuv", "check the limits of this process");
    int status = 1;
    p->run.on_result = on_result;
    p->run.on_done = on_done;
    p->run.owner = p;
    run_init(&p->run, p->loop, &p->cfg);
    if (io_signals_open(p->loop, on_signal, p, &p->signals) == ERR_OK) {
        status = measure(p);
        io_signals_close(p->signals);
    }
    io_loop_destroy(p->loop);
    if (p->history && (fclose(p->history) != 0 || p->history_failed))
        status = fail("the history is not whole", history, "is there room?");
    return status;
}

static void print_help(void)
{
    printf("usage: grapevine-load --target URL --model NAME [FLAG]...   an open-loop load\n"
           "Addresses: loopback and 198.18.0.0/15 only.\n");
    for (const struct flag *f = options_table; f->name; f++)
        printf("  %s%s%s\n        %s\n", f->name, f->value ? " " : "", f->value ? f->value : "",
               f->help);
}

int main(int argc, char **argv)
{
    char text[MESSAGE_MAX];
    struct buf message;
    buf_init_fixed(&message, (uint8_t *)text, sizeof text - 1);
    struct program *p = calloc(1, sizeof *p);
    enum err e =
        p ? flags_parse(argc - 1, argv + 1, options_table, &p->flags, &message) : ERR_NO_MEMORY;
    bool wants_help = e == ERR_OK && flags_has(&p->flags, "--help");
    if (e == ERR_OK && !wants_help)
        e = options_read(&p->flags, &p->cfg, &message);
    text[message.size] = 0;
    int status = 2;
    raise_descriptors();
    if (wants_help) {
        print_help();
        status = 0;
    } else if (e != ERR_OK) {
        fprintf(stderr, "grapevine-load: %s\n", message.size ? text : err_text(e));
    } else {
        status = run_program(p);
    }
    free(p);
    return status;
}
