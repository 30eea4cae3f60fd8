/* Starting again without a contact: whom a node remembers, when it dials them, and what a damaged
 * list does. */
#include "tests/unit/node/sim_test_mesh_world.h"

static struct world w;
static struct node *const a = &w.nodes[0], *const b = &w.nodes[1], *const c = &w.nodes[2];
static struct buf kept; /* what c gave out last, and how often */
static unsigned kept_count;
static enum err keeps;

static enum err keep(void *owner, struct bytes text)
{
    if (keeps != ERR_OK)
        return keeps;
    kept_count++;
    buf_clear(&kept);
    return buf_append(&kept, text);
}

static const struct mesh_ops keeping_ops = {.on_request = node_on_request,
                                            .facts = node_facts,
                                            .on_peer = node_on_peer,
                                            .persist_remembered = keep};

static void open_c(void)
{
    assert_int_equal(mesh_open(&c->cfg, &keeping_ops, c, &c->mesh), ERR_OK);
}

static bool all_know_each_other(void)
{
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)
            if (i != k && !node_knows(&w.nodes[i], &w.nodes[k]))
                return false;
    return true;
}

/* All list b; nobody can dial c. */
static int set_up(void **state)
{
    static const char *const advertised[] = {"a:7300", "b:7300", "none"};
    world_init(&w, 1);
    buf_init(&kept, 65536);
    kept_count = 0;
    keeps = ERR_OK;
    for (size_t i = 0; i < 3; i++) {
        struct node *n = world_node(&w, i);
        n->cfg.advertise = advertised[i];
        if (i != 1)
            node_contact(n, "b:7300");
    }
    node_open(a);
    node_open(b);
    open_c();
    WORLD_UNTIL(&w, all_know_each_other());
    return 0;
}

static int tear_down(void **state)
{
    world_fini(&w);
    buf_fini(&kept);
    return 0;
}

/* c stops, b dies for good, c starts again with what it kept or with something else. */
static void c_again(struct bytes remembered)
{
    sim_host_crash(w.sim, "b", SIM_CRASH_KILL);
    node_stop(c);
    world_run(&w, 10 * SECOND);
    c->cfg.remembered = remembered;
    open_c();
}

static bool keeps_line(const char *line)
{
    return memmem(kept.data, kept.size, line, strlen(line)) != NULL;
}

static void members_that_can_be_dialled_are_given_out_once(void **state)
{
    world_run(&w, 10 * SECOND);
    assert_int_equal(kept_count, 1);
    assert_true(keeps_line("a:7300\n") && keeps_line("b:7300\n"));
    assert_int_equal(kept.size, 2 * strlen("a:7300\n"));
    world_run(&w, 300 * SECOND);
    assert_int_equal(kept_count, 1);
}

static void without_its_contacts_a_node_is_lost(void **state)
{
    c_again(BYTES(""));
    world_run(&w, 60 * SECOND);
    assert_null(node_peer(a, c)->link);
    assert_int_equal(mesh_peer_count(c->mesh), 0);
}

static void what_it_remembers_leads_it_back(void **state)
{
    world_run(&w, 10 * SECOND);
    c_again(buf_bytes(&kept));
    WORLD_UNTIL(&w, node_knows(a, c) && node_knows(c, a));
    world_run(&w, 10 * SECOND);
    assert_true(keeps_line("a:7300\n"));
}

/* The operator's word comes first. */
static void listed_contacts_are_tried_alone_for_a_while(void **state)
{
    node_stop(c);
    world_run(&w, 10 * SECOND);
    c->cfg.remembered = BYTES("a:7300\n");
    open_c();
    world_run(&w, 1 * SECOND);
    assert_true(node_knows(c, b));
    world_run(&w, 30 * SECOND);
    assert_int_equal(node_logged(c, "link_up peer=node-a addr=a:7300 dialled=true"), 0);
}

static void of_a_damaged_list_the_good_lines_are_used(void **state)
{
    c_again(BYTES("\xff\xfe\n:\n\nnowhere:99999\na:7300\n[::1:7\nb"));
    WORLD_UNTIL(&w, node_knows(a, c) && node_knows(c, a));
    assert_int_equal(node_logged(c, "WARN remembered_peers_damaged lines_ignored=6 lines_used=1"),
                     1);
}

static void a_list_without_end_is_bounded(void **state)
{
    static char text[1 << 20];
    for (size_t i = 0; i + 8 <= sizeof(text); i += 8)
        memcpy(text + i, i % 16 ? "a:7300\n\n" : "zz:7300\n", 8);
    c_again(bytes_of(text, sizeof(text)));
    assert_true(c->mesh->contact_count <= 1 + MESH_REMEMBERED_MAX);
    WORLD_UNTIL(&w, node_knows(a, c));
}

static void what_cannot_be_kept_is_said_and_stops_nothing(void **state)
{
    keeps = ERR_DISK_FULL;
    world_run(&w, 70 * SECOND);
    assert_true(node_logged(c, "WARN peers_not_remembered") >= 1);
    assert_true(node_logged(c, "WARN peers_not_remembered") <= 3);
    keeps = ERR_OK;
    world_run(&w, 70 * SECOND);
    assert_int_equal(kept_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_that_can_be_dialled_are_given_out_once),
        TEST(without_its_contacts_a_node_is_lost),
        TEST(what_it_remembers_leads_it_back),
        TEST(listed_contacts_are_tried_alone_for_a_while),
        TEST(of_a_damaged_list_the_good_lines_are_used),
        TEST(a_list_without_end_is_bounded),
        TEST(what_cannot_be_kept_is_said_and_stops_nothing),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
