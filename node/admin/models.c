/* Models of the whole mesh: GET /mesh/v1/models (what is where), GET /v1/models (what OpenAI's
 * clients read), and near names for a model that nobody serves. */
#include "node/admin/json.h"
#include "node/admin/roster.h"

#define NEAR_COUNT 3
#define NEAR_LOOKED_AT_MAX 256 /* models compared: an unknown name must stay cheap to refuse */
#define NEAR_PREFIX_MIN 3      /* shorter beginnings say too little */

static bool same_name(const struct roster_offer *a, const struct roster_offer *b)
{
    return bytes_equal(a->model->name, b->model->name);
}

static size_t end_of_version(const struct roster_offers *o, size_t at)
{
    const struct roster_offer *first = &o->items[at];
    while (at < o->count && same_name(first, &o->items[at]) &&
           bytes_equal(first->model->version, o->items[at].model->version))
        at++;
    return at;
}

/* Who offers it: nodes, or regions. A node with two such backends stands once. */
static void put_offerers(struct json *j, const struct roster_offers *o, size_t at, size_t end,
                         bool regions)
{
    const struct roster_offer *last = NULL;
    json_key(j, regions ? "regions" : "nodes");
    json_open(j, '[');
    for (; at < end; at++) {
        const struct roster_offer *offer = &o->items[at];
        if ((offer->region.size > 0) != regions || (last && last->rank == offer->rank))
            continue;
        json_text(j, regions ? offer->region : offer->node);
        last = offer;
    }
    json_close(j, ']');
}

/* Offers of one version, from `at`; returns the index after them. */
static size_t put_version(struct json *j, const struct roster_offers *o, size_t at)
{
    size_t end = end_of_version(o, at);
    json_open(j, '{');
    json_put_text_or_null(j, "version", o->items[at].model->version);
    put_offerers(j, o, at, end, false);
    put_offerers(j, o, at, end, true);
    json_close(j, '}');
    return end;
}

static size_t put_model(struct json *j, const struct roster_offers *o, size_t at)
{
    const struct roster_offer *first = &o->items[at];
    json_open(j, '{');
    json_put_text(j, "name", first->model->name);
    json_key(j, "versions");
    json_open(j, '[');
    while (at < o->count && same_name(first, &o->items[at]))
        at = put_version(j, o, at);
    json_close(j, ']');
    json_key(j, "aliases");
    json_open(j, '[');
    json_close(j, ']');
    json_close(j, '}');
    return at;
}

enum err admin_models_json(const struct admin_view *v, struct buf *out)
{
    struct roster_offers offers;
    struct json j;
    TRY(roster_offers_collect(v, ROSTER_KNOWN, &offers));
    json_begin(&j, out);
    json_open(&j, '{');
    json_key(&j, "models");
    json_open(&j, '[');
    for (size_t at = 0; at < offers.count;)
        at = put_model(&j, &offers, at);
    json_close(&j, ']');
    json_close(&j, '}');
    roster_offers_fini(&offers);
    return json_end(&j);
}

/* Offers of one name, from `at`: the nearest node that knows an owner, and a time, speaks for all.
 * Clients of this surface expect numbers and texts, so 0 and a name of our own stand for what
 * nobody knows. */
static size_t put_openai_model(struct json *j, const struct roster_offers *o, size_t at)
{
    const struct roster_offer *first = &o->items[at];
    const struct roster_offer *owner = NULL;
    const struct roster_offer *dated = NULL;
    for (; at < o->count && same_name(first, &o->items[at]); at++) {
        const struct roster_offer *offer = &o->items[at];
        if (offer->model->owned_by.size && (!owner || offer->rank < owner->rank))
            owner = offer;
        if (offer->model->created > 0 && (!dated || offer->rank < dated->rank))
            dated = offer;
    }
    json_open(j, '{');
    json_put_text(j, "id", first->model->name);
    json_put_str(j, "object", "model");
    json_put_uint(j, "created", dated ? (uint64_t)dated->model->created : 0);
    json_put_text(j, "owned_by", owner ? owner->model->owned_by : BYTES("grapevine"));
    json_close(j, '}');
    return at;
}

