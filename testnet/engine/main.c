/* The program `grapevine-engine`: flags, the loop, signals, and one line when it serves:
 * `ready http=127.0.0.1:41237 like=vllm profile=a100 model=llama-3.1-8b`.
 * Exit status: 0 ended by a signal or reclaimed, 1 failed, 2 usage. */
#include "node/admin/json.h"
#include "testnet/engine/options.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX 512

struct run {
    struct options options;
    struct server server;
    struct io_loop *loop;
    struct io_signals *signals;
    FILE *history; /* NULL: none is kept */
};

static void on_signal(void *owner, int signal_number)
{
    struct run *r = owner;
    if (signal_number != SIGHUP)
        io_loop_stop(r->loop);
}

static void on_listening(void *owner, const struct io_addr *addr)
{
    static const char *const likes[] = {"vllm", "llamacpp", "kserve"};
    struct run *r = owner;
    const struct server_cfg *cfg = &r->options.server;
    char text[IO_ADDR_TEXT_SIZE];
    io_addr_to_text(addr, text);
    printf("ready http=%s like=%s profile=%s model=", text, likes[cfg->like],
           cfg->engine.profile->name);
    for (size_t i = 0; i < cfg->engine.model_count; i++)
        printf("%s%s", i ? "," : "", cfg->engine.models[i].name);
    printf("\n");
    fflush(stdout);
}

static void on_reclaimed(void *owner)
{
    io_loop_stop(((struct run *)owner)->loop);
}

static void write_ended(struct json *j, const struct run *r, const struct server_ended *x)
{
    json_open(j, '{');
    json_put_uint(j, "ended_ms", io_wall_ms(r->loop));
    json_put_uint(j, "id", x->id);
    json_put_str(j, "mark", x->mark);
    json_put_str(j, "model", x->model);
    json_put_str(j, "outcome", x->outcome);
    json_put_uint(j, "prompt", x->prompt);
    json_put_uint(j, "cached", x->cached);
    json_put_uint(j, "output", x->output);
    json_close(j, '}');
}

/* Flushed at once: the process may be killed any moment, and that is part of the game. */
static void on_ended(void *owner, const struct server_ended *x)
{
    struct run *r = owner;
    uint8_t storage[512];
    struct buf line;
    struct json j;
    if (!r->history)
        return;
    buf_init_fixed(&line, storage, sizeof storage - 1);
    json_begin(&j, &line);
    write_ended(&j, r, x);
    if (json_end(&j) != ERR_OK)
        return; /* a name beyond all measure */
    line.data[line.size++] = '\n';
    if (fwrite(line.data, 1, line.size, r->history) != line.size || fflush(r->history) != 0) {
        fprintf(stderr, "grapevine-engine: the history is not whole: is there room?\n");
        io_loop_stop(r->loop);
    }
}

static void print_list(void)
{
    const struct profile *p;
    const struct shape *s;
    printf("profiles: name, GB/s, TFLOPS, GiB, batch, source\n");
    for (size_t i = 0; (p = profile_at(i)); i++)
        printf("  %-12s %6.0f %6.1f %4.0f %4u  %s\n", p->name, p->bandwidth_gbs, p->tflops,
               p->memory_gib, p->sequences_max, p->source);
    printf("shapes: name, 10^9 parameters, bits, context, KV bytes a token\n");
    for (size_t i = 0; (s = shape_at(i)); i++)
        printf("  %-18s %6.3f %2u %7u %7u\n", s->name, s->params_billion, s->weight_bits,
               s->context, s->kv_bytes);
}

static void print_help(void)
{
    printf("usage: grapevine-engine [FLAG]...   an emulated inference engine\n");
    for (const struct flag *f = options_table; f->name; f++)
        printf("  %s%s%s\n        %s\n", f->name, f->value ? " " : "", f->value ? f->value : "",
               f->help);
}

static int serve(struct run *r)
{
    r->server.owner = r;
    r->server.on_listening = on_listening;
    r->server.on_reclaimed = on_reclaimed;
    r->server.on_ended = on_ended;
    enum err e = server_open(&r->server, r->loop, &r->options.server);
    if (e != ERR_OK) {
        fprintf(stderr, "grapevine-engine: cannot start: %s: %s\n", err_text(e),
                e == ERR_LIMIT ? "the model does not fit this profile's memory"
                               : "choose another --host or --port");
        return 1;
    }
    for (size_t i = 0; i < r->options.fault_count && e == ERR_OK; i++)
        e = server_add_fault(&r->server, &r->options.faults[i]);
    if (e == ERR_OK)
        io_loop_run(r->loop);
    server_close(&r->server);
    return e == ERR_OK ? 0 : 1;
}

static int run(struct run *r, const char *history)
{
    if (history && !(r->history = fopen(history, "ab"))) {
        fprintf(stderr, "grapevine-engine: cannot write the history: %s: look at the path\n",
                history);
        return 1;
    }
    if (io_loop_create(&r->loop) != ERR_OK)
        return 1;
    int status = 1;
    if (io_signals_open(r->loop, on_signal, r, &r->signals) == ERR_OK) {
        status = serve(r);
        io_signals_close(r->signals);
    }
    io_loop_destroy(r->loop);
    if (r->history)
        (void)fclose(r->history); /* every line of it was flushed */
    return status;
}

int main(int argc, char **argv)
{
    char text[MESSAGE_MAX];
    struct buf message;
    struct flags flags;
    buf_init_fixed(&message, (uint8_t *)text, sizeof text - 1);
    struct run *r = calloc(1, sizeof *r);
    enum err e =
        r ? flags_parse(argc - 1, argv + 1, options_table, &flags, &message) : ERR_NO_MEMORY;
    bool is_asked = e == ERR_OK && (flags_has(&flags, "--help") || flags_has(&flags, "--list"));
    if (e == ERR_OK && !is_asked)
        e = options_read(&flags, &r->options, &message);
    text[message.size] = 0;
    int status = 2;
    if (is_asked) {
        (flags_has(&flags, "--list") ? print_list : print_help)();
        status = 0;
    } else if (e != ERR_OK) {
        fprintf(stderr, "grapevine-engine: %s\n", message.size ? text : err_text(e));
    } else {
        status = run(r, flags_get(&flags, "--history"));
    }
    free(r);
    return status;
}
