/* Committed entries to rows: proposals into commands, each checked in the order below, its effect
 * taken back where it is refused. Called by the node's apply; each kind's rules have their file.
 *
 *   form of the envelope, mesh, author, signatures, repeats, time, cosignatures │ from here on the
 *   sequence number is used up │ operations: role, then one after another form, row, rule, write */
#include "registry/turn.h"
#include "registry/wire.h"

#include <stdarg.h>
#include <stdio.h>

/* --- refusals --- */

enum err registry_refuse(struct registry_turn *t, enum err e, const char *field, const char *format,
                         ...)
{
    struct registry_fault *fault = &t->result->fault;
    va_list args;
    t->is_refused = true;
    t->result->err = e;
    va_start(args, format);
    vsnprintf(fault->what, sizeof(fault->what), format, args);
    va_end(args);
    if (t->op && field)
        snprintf(fault->field, sizeof(fault->field), "ops[%zu].%s.%s", t->op_index,
                 registry_kind_name(t->op->kind), field);
    else if (t->op)
        snprintf(fault->field, sizeof(fault->field), "ops[%zu]", t->op_index);
    return e;
}

/* --- signatures: those that check found good are not verified again --- */

static bool was_verified(const struct registry *r, const uint8_t hash[CRYPTO_HASH_SIZE])
{
    for (size_t i = 0; i < r->verified_next && i < REGISTRY_VERIFIED_MAX; i++)
        if (memcmp(r->verified[i], hash, CRYPTO_HASH_SIZE) == 0)
            return true;
    return false;
}

static enum err check_signatures(struct registry_turn *t, struct bytes wire)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    if (t->is_check || t->r->verified_next > 0)
        crypto_hash(wire, hash);
    if (was_verified(t->r, hash))
        return ERR_OK;
    enum err e = registry_command_verify(t->s);
    if (e == ERR_BAD_SIGNATURE)
        return registry_refuse(t, e, NULL, "it was altered, or signed by another key");
    if (e == ERR_OK && t->is_check)
        memcpy(t->r->verified[t->r->verified_next++ % REGISTRY_VERIFIED_MAX], hash, sizeof(hash));
    return e;
}

/* --- a command --- */

/* Up to where the sequence number is used up. */
static enum err check_envelope(struct registry_turn *t, struct bytes wire, bool *ret_is_repeat)
{
    const struct registry_command *command = &t->s->command;
    if (!id_equal(&command->mesh, &t->r->mesh))
        return registry_refuse(t, ERR_WRONG_MESH, NULL, "it was made for another mesh");
    TRY(registry_access_author(t));
    TRY(check_signatures(t, wire));
    TRY(registry_authors_check(t, ret_is_repeat));
    if (*ret_is_repeat)
        return ERR_OK;
    if (registry_turn_now_ms(t) > command->not_after_ms)
        return registry_refuse(t, ERR_EXPIRED, NULL,
                               "its not_after_ms has passed: sign it anew, mind the clock");
    return registry_cosign_check(t);
}

static enum err has_operator(const struct registry_turn *t, bool *ret_has);

static enum err run_ops(struct registry_turn *t)
{
    const struct registry_command *command = &t->s->command;
    bool has = true;
    if (command->op_count == 0)
        return registry_refuse(t, ERR_INVALID, NULL, "it has no operation");
    TRY(registry_access_ops(t));
    for (t->op_index = 0; t->op_index < command->op_count; t->op_index++) {
        t->op = &command->ops[t->op_index];
        TRY(registry_op_apply(t, t->op));
    }
    t->op = NULL;
    if (t->is_genesis || (t->result->changed & 1u << REGISTRY_ADMIN))
        TRY(has_operator(t, &has));
    if (!has && (t->is_genesis || !t->is_root))
        return registry_refuse(t, ERR_IN_USE, NULL,
                               "no operator would be left: make another one before");
    return ERR_OK;
}

static bool is_operator(void *ctx, const struct registry_row *row)
{
    const struct registry_admin *admin = &row->doc.admin;
    bool *has = ctx;
    *has = admin->state == REGISTRY_ACTIVE && admin->role == REGISTRY_OPERATOR;
    return !*has;
}

static enum err has_operator(const struct registry_turn *t, bool *ret_has)
{
    *ret_has = false;
    return registry_scan(registry_turn_reader(t), REGISTRY_ADMIN, (struct bytes){0}, is_operator,
                         ret_has);
}

