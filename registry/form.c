/* Checks the form of documents by their schema; see form.h. Called by commands.c and apply.c. */
#include "registry/form.h"

#include "registry/fields.h"

#include "base/utf8.h"

#include <stdio.h>

/* --- texts --- */

static bool is_label(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_inner = c == '-' && i > 0 && i + 1 < text.size;
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !is_inner)
            return false;
    }
    return true;
}

static bool is_name(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '=' || text.data[i] == ',')
            return false;
    return true;
}

static bool is_text(struct bytes text, bool may_have_lines)
{
    for (text = bytes_skip(text, utf8_plain_size(text)); text.size > 0;
         text = bytes_skip(text, utf8_plain_size(text))) {
        uint8_t c = text.data[0];
        size_t size = utf8_size(text);
        bool is_layout = c == '\n' || c == '\t';
        if (size == 0 || c == 0x7f || (c < ' ' && !(may_have_lines && is_layout)))
            return false;
        text = bytes_skip(text, size);
    }
    return true;
}

/* What is wrong with it, or NULL. */
static const char *text_fault(enum registry_type type, struct bytes text, uint64_t size_max)
{
    if (text.size > size_max)
        return "it is too long";
    switch (type) {
    case REGISTRY_TYPE_LABEL:
    case REGISTRY_TYPE_LABELS: return is_label(text) ? NULL : "use a-z, 0-9 and inner -";
    case REGISTRY_TYPE_NAME:
    case REGISTRY_TYPE_NAMES: return is_name(text) ? NULL : "use visible ASCII, no space, = or ,";
    case REGISTRY_TYPE_TEXT: return is_text(text, false) ? NULL : "use UTF-8 on one line";
    default: return is_text(text, true) ? NULL : "use UTF-8 without control characters";
    }
}

/* --- fields --- */

bool registry_field_is_empty(const struct registry_field *f, const void *document)
{
    static const uint8_t zeros[32];
    const void *value = registry_field_of(f, document);
    if (registry_field_is_list(f))
        return registry_field_count(f, document) == 0;
    if (registry_field_is_text(f))
        return ((const struct bytes *)value)->size == 0;
    if (f->type == REGISTRY_TYPE_NUMBER)
        return *(const uint64_t *)value == 0;
    if (f->type == REGISTRY_TYPE_WORD)
        return *(const uint32_t *)value == 0;
    return memcmp(value, zeros, registry_field_fixed_size(f)) == 0;
}

static enum err fault_at(struct registry_fault *fault, const char *field, const char *what)
{
    snprintf(fault->field, sizeof(fault->field), "%s", field);
    snprintf(fault->what, sizeof(fault->what), "%s", what);
    return ERR_INVALID;
}

/* Puts what contains it in front of the field that a fault names. */
static enum err fault_inside(struct registry_fault *fault, const char *outer)
{
    char inner[sizeof(fault->field)];
    memcpy(inner, fault->field, sizeof(inner));
    if (snprintf(fault->field, sizeof(fault->field), "%s.%s", outer, inner) < 0)
        fault->field[0] = '\0';
    return ERR_INVALID;
}

static enum err check_group(const struct registry_group *group, const void *document,
                            struct registry_fault *fault);

static enum err check_item(const struct registry_field *f, const void *value, size_t index,
                           struct registry_fault *fault)
{
    char place[64];
    snprintf(place, sizeof(place), "%s[%zu]", f->name, index);
    if (f->type == REGISTRY_TYPE_GROUPS) {
        const uint8_t *item = (const uint8_t *)value + index * f->group->size;
        enum err e = check_group(f->group, item, fault);
        return e == ERR_OK ? e : fault_inside(fault, place);
    }
    struct bytes text = ((const struct bytes *)value)[index];
    const char *what = text.size ? text_fault(f->type, text, f->item_max) : "it is empty: name it";
    return what ? fault_at(fault, place, what) : ERR_OK;
}

static enum err check_list(const struct registry_field *f, const void *document,
                           struct registry_fault *fault)
{
    size_t count = registry_field_count(f, document);
    if (count > f->max) {
        fault_at(fault, f->name, "");
        snprintf(fault->what, sizeof(fault->what), "%zu items: give at most %llu", count,
                 (unsigned long long)f->max);
        return ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++)
        TRY(check_item(f, registry_field_of(f, document), i, fault));
    return ERR_OK;
}

