/* Plays the scripts of tests/sim/golden: lines that begin with "$ " are orders, what follows is
 * what must then happen, word for word. GOLDEN_REWRITE=1 writes down what happened instead; whoever
 * does that reads the difference. Orders are in play_one below. */
#include "stage_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct stage stage;

/* --- effects of a step */

static void step(struct actor *a, struct raft_event *event);

static void say_applied(struct actor *a, const struct raft_effects *e)
{
    if (!e->apply_first)
        return;
    fprintf(stage.out, "%c applies", a->name);
    for (uint64_t i = e->apply_first; i <= e->apply_last; i++) {
        struct bytes record;
        CHECK(raft_record(a->core, i, &record) == ERR_OK);
        stage_say_record(stage.out, record);
    }
    fprintf(stage.out, "\n");
}

static void say_answers(struct actor *a, const struct raft_effects *e)
{
    for (size_t i = 0; i < e->change_count; i++)
        fprintf(stage.out, "%c is %s in term %llu, leader %c (%s)\n", a->name,
                raft_role_name(e->changes[i].role), (ull)e->changes[i].term,
                stage_name(&e->changes[i].leader), raft_reason_name(e->changes[i].reason));
    for (size_t i = 0; i < e->outcome_count; i++)
        fprintf(stage.out, "%c answers #%llu: %s, index %llu\n", a->name, (ull)e->outcomes[i].tag,
                err_word(e->outcomes[i].err), (ull)e->outcomes[i].index);
    for (size_t i = 0; i < e->read_count; i++)
        fprintf(stage.out, "%c read #%llu: %s, index %llu\n", a->name, (ull)e->reads[i].tag,
                err_word(e->reads[i].err), (ull)e->reads[i].index);
    if (e->wants_snapshot)
        fprintf(stage.out, "%c wants a snapshot\n", a->name);
    if (e->install)
        fprintf(stage.out, "%c installs the snapshot of %llu\n", a->name,
                (ull)e->install->base.index);
    if (e->stop != ERR_OK)
        fprintf(stage.out, "%c stops: %s\n", a->name, err_word(e->stop));
}

static void post_letters(struct actor *a, const struct raft_effects *e)
{
    for (size_t i = 0; i < e->send_count; i++) {
        CHECK(stage.letter_count < STAGE_LETTERS);
        struct stage_letter *l = &stage.letters[stage.letter_count++];
        l->message = e->sends[i].message;
        l->after = e->sends[i].after;
        l->is_held = l->after != 0;
        l->message.records = stage_copy(l->message.records);
        l->message.data = stage_copy(l->message.data);
        if (l->message.snapshot) {
            l->snapshot = *l->message.snapshot;
            l->message.snapshot = &l->snapshot;
        }
        if (!l->is_held)
            stage_say_message(stage.out, &l->message);
    }
    (void)a;
}

static void answer_chunks(struct actor *a, const struct raft_chunk_order *orders, size_t count)
{
    static const uint8_t dump[STAGE_DUMP_SIZE] = {1, 2, 3};
    for (size_t i = 0; i < count; i++) {
        struct raft_event e = {.type = RAFT_CHUNK_READ, .tag = orders[i].tag};
        e.data = bytes_of(dump + orders[i].offset, orders[i].size);
        step(a, &e);
    }
}

static void step(struct actor *a, struct raft_event *event)
{
    struct raft_effects e;
    struct raft_chunk_order orders[4];
    event->now_ms = a->now_ms;
    raft_step(a->core, event, &e);
    say_answers(a, &e);
    if (e.write)
        stage_submit(a, e.write);
    post_letters(a, &e);
    say_applied(a, &e);
    a->is_installing |= e.install != NULL;
    size_t count = e.chunk_count;
    CHECK(count <= 4);
    if (count)
        memcpy(orders, e.chunks, count * sizeof(*orders));
    if (e.apply_last) {
        struct raft_event applied = {.type = RAFT_APPLIED, .index = e.apply_last};
        a->applied = e.apply_last;
        step(a, &applied);
    }
    answer_chunks(a, orders, count);
}

/* --- letters */

static void forget_letter(size_t i)
{
    stage_free(&stage.letters[i].message.records);
    stage_free(&stage.letters[i].message.data);
    stage.letter_count--;
    memmove(&stage.letters[i], &stage.letters[i + 1],
            (stage.letter_count - i) * sizeof(stage.letters[0]));
    for (size_t k = 0; k < stage.letter_count; k++)
        if (stage.letters[k].message.snapshot)
            stage.letters[k].message.snapshot = &stage.letters[k].snapshot;
}