/* The state's moves on: an effect, or only the memory that it was refused. */
static enum err finish(struct registry_turn *t, const struct registry_state *before)
{
    struct registry_result *result = t->result;
    if (t->is_refused) {
        TRY(registry_rows_undo(t->r));
        t->r->current = *before;
        result->changed = 0;
    }
    if (result->changed)
        t->r->current.head.epoch = t->epoch;
    result->epoch = t->r->current.head.epoch;
    return t->is_invited ? ERR_OK : registry_authors_note(t);
}

static enum err run(struct registry_turn *t, struct bytes wire, bool is_known)
{
    const struct registry_state before = t->r->current;
    bool is_repeat;
    TRY(check_envelope(t, wire, &is_repeat));
    if (is_repeat)
        return ERR_OK;
    if (!is_known)
        return ERR_UNSUPPORTED;
    t->result->index = t->r->current.head.index;
    enum err e = run_ops(t);
    if (e == ERR_LIMIT && t->r->undo_is_full)
        e = registry_refuse(t, e, NULL, "it changes too much at once: split it");
    if (e != ERR_OK && !t->is_refused)
        return e;
    return finish(t, &before);
}

/* OK with a result, or fatal. */
static enum err command_apply(struct registry *r, struct bytes wire, uint64_t index, bool is_check,
                              struct registry_result *result)
{
    struct registry_signed s;
    struct registry_turn t = {.r = r,
                              .s = &s,
                              .result = result,
                              .is_check = is_check,
                              .epoch = r->current.head.epoch + 1};
    *result = (struct registry_result){.index = index, .epoch = r->current.head.epoch};
    registry_rows_forget_undo(r);
    arena_reset(&r->command_arena);
    enum err e = registry_wire_signed_decode(wire, &r->command_arena, &s);
    if (e == ERR_INVALID) {
        registry_refuse(&t, e, NULL, "its bytes are not those of a command");
        return ERR_OK;
    }
    if (e != ERR_OK && e != ERR_UNSUPPORTED)
        return e;
    t.author = id_of_public_key(s.command.author);
    result->author = t.author;
    result->sequence = s.command.sequence;
    e = run(&t, wire, e == ERR_OK);
    return t.is_refused ? ERR_OK : e;
}

/* --- entries --- */

static void pass_time(struct registry *r, uint64_t time_ms)
{
    if (time_ms > r->current.head.time_ms)
        r->current.head.time_ms = time_ms;
}

static enum err apply_commands(struct registry *r, const struct registry_entry *entry,
                               struct registry_applied *applied)
{
    struct registry_proposal proposal;
    arena_reset(&r->proposal_arena);
    TRY(registry_wire_proposal_decode(entry->proposal, &r->proposal_arena, &proposal));
    pass_time(r, proposal.time_ms);
    for (size_t i = 0; i < proposal.count; i++) {
        struct registry_result *result = &r->results[i];
        TRY(command_apply(r, proposal.commands[i], entry->index, false, result));
        if (!result->is_repeat)
            applied->changed |= result->changed;
        applied->count++;
    }
    return ERR_OK;
}

enum err registry_apply(struct registry *r, const struct registry_entry *entry,
                        struct registry_applied *ret_applied)
{
    struct registry_applied applied = {.results = r->results};
    struct registry_head *head = &r->current.head;
    CHECK(r->writer.txn);
    if (entry->index != head->index + 1)
        return ERR_INVALID;
    head->index = entry->index;
    head->term = entry->term;
    memcpy(head->chain, entry->chain, CRYPTO_HASH_SIZE);
    if (entry->proposal.size > 0)
        TRY(apply_commands(r, entry, &applied));
    *ret_applied = applied;
    return ERR_OK;
}

enum err registry_check(struct registry *r, uint64_t time_ms, struct bytes command,
                        struct registry_result *ret_result)
{
    const struct registry_state before = r->current;
    struct registry_result result;
    CHECK(r->writer.txn);
    pass_time(r, time_ms);
    r->current.head.index++;
    enum err e = command_apply(r, command, r->current.head.index, true, &result);
    if (e == ERR_UNSUPPORTED) {
        result.err = e;
        snprintf(result.fault.what, sizeof(result.fault.what),
                 "this node knows no such operation: ask one with a newer program");
        e = ERR_OK;
    }
    enum err undone = registry_rows_undo(r);
    r->current = before;
    TRY(e);
    TRY(undone);
    *ret_result = result;
    return ERR_OK;
}
