/* The key ring on its way through a mesh: by links, by dialling, against older, forged and
 * competing ones, and without anybody falling silent. */
#include "node/mesh/orders.h"
#include "tests/unit/node/sim_test_mesh_world.h"

static struct world w;
static struct node *const a = &w.nodes[0], *const b = &w.nodes[1], *const d = &w.nodes[3];
static uint8_t rings[8][KEYRING_SIZE_MAX]; /* [version]; 7: another one of version 2 */
static size_t ring_sizes[8];
static uint64_t saved[NODES_MAX]; /* version */

static void make_ring(size_t index, const struct keyring *previous, uint8_t mesh)
{
    struct fixture f;
    uint8_t space[CERT_CHAIN_SIZE_MAX];
    struct buf chain, out;
    fixture_init(&f, mesh);
    buf_init_fixed(&chain, space, sizeof(space));
    fixture_chain(&f, 1, &chain);
    struct keyring_author author = {
        .seed = f.admin.seed, .root = f.root.public_key, .chain = buf_bytes(&chain)};
    buf_init_fixed(&out, rings[index], sizeof(rings[index]));
    assert_int_equal(keyring_make(&author, previous, FIXTURE_NOW_MS + index, &out), ERR_OK);
    ring_sizes[index] = out.size;
}

static struct bytes ring(size_t index)
{
    return bytes_of(rings[index], ring_sizes[index]);
}

static void make_rings(void)
{
    struct keyring previous;
    make_ring(1, NULL, 1);
    for (size_t version = 2; version <= 4; version++) {
        assert_int_equal(keyring_decode(ring(version - 1), &previous), ERR_OK);
        make_ring(version, &previous, 1);
    }
    assert_int_equal(keyring_decode(ring(1), &previous), ERR_OK);
    make_ring(7, &previous, 1);
}

static enum err save(void *owner, struct bytes wire)
{
    struct keyring r;
    TRY(keyring_decode(wire, &r));
    saved[(struct node *)owner - w.nodes] = r.version;
    return ERR_OK;
}

static const struct mesh_ops ops = {.on_request = node_on_request,
                                    .facts = node_facts,
                                    .on_peer = node_on_peer,
                                    .persist_keyring = save};

static void open_with(struct node *n, struct bytes wire)
{
    n->cfg.keyring = wire;
    memset(n->cfg.gossip_key, n->identity.node.bytes[0], sizeof(n->cfg.gossip_key));
    assert_int_equal(mesh_open(&n->cfg, &ops, n, &n->mesh), ERR_OK);
}

/* All of them know b alone, and nobody executes anything, so that there are no more links than
 * contacts. */
static int set_up(void **state)
{
    static const char *const addresses[NODES_MAX] = {"a:7300", "b:7300", "c:7300", "d:7300"};
    world_init(&w, 1);
    memset(saved, 0, sizeof(saved));
    make_rings();
    for (size_t i = 0; i < NODES_MAX; i++) {
        struct node *n = world_node(&w, i);
        n->facts.load = (struct facts_load){0};
        n->cfg.advertise = addresses[i];
        if (n != b)
            node_contact(n, "b:7300");
    }
    return 0;
}

static int tear_down(void **state)
{
    world_fini(&w);
    return 0;
}

static void open_all(struct bytes wire)
{
    for (size_t i = 0; i < NODES_MAX; i++)
        open_with(&w.nodes[i], wire);
}

static uint64_t version_of(const struct node *n)
{
    struct mesh_keys_state s;
    mesh_keys_state(n->mesh, &s);
    return s.version;
}

static bool all_have(uint64_t version)
{
    bool is_so = true;
    for (size_t i = 0; i < NODES_MAX; i++)
        is_so = is_so && version_of(&w.nodes[i]) == version;
    return is_so;
}

static size_t having(const struct node *n)
{
    struct mesh_keys_state s;
    mesh_keys_state(n->mesh, &s);
    return s.having;
}

static bool all_see_all(void)
{
    for (size_t i = 0; i < NODES_MAX; i++)
        for (size_t j = 0; j < NODES_MAX; j++)
            if (i != j && !node_sees(&w.nodes[i], &w.nodes[j], PEER_ALIVE))
                return false;
    return true;
}

static void a_ring_reaches_all_and_is_stored(void **state)
{
    open_all(bytes_of(NULL, 0));
    WORLD_UNTIL(&w, all_see_all());
    assert_true(all_have(0));
    assert_int_equal(mesh_keys_take(a->mesh, ring(1)), ERR_OK);
    WORLD_UNTIL(&w, all_have(1));
    for (size_t i = 0; i < NODES_MAX; i++) {
        assert_int_equal(saved[i], 1);
        assert_true(bytes_equal(mesh_keys(w.nodes[i].mesh), ring(1)));
    }
}

