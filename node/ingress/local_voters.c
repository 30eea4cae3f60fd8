/* GET /mesh/v1/voters: who votes on the rules, who shall, and how far each one's log is, where this
 * node leads. Named by the table in api.c. */
#include "node/ingress/local_rules.h"

#include "node/lane.h"

#define ANSWER_MAX (64 * 1024)
#define ROWS_MAX (RAFT_MEMBERS_MAX + REGISTRY_VOTERS_MAX)

struct voter {
    struct id id;
    const char
        *state; /* "voter"; "learner": it catches up; "waiting": for its turn, or to be met */
    bool is_wanted;
};

struct voters {
    struct voter rows[ROWS_MAX];
    size_t count;
    uint64_t automatic; /* so many are wanted, whoever they are; 0: the list */
};

static struct voter *row_of(struct voters *v, const struct id *id, const char *state)
{
    for (size_t i = 0; i < v->count; i++)
        if (id_equal(&v->rows[i].id, id))
            return &v->rows[i];
    CHECK(v->count < ROWS_MAX);
    v->rows[v->count] = (struct voter){.id = *id, .state = state};
    return &v->rows[v->count++];
}

static void collect(struct voters *v, const struct rules_status *status,
                    const struct raft_status *raft, const struct registry_reader *reader)
{
    struct registry_row row;
    for (size_t i = 0; i < status->voter_count; i++)
        row_of(v, &status->voters[i], "voter");
    for (size_t i = 0; i < raft->progress_count; i++)
        row_of(v, &raft->progress[i].id, "learner");
    if (registry_get(reader, REGISTRY_VOTERS, bytes_of(NULL, 0), bytes_of(NULL, 0), &row) != ERR_OK)
        return;
    v->automatic = row.doc.voters.automatic;
    for (size_t i = 0; i < row.doc.voters.node_count; i++)
        row_of(v, &row.doc.voters.nodes[i].id, "waiting")->is_wanted = true;
    for (size_t i = 0; v->automatic && i < v->count; i++)
        v->rows[i].is_wanted = true;
}

static enum err put_node(const struct registry_reader *reader, const struct id *id, struct buf *out)
{
    struct registry_row row;
    char text[ID_TEXT_SIZE];
    struct bytes name = BYTES(""), region = BYTES(""), zone = BYTES("");
    id_to_text(id, text);
    if (registry_get(reader, REGISTRY_NODE, bytes_of(id->bytes, ID_SIZE), bytes_of(NULL, 0),
                     &row) == ERR_OK) {
        name = row.doc.node.name;
        region = row.doc.node.region;
        zone = row.doc.node.zone;
    }
    return buf_printf(out, "{\"id\":\"%s\",\"name\":\"%.*s\",\"region\":\"%.*s\",\"zone\":\"%.*s\"",
                      text, (int)name.size, (const char *)name.data, (int)region.size,
                      (const char *)region.data, (int)zone.size, (const char *)zone.data);
}

/* Only a leader knows how far the others are. */
static enum err put_match(const struct rules_status *status, const struct raft_status *raft,
                          const struct id *self, const struct id *id, struct buf *out)
{
    if (status->is_leader && id_equal(id, self))
        return buf_printf(out, ",\"match\":%llu}", (unsigned long long)raft->durable);
    for (size_t i = 0; i < raft->progress_count; i++)
        if (id_equal(&raft->progress[i].id, id))
            return buf_printf(out, ",\"match\":%llu}", (unsigned long long)raft->progress[i].match);
    return buf_append_str(out, ",\"match\":null}");
}

static enum err print(const struct lane *lane, struct buf *out)
{
    const struct registry_reader *reader = rules_reader(lane->rules);
    struct rules_status status;
    struct raft_status raft;
    struct raft_counts counts;
    struct voters v = {.count = 0};
    if (!reader)
        return ERR_STARTING;
    rules_status(lane->rules, &status);
    rules_raft_status(lane->rules, &raft, &counts);
    collect(&v, &status, &raft, reader);
    TRY(buf_printf(out, "{\"automatic\":%llu,\"items\":[", (unsigned long long)v.automatic));
    for (size_t i = 0; i < v.count; i++) {
        bool is_leader = status.has_leader && id_equal(&status.leader, &v.rows[i].id);
        if (i > 0)
            TRY(buf_append_byte(out, ','));
        TRY(put_node(reader, &v.rows[i].id, out));
        TRY(buf_printf(out, ",\"state\":\"%s\",\"wanted\":%s",
                       is_leader ? "leader" : v.rows[i].state,
                       v.rows[i].is_wanted ? "true" : "false"));
        TRY(put_match(&status, &raft, &lane->identity->node, &v.rows[i].id, out));
    }
    return buf_append_str(out, "]}");
}

enum err local_voters(struct exchange *x, struct bytes path)
{
    struct buf out;
    (void)path;
    buf_init(&out, ANSWER_MAX);
    enum err e = print(x->lane, &out);
    if (e == ERR_OK)
        exchange_answer(x, 200, "application/json", buf_bytes(&out));
    buf_fini(&out);
    return e;
}