static bool is_between(const struct stage_letter *l, char from, char to)
{
    return !l->is_held && (from == '*' || stage_name(&l->message.from) == from) &&
           (to == '*' || stage_name(&l->message.to) == to);
}

static void deliver_one(size_t i)
{
    struct stage_letter letter = stage.letters[i];
    struct actor *from = stage_actor(&stage, stage_name(&letter.message.from));
    struct actor *to = stage_actor(&stage, stage_name(&letter.message.to));
    letter.message.records = stage_copy(letter.message.records);
    letter.message.data = stage_copy(letter.message.data);
    if (letter.message.snapshot)
        letter.message.snapshot = &letter.snapshot;
    forget_letter(i);
    struct raft_event e = {.type = RAFT_MESSAGE, .message = &letter.message};
    if (to->core && !stage.is_cut[from - stage.actors][to - stage.actors])
        step(to, &e);
    stage_free(&letter.message.records);
    stage_free(&letter.message.data);
}

/* Those that are on their way now, not the answers to them. */
static bool deliver(char from, char to)
{
    size_t count = stage.letter_count, at = 0;
    bool any = false;
    for (size_t n = 0; n < count; n++) {
        if (!is_between(&stage.letters[at], from, to)) {
            at++;
            continue;
        }
        deliver_one(at);
        any = true;
    }
    return any;
}

static void drop(char from, char to)
{
    for (size_t i = stage.letter_count; i-- > 0;)
        if (is_between(&stage.letters[i], from, to))
            forget_letter(i);
}

/* --- disks */

static void release(struct actor *a, uint64_t token)
{
    for (size_t i = 0; i < stage.letter_count; i++) {
        struct stage_letter *l = &stage.letters[i];
        if (!l->is_held || stage_name(&l->message.from) != a->name || l->after > token)
            continue;
        l->is_held = false;
        stage_say_message(stage.out, &l->message);
    }
}

static bool disk(struct actor *a)
{
    if (a->write_count == 0)
        return false;
    struct raft_event e = {.type = RAFT_PERSISTED};
    for (size_t i = 0; i < a->write_count; i++) {
        stage_say_write(stage.out, a, &a->writes[i].write);
        stage_carry_out(a, &a->writes[i].write);
        e.index = a->writes[i].write.token;
        free(a->writes[i].bytes);
    }
    a->write_count = 0;
    release(a, e.index);
    step(a, &e);
    return true;
}

static void settle(void)
{
    for (bool is_busy = true; is_busy;) {
        is_busy = false;
        for (size_t i = 0; i < STAGE_ACTORS; i++)
            is_busy |= stage.actors[i].core && disk(&stage.actors[i]);
        is_busy |= deliver('*', '*');
    }
}

/* --- actors */

static void start(struct actor *a, uint64_t seed)
{
    struct raft_cfg cfg;
    struct raft_boot boot = {.hard = a->hard, .base = a->base, .last = a->last};
    boot.applied = a->applied;
    boot.applied_base = a->applied > a->last ? &a->staged.base : NULL;
    boot.snapshot = a->snapshot.base.index ? &a->snapshot : NULL;
    boot.staged = a->staged.base.index ? &a->staged : NULL;
    boot.staged_size = a->staged_size;
    raft_cfg_init(&cfg);
    cfg.self = stage_id(a->name);
    cfg.seed = seed;
    cfg.now_ms = a->now_ms;
    cfg.fresh_store = 1000 + (uint64_t)a->name;
    cfg.draw = ++a->lives;
    cfg.snapshot_entries = 1000;
    cfg.keep_entries = 1;
    cfg.chunk_size = 40;
    cfg.snapshot_bytes_per_s = 1000000;
    cfg.ops.read = stage_read;
    cfg.ctx = a;
    assert_int_equal(raft_create(&cfg, &boot, &a->core), ERR_OK);
}

static void crash(struct actor *a)
{
    raft_destroy(a->core);
    a->core = NULL;
    for (size_t i = 0; i < a->write_count; i++)
        free(a->writes[i].bytes);
    a->write_count = 0;
    for (size_t i = stage.letter_count; i-- > 0;)
        if (stage.letters[i].is_held && stage_name(&stage.letters[i].message.from) == a->name)
            forget_letter(i);
}

/* The disk is gone; the actor begins with an empty one. */
static void lose(struct actor *a)
{
    crash(a);
    stage_cut(a, 0, STAGE_RECORDS - 1);
    *a = (struct actor){.name = a->name, .lives = a->lives, .now_ms = a->now_ms};
    start(a, 1);
    step(a, &(struct raft_event){.type = RAFT_TICK});
}