static void a_newcomer_gets_the_ring_over_its_first_link(void **state)
{
    open_with(b, ring(3));
    open_with(a, bytes_of(NULL, 0));
    WORLD_UNTIL(&w, version_of(a) == 3);
    assert_int_equal(saved[0], 3);
    assert_int_equal(saved[1], 0); /* it had it already */
    open_with(&w.nodes[2], bytes_of(NULL, 0));
    open_with(d, bytes_of(NULL, 0));
    WORLD_UNTIL(&w, all_have(3));
}

static void whoever_dials_the_newer_ring_stays(void **state)
{
    open_with(b, ring(2));
    open_with(a, ring(4));
    WORLD_UNTIL(&w, version_of(b) == 4);
    open_with(d, ring(1));
    WORLD_UNTIL(&w, version_of(d) == 4);
    assert_int_equal(version_of(a), 4);
    open_with(&w.nodes[2], ring(4));
    world_run(&w, 5 * SECOND);
    assert_true(all_have(4));
}

static void an_operators_node_tells_members_that_it_has_no_link_with(void **state)
{
    open_all(ring(1));
    WORLD_UNTIL(&w, all_see_all());
    world_run(&w, 2 * MESH_IDLE_MS * MS);
    assert_null(node_peer(a, d)->link);
    assert_int_equal(mesh_keys_take(a->mesh, ring(2)), ERR_OK);
    WORLD_UNTIL(&w, having(a) == NODES_MAX);
    assert_true(all_have(2));
}

static void an_older_or_the_same_ring_changes_nothing(void **state)
{
    open_all(ring(2));
    assert_int_equal(mesh_keys_take(a->mesh, ring(1)), ERR_REPLAYED);
    assert_int_equal(mesh_keys_take(a->mesh, ring(2)), ERR_REPLAYED);
    assert_int_equal(version_of(a), 2);
}

static void another_meshs_ring_is_refused(void **state)
{
    make_ring(5, NULL, 2);
    open_all(ring(1));
    WORLD_UNTIL(&w, all_see_all());
    rings[4][ring_sizes[4] / 2] ^= 1;
    assert_int_not_equal(mesh_keys_take(a->mesh, ring(4)), ERR_OK);
    assert_int_equal(version_of(a), 1);
    assert_int_equal(mesh_keys_take(a->mesh, ring(5)), ERR_WRONG_MESH);
    struct keyring other, next;
    assert_int_equal(keyring_decode(ring(5), &other), ERR_OK);
    make_ring(6, &other, 2);
    assert_int_equal(keyring_decode(ring(6), &next), ERR_OK);
    assert_int_equal(next.version, 2);
    assert_int_equal(mesh_keys_take(a->mesh, ring(6)), ERR_WRONG_MESH);
    assert_int_equal(version_of(a), 1);
}

/* What a node that lies would send; it could not have taken it itself. */
static void a_forged_ring_from_a_peer_is_refused_and_said(void **state)
{
    make_ring(5, NULL, 2);
    open_with(a, bytes_of(NULL, 0));
    memcpy(a->mesh->keys.wire, rings[5], ring_sizes[5]);
    a->mesh->keys.size = ring_sizes[5];
    open_with(b, bytes_of(NULL, 0));
    WORLD_UNTIL(&w, node_logged(b, "key_ring_refused") >= 1);
    world_run(&w, 5 * SECOND);
    assert_int_equal(version_of(b), 0);
    assert_int_equal(node_logged(b, "key_ring_refused"), 1); /* told again only after a while */
    open_with(&w.nodes[2], bytes_of(NULL, 0));
    open_with(d, bytes_of(NULL, 0));
}

static void garbage_for_a_ring_is_answered_and_forgotten(void **state)
{
    struct call some = {.tag = 1}, much = {.tag = 2};
    open_all(ring(1));
    WORLD_UNTIL(&w, node_peer(a, b) && mesh_peer_is_usable(node_peer(a, b)));
    assert_int_equal(call_start(&some, node_peer(a, b), KEYS_TARGET, 500), ERR_OK);
    assert_int_equal(call_start(&much, node_peer(a, b), KEYS_TARGET, 2 * KEYRING_SIZE_MAX), ERR_OK);
    WORLD_UNTIL(&w, some.closes && much.closes);
    assert_int_equal(some.status, 400);
    assert_int_equal(much.status, 413);
    assert_true(all_have(1));
}

