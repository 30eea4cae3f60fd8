/* Somebody sits on the wire between two nodes and alters, repeats, drops, swaps or cuts frames: the
 * link ends, nothing wrong is ever delivered, and the next link works. */
#include "tests/unit/node/sim_test_mesh_world.h"

enum mischief {
    MISCHIEF_NONE,
    MISCHIEF_ALTER,
    MISCHIEF_LENGTH,
    MISCHIEF_REPEAT,
    MISCHIEF_DROP,
    MISCHIEF_SWAP,
    MISCHIEF_CUT
};

/* One direction of the pipe. */
struct half {
    struct pipe *pipe;
    struct io_stream *stream; /* what it reads from */
    struct half *other;
    struct buf in;
    struct buf kept; /* a frame to be swapped with the next one */
    int frames;
};

struct pipe {
    struct half halves[2]; /* from the dialler, from the acceptor */
    bool is_open;
};

static struct world w;
static struct node *const a = &w.nodes[0], *const b = &w.nodes[1];
static struct pipe man;
static struct io_loop *man_loop;
static struct io_listener *man_listener;
static struct {
    enum mischief what;
    int half;
    int frame; /* 0: the handshake's first */
    size_t at;
    int done;
} plan;

static void man_close(void)
{
    for (int i = 0; i < 2; i++) {
        struct half *h = &man.halves[i];
        if (!man.is_open)
            continue;
        io_stream_close(h->stream);
        buf_fini(&h->in);
        buf_fini(&h->kept);
    }
    man.is_open = false;
}

static void pass(struct half *h, struct bytes frame)
{
    io_stream_write(h->other->stream, &frame, 1);
    if (h->kept.size) {
        struct bytes kept = buf_bytes(&h->kept);
        io_stream_write(h->other->stream, &kept, 1);
        buf_clear(&h->kept);
    }
}

/* False when the pipe was cut. */
static bool do_mischief(struct half *h, uint8_t *frame, size_t size)
{
    plan.done++;
    switch (plan.what) {
    case MISCHIEF_ALTER: frame[2 + plan.at % (size - 2)] ^= 0x08; break;
    case MISCHIEF_LENGTH: frame[1] ^= 0x08; break;
    case MISCHIEF_REPEAT: pass(h, bytes_of(frame, size)); break;
    case MISCHIEF_DROP: return true;
    case MISCHIEF_SWAP:
        assert_int_equal(buf_append(&h->kept, bytes_of(frame, size)), ERR_OK);
        return true;
    default:
        io_stream_write(h->other->stream, &(struct bytes){frame, size / 2}, 1);
        io_stream_close_gracefully(h->other->stream, 1000);
        h->other->stream = NULL;
        man_close();
        return false;
    }
    pass(h, bytes_of(frame, size));
    return true;
}

static void on_read(void *owner, struct bytes data)
{
    struct half *h = owner;
    assert_int_equal(buf_append(&h->in, data), ERR_OK);
    while (h->in.size >= 2) {
        size_t size = 2 + ((size_t)h->in.data[0] << 8 | h->in.data[1]);
        if (h->in.size < size)
            return;
        bool is_it =
            plan.what && !plan.done && h == &man.halves[plan.half] && h->frames == plan.frame;
        h->frames++;
        if (!is_it)
            pass(h, bytes_of(h->in.data, size));
        else if (!do_mischief(h, h->in.data, size))
            return;
        buf_consume(&h->in, size);
    }
}

static void on_end(void *owner)
{
    man_close();
}

static void on_fail(void *owner, enum err e)
{
    man_close();
}

static void on_open(void *owner, enum err e)
{
    if (e != ERR_OK)
        man_close();
}

static void on_drain(void *owner) {}

static const struct io_stream_ops man_ops = {on_open, on_read, on_end, on_drain, on_fail};

static void on_accept(void *owner, struct io_stream *stream)
{
    struct io_addr addr;
    man_close();
    assert_int_equal(io_addr_parse(BYTES("10.0.0.2:7300"), &addr), ERR_OK);
    man.is_open = true;
    for (int i = 0; i < 2; i++) {
        man.halves[i] = (struct half){.pipe = &man, .other = &man.halves[1 - i]};
        buf_init(&man.halves[i].in, 1 << 20);
        buf_init(&man.halves[i].kept, 1 << 20);
    }
    man.halves[0].stream = stream;
    io_stream_set(stream, &man_ops, &man.halves[0]);
    assert_int_equal(io_connect(man_loop, &addr, &man_ops, &man.halves[1], &man.halves[1].stream),
                     ERR_OK);
    io_stream_read(man.halves[0].stream);
    io_stream_read(man.halves[1].stream);
}

static int set_up(void **state)
{
    struct io_addr addr;
    world_init(&w, 5);
    memset(&plan, 0, sizeof(plan));
    node_contact(world_node(&w, 0), "10.0.0.3:7300");
    world_node(&w, 1);
    assert_int_equal(sim_host_create(w.sim, "man", "10.0.0.3", &man_loop), ERR_OK);
    assert_int_equal(io_addr_parse(BYTES("0.0.0.0:7300"), &addr), ERR_OK);
    assert_int_equal(io_listen(man_loop, &addr, on_accept, NULL, &man_listener), ERR_OK);
    node_open(a);
    node_open(b);
    return 0;
}

static int tear_down(void **state)
{
    man_close();
    io_listener_close(man_listener);
    world_fini(&w);
    return 0;
}