/* An old copy of its disk is put back. */
static void restore(struct actor *a)
{
    crash(a);
    stage_copy_disk(a, &stage.kept);
}

static void begin(const char *names)
{
    uint8_t payload[RAFT_CONFIG_SIZE_MAX], record[RAFT_CONFIG_SIZE_MAX + RAFT_RECORD_HEAD];
    struct raft_config config = {0};
    struct buf bytes, out;
    for (size_t i = 0; i < STAGE_ACTORS; i++)
        stage.actors[i].name = (char)('A' + i);
    for (const char *p = names; *p; p++)
        if (*p != ' ')
            config.members[config.count++] =
                (struct raft_member){.id = stage_id(*p), .store = (uint64_t)*p, .is_voter = true};
    buf_init_fixed(&bytes, payload, sizeof(payload));
    buf_init_fixed(&out, record, sizeof(record));
    assert_int_equal(raft_config_encode(&config, &bytes), ERR_OK);
    struct raft_entry e = {
        .kind = RAFT_CONFIG, .term = 1, .index = 1, .payload = buf_bytes(&bytes)};
    assert_int_equal(raft_entry_append(&out, &e), ERR_OK);
    for (size_t i = 0; i < STAGE_ACTORS; i++) {
        struct actor *a = &stage.actors[i];
        a->now_ms = 1000;
        if (!strchr(names, a->name))
            continue;
        a->records[1] = stage_copy(buf_bytes(&out));
        a->last = 1;
        a->hard = (struct raft_hard){.term = 1, .store = (uint64_t)a->name};
    }
}

static void end(void)
{
    for (size_t i = 0; i < STAGE_ACTORS; i++) {
        crash(&stage.actors[i]);
        stage_cut(&stage.actors[i], 0, STAGE_RECORDS - 1);
    }
    stage_cut(&stage.kept, 0, STAGE_RECORDS - 1);
    drop('*', '*');
    memset(&stage, 0, sizeof(stage));
}

/* --- orders */

static void tick(struct actor *a, uint64_t ms)
{
    struct raft_event e = {.type = RAFT_TICK};
    a->now_ms += ms;
    step(a, &e);
}

static void say_log(struct actor *a)
{
    struct raft_status s;
    raft_status(a->core, &s);
    fprintf(stage.out, "%c log:", a->name);
    for (uint64_t i = s.base + 1; i <= s.last; i++) {
        struct bytes record;
        assert_int_equal(raft_record(a->core, i, &record), ERR_OK);
        stage_say_record(stage.out, record);
    }
    fprintf(stage.out, ", durable %llu, commit %llu, members ", (ull)s.durable, (ull)s.commit);
    stage_say_config(stage.out, raft_config(a->core));
    fprintf(stage.out, "\n");
}