static enum err check_value(const struct registry_field *f, const void *document,
                            struct registry_fault *fault)
{
    const void *value = registry_field_of(f, document);
    if (registry_field_is_list(f))
        return check_list(f, document, fault);
    if (registry_field_is_text(f)) {
        const char *what = text_fault(f->type, *(const struct bytes *)value, f->max);
        return what ? fault_at(fault, f->name, what) : ERR_OK;
    }
    if (f->type == REGISTRY_TYPE_NUMBER && *(const uint64_t *)value > f->max) {
        fault_at(fault, f->name, "");
        snprintf(fault->what, sizeof(fault->what), "%llu: give at most %llu",
                 (unsigned long long)*(const uint64_t *)value, (unsigned long long)f->max);
        return ERR_INVALID;
    }
    if (f->type == REGISTRY_TYPE_WORD && *(const uint32_t *)value > f->max)
        return fault_at(fault, f->name, "no such word");
    return ERR_OK;
}

static enum err check_group(const struct registry_group *group, const void *document,
                            struct registry_fault *fault)
{
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        bool is_empty = registry_field_is_empty(f, document);
        if (is_empty && (f->flags & REGISTRY_NEEDED))
            return fault_at(fault, f->name, "it is missing: give it");
        if (!is_empty && (f->flags & REGISTRY_ANSWERED))
            return fault_at(fault, f->name, "the registry sets it: leave it out");
        if (!is_empty)
            TRY(check_value(f, document, fault));
    }
    return ERR_OK;
}

/* MOVE and REMOVE name a row and nothing else, so that one command has one form. */
static enum err check_key_only(const struct registry_group *group, const void *document,
                               struct registry_fault *fault)
{
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        bool is_empty = registry_field_is_empty(f, document);
        if (is_empty && (f->flags & REGISTRY_IN_KEY) && (f->flags & REGISTRY_NEEDED))
            return fault_at(fault, f->name, "it is missing: give it");
        if (!is_empty && !(f->flags & REGISTRY_IN_KEY))
            return fault_at(fault, f->name, "only what names the row goes here: leave it out");
        if (!is_empty)
            TRY(check_value(f, document, fault));
    }
    return ERR_OK;
}

/* --- operations --- */

static const struct registry_field *state_field(const struct registry_group *group)
{
    for (size_t i = 0; i < group->field_count; i++)
        if (group->fields[i].flags & REGISTRY_STATE)
            return &group->fields[i];
    return NULL;
}

static enum err check_verb(const struct registry_op *op, const struct registry_group *group,
                           struct registry_fault *fault)
{
    const struct registry_field *state = state_field(group);
    if (op->verb < REGISTRY_PUT || op->verb > REGISTRY_REMOVE)
        return fault_at(fault, "verb", "no such verb");
    if (op->has_if_rev && op->if_rev >= REGISTRY_NUMBER_MAX)
        return fault_at(fault, "if_rev", "no such rev");
    if (op->verb != REGISTRY_MOVE && op->state != 0)
        return fault_at(fault, "state", "only move has a state: leave it out");
    if (op->verb == REGISTRY_MOVE && (!state || op->state > state->max))
        return fault_at(fault, "state", "this kind has no such state");
    return ERR_OK;
}

static enum err check_op(const struct registry_op *op, struct registry_fault *fault)
{
    const struct registry_schema *schema = registry_schema(op->kind);
    if (!schema)
        return fault_at(fault, "kind", "no such kind");
    TRY(check_verb(op, &schema->group, fault));
    enum err e = op->verb == REGISTRY_PUT ? check_group(&schema->group, &op->doc, fault)
                                          : check_key_only(&schema->group, &op->doc, fault);
    return e == ERR_OK ? e : fault_inside(fault, schema->group.name);
}

enum err registry_form_check(const struct registry_op *op, size_t index,
                             struct registry_fault *ret_fault)
{
    char place[32];
    struct registry_fault fault;
    enum err e = check_op(op, &fault);
    if (e == ERR_OK)
        return e;
    *ret_fault = fault;
    snprintf(place, sizeof(place), "ops[%zu]", index);
    return fault_inside(ret_fault, place);
}
