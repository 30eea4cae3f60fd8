/* The raw client of hop_world.h: one connection at a time, to a node or to its control socket. */
#ifndef TESTS_UNIT_NODE_HOP_CLIENT_H
#define TESTS_UNIT_NODE_HOP_CLIENT_H

#include "tests/unit/node/hop_engine.h"

static inline void client_on_read(void *owner, struct bytes data)
{
    assert_int_equal(buf_append(&((struct end *)owner)->in, data), ERR_OK);
}

static inline void client_on_eof(void *owner)
{
    ((struct end *)owner)->is_over = true;
}

static inline void client_on_fail(void *owner, enum err e)
{
    (void)e;
    ((struct end *)owner)->is_over = true;
}

static const struct io_stream_ops client_ops = {NULL, client_on_read, client_on_eof, NULL,
                                                client_on_fail};

static inline bool got(struct world *w, const char *text)
{
    struct bytes all = buf_bytes(&w->client.in);
    size_t size = strlen(text);
    for (; all.size >= size; all = bytes_skip(all, 1))
        if (memcmp(all.data, text, size) == 0)
            return true;
    return false;
}

#define UNTIL(w, cond)                                                                             \
    do {                                                                                           \
        uint64_t give_up_us_ = sim_world_now_us((w)->sim) + 60 * SECOND;                           \
        while (!(cond)) {                                                                          \
            if (sim_world_now_us((w)->sim) > give_up_us_)                                          \
                fail_msg("never came true: %s", #cond);                                            \
            sim_world_run_until((w)->sim, sim_world_now_us((w)->sim) + MS);                        \
        }                                                                                          \
    } while (0)

static inline void run_for(struct world *w, uint64_t us)
{
    sim_world_run_until(w->sim, sim_world_now_us(w->sim) + us);
}

/* Sends one request on a connection of its own. */
static inline void ask_from(struct world *w, struct io_loop *loop, const struct io_addr *addr,
                            const char *request)
{
    hang_up(&w->client);
    buf_clear(&w->client.in);
    w->client.is_over = false;
    assert_int_equal(io_connect(loop, addr, &client_ops, &w->client, &w->client.stream), ERR_OK);
    io_stream_read(w->client.stream);
    say(&w->client, request);
}

/* ... to a node, from its own host. */
static inline void ask_at(struct world *w, struct side *side, const char *request)
{
    struct io_addr addr;
    assert_int_equal(io_addr_parse(bytes_from_str(node_http_addr(side->node)), &addr), ERR_OK);
    ask_from(w, side->loop, &addr, request);
}

/* ... to its control socket. */
static inline void ask_control(struct world *w, struct side *side, const char *request)
{
    struct io_addr addr;
    assert_int_equal(io_addr_unix(HOP_CONTROL, &addr), ERR_OK);
    ask_from(w, side->loop, &addr, request);
}

static inline void ask(struct world *w, const char *request)
{
    ask_at(w, &w->edge, request);
}

#endif