static void of_two_rings_made_at_once_all_keep_the_same(void **state)
{
    open_all(ring(1));
    WORLD_UNTIL(&w, all_see_all());
    assert_int_equal(mesh_keys_take(a->mesh, ring(2)), ERR_OK);
    assert_int_equal(mesh_keys_take(d->mesh, ring(7)), ERR_OK);
    world_run(&w, 10 * SECOND);
    for (size_t i = 0; i < NODES_MAX; i++)
        assert_true(bytes_equal(mesh_keys(w.nodes[i].mesh), ring(7)));
    WORLD_UNTIL(&w, having(a) == NODES_MAX && having(d) == NODES_MAX);
}

static uint64_t datagrams_refused(void)
{
    uint64_t sum = 0;
    struct gossip_counts counts;
    for (size_t i = 0; i < NODES_MAX; i++) {
        mesh_gossip_counts(w.nodes[i].mesh, &counts);
        sum += counts.datagrams_refused;
    }
    return sum;
}

/* While the new ring goes from node to node, and there are no links to wait for it on. */
static void no_datagram_is_lost_to_a_rotation(void **state)
{
    open_all(ring(1));
    WORLD_UNTIL(&w, all_see_all());
    world_run(&w, 2 * MESH_IDLE_MS * MS);
    assert_int_equal(node_links(a), 0);
    uint64_t refused = datagrams_refused();
    assert_int_equal(mesh_keys_take(a->mesh, ring(2)), ERR_OK);
    world_run(&w, 30 * SECOND);
    assert_int_equal(datagrams_refused(), refused);
    assert_int_equal(mesh_keys_take(d->mesh, ring(3)), ERR_OK);
    world_run(&w, 30 * SECOND);
    assert_int_equal(datagrams_refused(), refused);
    assert_true(all_have(3) && all_see_all());
    for (size_t i = 0; i < NODES_MAX; i++)
        assert_memory_equal(w.nodes[i].mesh->gossip.keys[0], w.nodes[i].mesh->keys.ring.keys[0],
                            KEYRING_KEY_SIZE);
}

static const uint8_t *sealing_key(const struct node *n)
{
    return n->mesh->gossip.keys[0];
}

static void a_new_key_is_understood_at_once_and_spoken_later(void **state)
{
    struct keyring one, two, four;
    assert_int_equal(keyring_decode(ring(1), &one), ERR_OK);
    assert_int_equal(keyring_decode(ring(2), &two), ERR_OK);
    assert_int_equal(keyring_decode(ring(4), &four), ERR_OK);
    open_all(ring(1));
    assert_memory_equal(sealing_key(a), one.keys[0], KEYRING_KEY_SIZE);
    assert_int_equal(mesh_keys_take(a->mesh, ring(2)), ERR_OK);
    assert_int_equal(a->mesh->gossip.key_count, 2);
    assert_memory_equal(sealing_key(a), one.keys[0], KEYRING_KEY_SIZE);
    assert_memory_equal(a->mesh->gossip.keys[1], two.keys[0], KEYRING_KEY_SIZE);
    world_run(&w, (KEYS_SETTLE_MS + 10) * MS);
    assert_memory_equal(sealing_key(a), two.keys[0], KEYRING_KEY_SIZE);
    /* Nobody that we could speak to by the old key: no reason to wait. */
    assert_int_equal(mesh_keys_take(a->mesh, ring(4)), ERR_OK);
    assert_memory_equal(sealing_key(a), four.keys[0], KEYRING_KEY_SIZE);
}

static void a_ring_that_is_not_valid_at_the_start_is_left_aside(void **state)
{
    make_ring(5, NULL, 2);
    open_with(a, ring(5));
    assert_int_equal(version_of(a), 0);
    assert_int_equal(node_logged(a, "key_ring_not_valid"), 1);
    open_with(b, ring(1));
    WORLD_UNTIL(&w, version_of(a) == 1);
    open_with(&w.nodes[2], ring(1));
    open_with(d, ring(1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ring_reaches_all_and_is_stored),
        TEST(a_newcomer_gets_the_ring_over_its_first_link),
        TEST(whoever_dials_the_newer_ring_stays),
        TEST(an_operators_node_tells_members_that_it_has_no_link_with),
        TEST(an_older_or_the_same_ring_changes_nothing),
        TEST(another_meshs_ring_is_refused),
        TEST(a_forged_ring_from_a_peer_is_refused_and_said),
        TEST(garbage_for_a_ring_is_answered_and_forgotten),
        TEST(of_two_rings_made_at_once_all_keep_the_same),
        TEST(no_datagram_is_lost_to_a_rotation),
        TEST(a_new_key_is_understood_at_once_and_spoken_later),
        TEST(a_ring_that_is_not_valid_at_the_start_is_left_aside),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