static void change(struct actor *a, const char *names)
{
    struct raft_target targets[STAGE_ACTORS];
    struct raft_event e = {.type = RAFT_CHANGE, .targets = targets, .tag = 1};
    for (const char *p = names; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            targets[e.count++] = (struct raft_target){stage_id(*p), p[1] == '+'};
    step(a, &e);
}

static void make_snapshot(struct actor *a)
{
    struct raft_event e = {
        .type = RAFT_SNAPSHOT_MADE, .index = a->applied, .size = STAGE_DUMP_SIZE, .content = {7}};
    step(a, &e);
}

static void installed(struct actor *a)
{
    struct raft_event e = {.type = RAFT_INSTALLED};
    CHECK(a->is_installing);
    a->is_installing = false;
    a->applied = a->staged.base.index;
    step(a, &e);
}

/* "cut A": from all others, both ways; "cut A B": what A says to B. */
static void cut(char name, char to, bool is_cut)
{
    for (size_t i = 0; i < STAGE_ACTORS && !to; i++) {
        stage.is_cut[name - 'A'][i] = is_cut && i != (size_t)(name - 'A');
        stage.is_cut[i][name - 'A'] = is_cut && i != (size_t)(name - 'A');
    }
    if (to)
        stage.is_cut[name - 'A'][to - 'A'] = is_cut;
}

static void ask(struct actor *a, enum raft_event_type type, const char *rest)
{
    struct raft_proposal p = {.tag = 1, .payload = bytes_from_str(rest)};
    struct raft_event e = {.type = type, .tag = 1, .proposals = &p, .count = 1};
    if (type == RAFT_HAND_OVER && *rest)
        e.id = stage_id(*rest);
    if (type == RAFT_READ_INDEX)
        e.tag = strtoull(rest, NULL, 10);
    step(a, &e);
}

/* "timeout A": the clock of A alone goes on to the end of its patience. */
static void play_one(const char *line)
{
    char order[16] = "", who = 'A', rest[64] = "";
    assert_true(sscanf(line, "%15s %c %63[^\n]", order, &who, rest) >= 1);
    struct actor *a = who >= 'A' && who < 'A' + STAGE_ACTORS ? stage_actor(&stage, who) : NULL;
#define IS(word) (strcmp(order, word) == 0)
    if (IS("voters"))
        begin(line + strlen("voters "));
    else if (IS("start"))
        for (const char *p = line + strlen("start "); *p; p++) {
            if (*p == ' ')
                continue;
            start(stage_actor(&stage, *p), (uint64_t)*p);
            tick(stage_actor(&stage, *p), 0);
        }
    else if (IS("timeout"))
        tick(a, 2000);
    else if (IS("heartbeat"))
        tick(a, 100);
    else if (IS("wait"))
        tick(a, strtoull(rest, NULL, 10));
    else if (IS("disk"))
        (void)disk(a);
    else if (IS("deliver"))
        (void)deliver(strlen(line) > 8 ? who : '*', *rest ? *rest : '*');
    else if (IS("drop"))
        drop(who, *rest ? *rest : '*');
    else if (IS("settle"))
        settle();
    else if (IS("crash"))
        crash(a);
    else if (IS("lose"))
        lose(a);
    else if (IS("copy"))
        stage_copy_disk(&stage.kept, a);
    else if (IS("restore"))
        restore(a);
    else if (IS("cut") || IS("heal"))
        cut(who, *rest, IS("cut"));
    else if (IS("propose"))
        ask(a, RAFT_PROPOSE, rest);
    else if (IS("read"))
        ask(a, RAFT_READ_INDEX, rest);
    else if (IS("transfer"))
        ask(a, RAFT_HAND_OVER, rest);
    else if (IS("change"))
        change(a, rest);
    else if (IS("snapshot"))
        make_snapshot(a);
    else if (IS("installed"))
        installed(a);
    else if (IS("log"))
        say_log(a);
    else
        fail_msg("no such order: %s", line);
#undef IS
}

/* --- scripts */

static void read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
}

static bool is_silent(const char *line)
{
    return strncmp(line, "$ quietly ", 10) == 0;
}

static void play_lines(char *script, FILE *out, FILE *nowhere)
{
    for (char *line = strtok_r(script, "\n", &script); line; line = strtok_r(NULL, "\n", &script)) {
        if (line[0] == '#')
            fprintf(out, "%s%s\n", ftell(out) ? "\n" : "", line);
        if (line[0] != '$')
            continue;
        fprintf(out, "%s\n", line);
        stage.out = is_silent(line) ? nowhere : out;
        play_one(line + (is_silent(line) ? 10 : 2));
    }
}

static void play(const char *name)
{
    static char script[1 << 16], wanted[1 << 16];
    char path[512], *told = NULL;
    size_t told_size = 0;
    snprintf(path, sizeof(path), "%s/tests/sim/golden/%s.txt", GV_SOURCE_DIR, name);
    read_file(path, wanted, sizeof(wanted));
    memcpy(script, wanted, sizeof(script));
    FILE *out = open_memstream(&told, &told_size), *nowhere = fopen("/dev/null", "w");
    assert_true(out && nowhere);
    play_lines(script, out, nowhere);
    end();
    fclose(nowhere);
    fclose(out);
    if (getenv("GOLDEN_REWRITE")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(told, file);
        fclose(file);
    } else {
        assert_string_equal(told, wanted);
    }
    free(told);
}

#define SCRIPT(name)                                                                               \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        play(#name);                                                                               \
    }

SCRIPT(election)
SCRIPT(conflict)
SCRIPT(figure_8)
SCRIPT(joint_change)
SCRIPT(removed_leader)
SCRIPT(snapshot)
SCRIPT(transfer)
SCRIPT(deposed_reader)
SCRIPT(deaf_follower)
SCRIPT(lost_disk)
SCRIPT(put_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(election),       cmocka_unit_test(conflict),
        cmocka_unit_test(figure_8),       cmocka_unit_test(joint_change),
        cmocka_unit_test(removed_leader), cmocka_unit_test(snapshot),
        cmocka_unit_test(transfer),       cmocka_unit_test(deposed_reader),
        cmocka_unit_test(lost_disk),      cmocka_unit_test(put_back),
        cmocka_unit_test(deaf_follower),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