/* From now on, the nth frame from now of that direction. */
static void plan_mischief(enum mischief what, int half, int frame, size_t at)
{
    plan.done = 0;
    plan.what = what;
    plan.half = half;
    plan.frame = man.is_open ? man.halves[half].frames + frame : frame;
    plan.at = at;
}

static void a_man_who_only_passes_on_is_harmless(void **state)
{
    struct call c = {.tag = 1};
    world_link(&w);
    assert_int_equal(call_start(&c, node_peer(a, b), "/echo", 300000), ERR_OK);
    WORLD_UNTIL(&w, c.closes);
    assert_true(call_is_good(&c));
}

/* Mischief with a record in the middle of a stream, then a clean link. */
static void assert_record_mischief_ends_the_link(enum mischief what, int half, size_t at)
{
    struct call c = {.tag = 1}, next = {.tag = 2};
    world_link(&w);
    uint64_t up = node_counts(a).links_up;
    plan_mischief(what, half, 3, at);
    assert_int_equal(call_start(&c, node_peer(a, b), "/echo", 300000), ERR_OK);
    WORLD_UNTIL(&w, c.closes && plan.done);
    assert_int_equal(c.reason, ERR_LINK_LOST);
    assert_false(c.mismatch);
    WORLD_UNTIL(&w, node_counts(a).links_up > up && node_knows(a, b) && node_knows(b, a));
    assert_int_equal(call_start(&next, node_peer(a, b), "/echo", 300000), ERR_OK);
    WORLD_UNTIL(&w, next.closes);
    assert_true(call_is_good(&next));
}

static void an_altered_record_ends_the_link(void **state)
{
    for (size_t at = 0; at < 60; at += 7)
        assert_record_mischief_ends_the_link(MISCHIEF_ALTER, (int)(at % 2), at);
    assert_int_equal(node_counts(a).records_bad + node_counts(b).records_bad, 9);
}

static void a_false_length_ends_the_link(void **state)
{
    assert_record_mischief_ends_the_link(MISCHIEF_LENGTH, 0, 0);
    assert_record_mischief_ends_the_link(MISCHIEF_LENGTH, 1, 0);
}

static void a_replayed_record_ends_the_link(void **state)
{
    assert_record_mischief_ends_the_link(MISCHIEF_REPEAT, 0, 0);
    assert_record_mischief_ends_the_link(MISCHIEF_REPEAT, 1, 0);
    assert_int_equal(node_counts(a).records_bad + node_counts(b).records_bad, 2);
}

static void a_dropped_record_ends_the_link_at_the_next_one(void **state)
{
    assert_record_mischief_ends_the_link(MISCHIEF_DROP, 0, 0);
    assert_record_mischief_ends_the_link(MISCHIEF_DROP, 1, 0);
}

static void swapped_records_end_the_link(void **state)
{
    assert_record_mischief_ends_the_link(MISCHIEF_SWAP, 0, 0);
    assert_record_mischief_ends_the_link(MISCHIEF_SWAP, 1, 0);
}

static void a_link_cut_inside_a_record_ends_it(void **state)
{
    assert_record_mischief_ends_the_link(MISCHIEF_CUT, 0, 0);
    assert_record_mischief_ends_the_link(MISCHIEF_CUT, 1, 0);
}

/* Makes a dial again and spoils one of its handshake's messages. */
static void assert_handshake_mischief_is_refused(enum mischief what, int half, int frame, size_t at)
{
    world_link(&w);
    uint64_t up = node_counts(a).links_up + node_counts(b).links_up;
    plan_mischief(MISCHIEF_NONE, 0, 0, 0);
    man_close();
    plan_mischief(what, half, frame, at);
    WORLD_UNTIL(&w, plan.done);
    world_run(&w, 20 * MS);
    assert_int_equal(node_counts(a).links_up + node_counts(b).links_up, up);
    assert_false(node_knows(a, b) || node_knows(b, a));
}

static void an_altered_handshake_is_refused_and_the_next_one_works(void **state)
{
    for (size_t at = 0; at < 800; at += 41) {
        assert_handshake_mischief_is_refused(MISCHIEF_ALTER, 0, 0, at);
        assert_handshake_mischief_is_refused(MISCHIEF_ALTER, 1, 0, at);
        assert_handshake_mischief_is_refused(MISCHIEF_ALTER, 0, 1, at);
    }
    world_link(&w);
}

static void a_repeated_or_dropped_handshake_message_is_refused(void **state)
{
    for (int frame = 0; frame < 2; frame++)
        assert_handshake_mischief_is_refused(MISCHIEF_DROP, 0, frame, 0);
    assert_handshake_mischief_is_refused(MISCHIEF_REPEAT, 0, 0, 0);
    assert_handshake_mischief_is_refused(MISCHIEF_DROP, 1, 0, 0);
    world_link(&w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_man_who_only_passes_on_is_harmless),
        TEST(an_altered_record_ends_the_link),
        TEST(a_false_length_ends_the_link),
        TEST(a_replayed_record_ends_the_link),
        TEST(a_dropped_record_ends_the_link_at_the_next_one),
        TEST(swapped_records_end_the_link),
        TEST(a_link_cut_inside_a_record_ends_it),
        TEST(an_altered_handshake_is_refused_and_the_next_one_works),
        TEST(a_repeated_or_dropped_handshake_message_is_refused),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
