/* GET /mesh/v1/registry/KIND[/KEY]: rows of the registry as JSON, by this node's own copy, or with
 * ?consistent=1 linearizably. Named by the table in api.c.
 *
 * Happy path: parse, (consistent: ask the leader for an index and wait until it is applied here),
 * answer. Failure modes: no such kind or row (404), no rules here yet or no leader that answers
 * (503), a client that goes away while it waits (the read is given up). */
#include "node/ingress/local_rules.h"

#include "node/lane.h"

#define ANSWER_MAX (32 * 1024 * 1024)
#define KEY_MAX 512 /* bytes of a row's key in a path, decoded */
#define PREFIX "/mesh/v1/registry/"

struct local_read_call {
    struct rules_call read;
    struct exchange *x;
};

/* --- paths */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err decode_path(struct bytes text, struct buf *out)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return ERR_INVALID_REQUEST;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (buf_append_byte(out, byte) != ERR_OK)
            return ERR_NOT_FOUND; /* longer than any key */
    }
    return ERR_OK;
}

struct query {
    enum registry_kind kind;
    struct bytes first, second;
    uint8_t number[8], id[2][ID_SIZE];
    uint8_t space[KEY_MAX];
    bool is_list; /* the key is not whole: all rows below it */
};

/* The fields that are a kind's key; at most two. */
static size_t key_fields(enum registry_kind kind, const struct registry_field *ret_fields[2])
{
    const struct registry_group *group = &registry_schema(kind)->group;
    size_t count = 0;
    for (size_t i = 0; i < group->field_count && count < 2; i++)
        if (group->fields[i].flags & REGISTRY_IN_KEY)
            ret_fields[count++] = &group->fields[i];
    return count;
}

static enum err encode_part(struct query *q, const struct registry_field *field, size_t index,
                            struct bytes text, struct bytes *ret_part)
{
    uint64_t number;
    struct id id;
    *ret_part = text;
    if (field->type == REGISTRY_TYPE_ID) {
        if (id_from_text(text, &id) != ERR_OK)
            return ERR_NOT_FOUND;
        memcpy(q->id[index], id.bytes, ID_SIZE);
        *ret_part = bytes_of(q->id[index], ID_SIZE);
    } else if (field->type == REGISTRY_TYPE_NUMBER) {
        if (!bytes_to_u64(text, &number))
            return ERR_NOT_FOUND;
        for (size_t i = 0; i < sizeof q->number; i++)
            q->number[i] = (uint8_t)(number >> (8 * (7 - i)));
        *ret_part = bytes_of(q->number, sizeof q->number);
    }
    return ERR_OK;
}

/* Models' names may have a "/" in them, labels not: so what it parts is always clear. */
static size_t split_at(const struct registry_field *first, struct bytes text)
{
    if (first->type == REGISTRY_TYPE_LABEL)
        return bytes_find(text, '/');
    for (size_t i = text.size; i > 0; i--)
        if (text.data[i - 1] == '/')
            return i - 1;
    return text.size;
}

static enum err parse_key(struct query *q, struct bytes text)
{
    const struct registry_field *fields[2];
    size_t count = key_fields(q->kind, fields);
    q->is_list = text.size == 0;
    if (q->is_list)
        return ERR_OK;
    if (count == 0)
        return ERR_NOT_FOUND;
    size_t cut = count == 2 ? split_at(fields[0], text) : text.size;
    q->is_list = count == 2 && cut == text.size;
    TRY(encode_part(q, fields[0], 0, bytes_of(text.data, cut), &q->first));
    if (count < 2 || q->is_list)
        return ERR_OK;
    return encode_part(q, fields[1], 1, bytes_skip(text, cut + 1), &q->second);
}

/* Nodes and administrators are called by name, too. */
static enum err find_named(const struct registry_reader *reader, struct query *q, struct bytes text,
                           bool *ret_is_found)
{
    struct registry_row row;
    struct id id;
    bool is_named = q->kind == REGISTRY_NODE || q->kind == REGISTRY_ADMIN;
    *ret_is_found = false;
    if (!is_named || text.size == 0 || id_from_text(text, &id) == ERR_OK)
        return ERR_OK;
    TRY(registry_find(reader,
                      q->kind == REGISTRY_NODE ? REGISTRY_NODE_BY_NAME : REGISTRY_ADMIN_BY_NAME,
                      text, &row));
    memcpy(q->id[0], q->kind == REGISTRY_NODE ? row.doc.node.id.bytes : row.doc.admin.id.bytes,
           ID_SIZE);
    q->first = bytes_of(q->id[0], ID_SIZE);
    *ret_is_found = true;
    return ERR_OK;
}

static enum err parse_query(const struct registry_reader *reader, struct bytes path,
                            struct query *q)
{
    struct bytes rest = bytes_skip(path, sizeof PREFIX - 1);
    struct bytes kind = bytes_of(rest.data, bytes_find(rest, '/'));
    struct buf key;
    bool is_found;
    *q = (struct query){.kind = registry_kind_of(kind)};
    if (!registry_schema(q->kind) || q->kind == REGISTRY_GOSSIP_KEY)
        return ERR_NOT_FOUND;
    buf_init_fixed(&key, q->space, sizeof q->space);
    TRY(decode_path(bytes_skip(rest, kind.size + 1), &key));
    TRY(find_named(reader, q, buf_bytes(&key), &is_found));
    return is_found ? ERR_OK : parse_key(q, buf_bytes(&key));
}