enum err admin_openai_models_json(const struct admin_view *v, struct buf *out)
{
    struct roster_offers offers;
    struct json j;
    TRY(roster_offers_collect(v, ROSTER_SERVED, &offers));
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_str(&j, "object", "list");
    json_key(&j, "data");
    json_open(&j, '[');
    for (size_t at = 0; at < offers.count;)
        at = put_openai_model(&j, &offers, at);
    json_close(&j, ']');
    json_close(&j, '}');
    roster_offers_fini(&offers);
    return json_end(&j);
}

enum err admin_openai_model_json(const struct admin_view *v, struct bytes id, struct buf *out)
{
    struct roster_offers offers;
    struct json j;
    TRY(roster_offers_collect(v, ROSTER_SERVED, &offers));
    size_t at = 0;
    while (at < offers.count && !bytes_equal(offers.items[at].model->name, id))
        at++;
    bool is_found = at < offers.count;
    json_begin(&j, out);
    if (is_found)
        put_openai_model(&j, &offers, at);
    roster_offers_fini(&offers);
    return is_found ? json_end(&j) : ERR_NOT_FOUND;
}

/* --- near names */

struct near {
    struct bytes name;
    unsigned distance;
};

/* Few typing errors, or one is how the other begins ("qwen2.5" for "qwen2.5-0.5b-instruct"). */
static bool is_near(struct bytes wanted, struct bytes name, unsigned *ret_distance)
{
    unsigned distance = bytes_distance(wanted, name);
    struct bytes shorter = wanted.size < name.size ? wanted : name;
    struct bytes longer = wanted.size < name.size ? name : wanted;
    bool is_beginning = shorter.size >= NEAR_PREFIX_MIN &&
                        bytes_equal_nocase(shorter, bytes_of(longer.data, shorter.size));
    unsigned distance_max = wanted.size / 3 > 2 ? (unsigned)(wanted.size / 3) : 2;
    if (is_beginning && distance > 1)
        distance = 1;
    if (distance > distance_max || distance >= name.size)
        return false;
    *ret_distance = distance;
    return true;
}

/* Keeps the nearest, of equals the one that came (sorts) first. */
static void insert_near(struct near nearest[NEAR_COUNT], struct bytes name, unsigned distance)
{
    size_t at = NEAR_COUNT;
    while (at > 0 && (!nearest[at - 1].name.size || distance < nearest[at - 1].distance))
        at--;
    if (at == NEAR_COUNT)
        return;
    memmove(&nearest[at + 1], &nearest[at], (NEAR_COUNT - at - 1) * sizeof(nearest[0]));
    nearest[at] = (struct near){name, distance};
}

static void list_near(const struct near nearest[NEAR_COUNT], char *ret_text, size_t size)
{
    struct buf text;
    buf_init_fixed(&text, (uint8_t *)ret_text, size - 1);
    for (size_t i = 0; i < NEAR_COUNT && nearest[i].name.size; i++) {
        size_t before = text.size;
        if ((before && buf_append_str(&text, ", ") != ERR_OK) ||
            buf_append(&text, nearest[i].name) != ERR_OK) {
            text.size = before;
            break;
        }
    }
    ret_text[text.size] = 0;
}

void admin_near_models(const struct admin_view *v, struct bytes name, char *ret_text, size_t size)
{
    struct roster_offers offers;
    struct near nearest[NEAR_COUNT] = {0};
    CHECK(size > 0);
    ret_text[0] = 0;
    if (roster_offers_collect(v, ROSTER_SERVED, &offers) != ERR_OK)
        return; /* only a hint */
    size_t looked_at = 0;
    for (size_t i = 0; i < offers.count && looked_at < NEAR_LOOKED_AT_MAX; i++) {
        unsigned distance;
        if (i > 0 && same_name(&offers.items[i - 1], &offers.items[i]))
            continue;
        looked_at++;
        if (is_near(name, offers.items[i].model->name, &distance))
            insert_near(nearest, offers.items[i].model->name, distance);
    }
    list_near(nearest, ret_text, size);
    roster_offers_fini(&offers);
}
