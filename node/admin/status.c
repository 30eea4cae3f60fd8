/* GET /mesh/v1/status: this node, and how far it is with the rules of the mesh. */
#include "node/admin/admin.h"
#include "node/admin/json.h"

static size_t count_alive(const struct admin_view *v)
{
    size_t alive = 1; /* this node answers */
    for (size_t i = 0; v->mesh && i < mesh_peer_count(v->mesh); i++)
        alive += mesh_peer_is_listed(mesh_peer(v->mesh, i)) &&
                 mesh_peer(v->mesh, i)->state == PEER_ALIVE;
    return alive;
}

/* By its name; by its id where nobody said one yet. */
static void put_node(struct json *j, const struct admin_view *v, const struct id *id)
{
    char text[ID_TEXT_SIZE];
    const struct peer *p = v->mesh ? mesh_peer_find(v->mesh, id) : NULL;
    id_to_text(id, text);
    if (id_equal(id, &v->identity->node))
        json_text(j, bytes_from_str(v->identity->cert.name));
    else
        json_text(j, bytes_from_str(p && *p->name ? p->name : text));
}

static void put_hash(struct json *j, const struct rules_status *s)
{
    char text[2 * CRYPTO_HASH_SIZE];
    struct buf hex;
    buf_init_fixed(&hex, (uint8_t *)text, sizeof text);
    json_key(j, "state_hash");
    if (s->has_hash && crypto_hex_append(&hex, bytes_of(s->hash, sizeof s->hash)) == ERR_OK)
        json_text(j, buf_bytes(&hex));
    else
        json_null(j);
}

static void put_reason(struct json *j, const char *key, enum err e)
{
    if (e == ERR_OK)
        json_put_null(j, key);
    else
        json_put_str(j, key, err_word(e));
}

static void put_rules(struct json *j, const struct admin_view *v)
{
    const struct rules_status *s = v->rules;
    json_put_uint(j, "applied", s->applied);
    put_hash(j, s);
    json_key(j, "leader");
    if (s->has_leader)
        put_node(j, v, &s->leader);
    else
        json_null(j);
    json_key(j, "voters");
    json_open(j, '[');
    for (size_t i = 0; i < s->voter_count; i++)
        put_node(j, v, &s->voters[i]);
    json_close(j, ']');
    json_key(j, "rules");
    json_open(j, '{');
    json_put_str(j, "role",
                 s->is_leader   ? "leader"
                 : s->is_voter  ? "voter"
                 : s->is_member ? "learner"
                                : "replica");
    json_put_bool(j, "quorum", s->has_quorum);
    json_put_uint(j, "commit", s->commit);
    json_put_count_or_null(j, "term", s->is_member ? (int64_t)s->term : -1);
    json_put_count_or_null(j, "age_ms", s->age_ms == UINT64_MAX ? -1 : (int64_t)s->age_ms);
    json_put_bool(j, "admitted", s->is_admitted);
    put_reason(j, "refused", s->refusal);
    json_put_text_or_null(j, "refused_because",
                          bytes_from_str(s->refused_because ? s->refused_because : ""));
    put_reason(j, "stopped", s->stopped);
    json_put_bool(j, "disk_full", s->is_disk_full);
    json_put_bool(j, "diverged", s->is_diverged);
    json_close(j, '}');
}

enum err admin_status_json(const struct admin_view *v, struct buf *out)
{
    char mesh_text[ID_TEXT_SIZE];
    struct json j;
    id_to_text(&v->identity->mesh, mesh_text);
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_str(&j, "node", v->identity->cert.name);
    json_put_str(&j, "mesh", mesh_text);
    json_put_str(&j, "state", v->state);
    json_put_uint(&j, "epoch", v->epoch);
    put_rules(&j, v);
    json_put_uint(&j, "alive", count_alive(v));
    json_put_uint(&j, "uptime_s", (v->now_ms - v->started_ms) / 1000);
    json_put_uint(&j, "inflight", v->inflight);
    json_close(&j, '}');
    return json_end(&j);
}