/* --- answers */

struct rows {
    struct buf *out;
    size_t count;
    enum err err;
};

static enum err append_row(const struct registry_row *row, struct buf *out)
{
    char author[ID_TEXT_SIZE];
    id_to_text(&row->author, author);
    TRY(registry_json_append(&registry_schema(row->kind)->group, &row->doc, out));
    CHECK(out->size > 0 && out->data[out->size - 1] == '}');
    out->size--;
    return buf_printf(out, ",\"rev\":%llu,\"changed_ms\":%llu,\"author\":\"%s\"}",
                      (unsigned long long)row->rev, (unsigned long long)row->time_ms, author);
}

static bool on_row(void *ctx, const struct registry_row *row)
{
    struct rows *rows = ctx;
    if (rows->count++ > 0)
        rows->err = buf_append_byte(rows->out, ',');
    if (rows->err == ERR_OK)
        rows->err = append_row(row, rows->out);
    return rows->err == ERR_OK;
}

static enum err write_list(struct exchange *x, const struct registry_reader *reader,
                           const struct query *q, struct buf *out)
{
    struct rows rows = {.out = out};
    struct rules_status status;
    rules_status(x->lane->rules, &status);
    TRY(buf_printf(out, "{\"epoch\":%llu,\"applied\":%llu,\"age_ms\":",
                   (unsigned long long)status.epoch, (unsigned long long)status.applied));
    TRY(status.age_ms == UINT64_MAX ? buf_append_str(out, "null")
                                    : buf_printf(out, "%llu", (unsigned long long)status.age_ms));
    TRY(buf_append_str(out, ",\"items\":["));
    TRY(registry_scan(reader, q->kind, q->first, on_row, &rows));
    TRY(rows.err);
    return buf_append_str(out, "]}");
}

/* A setting that nobody put has a default, and revision 0. */
static enum err write_setting(const struct registry_reader *reader, const struct query *q,
                              struct buf *out)
{
    char key[REGISTRY_MODEL_MAX + 1];
    struct bytes value;
    uint64_t rev;
    if (q->first.size > REGISTRY_MODEL_MAX)
        return ERR_NOT_FOUND;
    bytes_to_str(q->first, key, sizeof key);
    TRY(registry_setting(reader, key, &value, &rev));
    TRY(buf_append_str(out, "{\"key\":\""));
    TRY(buf_append_json_escaped(out, q->first));
    TRY(buf_append_str(out, "\",\"value\":\""));
    TRY(buf_append_json_escaped(out, value));
    return buf_printf(out, "\",\"rev\":%llu}", (unsigned long long)rev);
}

static enum err write_rows(struct exchange *x, const struct registry_reader *reader,
                           struct buf *out)
{
    struct query q;
    struct registry_row row;
    TRY(parse_query(reader, api_path(x->head.target), &q));
    if (q.is_list)
        return write_list(x, reader, &q, out);
    if (q.kind == REGISTRY_SETTING)
        return write_setting(reader, &q, out);
    TRY(registry_get(reader, q.kind, q.first, q.second, &row));
    return append_row(&row, out);
}

static void answer(struct exchange *x)
{
    const struct registry_reader *reader = rules_reader(x->lane->rules);
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum err e = reader ? write_rows(x, reader, &out) : ERR_STARTING;
    if (e == ERR_OK)
        exchange_answer(x, 200, "application/json", buf_bytes(&out));
    else
        exchange_fail(x, e, NULL);
    buf_fini(&out);
}

/* --- consistent ones wait */

static void on_read(struct rules_call *call, const struct registry_result *result)
{
    struct exchange *x = LIST_ENTRY(call, struct local_read_call, read)->x;
    x->call_ops = NULL;
    if (result->err == ERR_OK)
        answer(x);
    else
        exchange_fail(x, result->err,
                      "no leader answers; without consistent=1 this node tells "
                      "what it knows");
}

static void cancel(struct exchange *x)
{
    rules_cancel(&x->call.read->read);
}

static void nothing(struct exchange *x)
{
    (void)x;
}

static const struct call_ops ops = {cancel, nothing, nothing};

static enum err wait_for_index(struct exchange *x)
{
    struct local_read_call *call = arena_alloc(&x->arena, sizeof *call);
    if (!call)
        return ERR_NO_MEMORY;
    *call = (struct local_read_call){.read.on_done = on_read, .x = x};
    TRY(rules_read(x->lane->rules, &call->read));
    x->call.read = call;
    x->call_ops = &ops;
    return ERR_OK;
}

enum err local_registry(struct exchange *x, struct bytes path)
{
    struct bytes query = bytes_skip(x->head.target, path.size + 1);
    if (query.size > 0 && !bytes_equal(query, BYTES("consistent=1")))
        return ERR_INVALID_REQUEST;
    if (query.size > 0)
        return wait_for_index(x);
    answer(x);
    return ERR_OK;
}
