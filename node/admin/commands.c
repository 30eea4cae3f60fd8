/* See commands.h. Used by `command show` and by the log's listing. */
#include "node/admin/commands.h"

static enum err append_op(const struct registry_op *op, struct buf *out)
{
    TRY(buf_printf(out, "{\"op\":\"%s\",\"kind\":\"%s\",\"document\":", registry_op_word(op),
                   registry_kind_name(op->kind)));
    TRY(registry_json_append(&registry_schema(op->kind)->group, &op->doc, out));
    return buf_append_byte(out, '}');
}

enum err commands_json(const struct registry_signed *command, struct buf *out)
{
    const struct registry_command *c = &command->command;
    char author[ID_TEXT_SIZE];
    struct id id = id_of_public_key(c->author);
    id_to_text(&id, author);
    TRY(buf_printf(out,
                   "{\"author\":\"%s\",\"sequence\":%llu,\"not_after_ms\":%llu,"
                   "\"cosignatures\":%zu,\"ops\":[",
                   author, (unsigned long long)c->sequence, (unsigned long long)c->not_after_ms,
                   command->cosignature_count));
    for (size_t i = 0; i < c->op_count; i++) {
        if (i > 0)
            TRY(buf_append_byte(out, ','));
        TRY(append_op(&c->ops[i], out));
    }
    return buf_append_str(out, "]}");
}

/* --- entries */

static enum err append_commands(struct bytes payload, struct arena *arena, struct buf *out)
{
    struct registry_proposal proposal;
    struct registry_signed command;
    TRY(registry_proposal_decode(payload, arena, &proposal));
    TRY(buf_printf(out, ",\"kind\":\"command\",\"time_ms\":%llu,\"commands\":[",
                   (unsigned long long)proposal.time_ms));
    for (size_t i = 0; i < proposal.count; i++) {
        if (i > 0)
            TRY(buf_append_byte(out, ','));
        TRY(registry_command_decode(proposal.commands[i], arena, &command));
        TRY(commands_json(&command, out));
    }
    return buf_append_str(out, "]}");
}

static enum err append_config(struct bytes payload, struct buf *out)
{
    struct raft_config config;
    size_t count = 0;
    TRY(raft_config_decode(payload, &config));
    TRY(buf_printf(out, ",\"kind\":\"config\",\"joint\":%s,\"voters\":[",
                   raft_config_is_joint(&config) ? "true" : "false"));
    for (size_t i = 0; i < config.count; i++) {
        char id[ID_TEXT_SIZE];
        if (!config.members[i].is_voter)
            continue;
        id_to_text(&config.members[i].id, id);
        TRY(buf_printf(out, "%s\"%s\"", count++ ? "," : "", id));
    }
    return buf_append_str(out, "]}");
}

enum err commands_entry_json(struct bytes record, struct buf *out)
{
    struct raft_entry entry;
    struct arena arena;
    TRY(raft_entry_read(&record, &entry));
    TRY(buf_printf(out, "{\"index\":%llu,\"term\":%llu", (unsigned long long)entry.index,
                   (unsigned long long)entry.term));
    if (entry.kind == RAFT_NOOP)
        return buf_append_str(out, ",\"kind\":\"noop\"}");
    if (entry.kind == RAFT_CONFIG)
        return append_config(entry.payload, out);
    arena_init(&arena, REGISTRY_ARENA_MAX);
    enum err e = append_commands(entry.payload, &arena, out);
    arena_fini(&arena);
    return e;
}
