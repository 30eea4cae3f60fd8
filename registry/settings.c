/* Settings of the mesh: the known ones in one table, with type, range and default; names that begin
 * with "x." are the operators' own. Called by op.c, and by whoever goes by a setting. */
#include "registry/turn.h"

enum type { BOOLEAN, NUMBER, TEXT };

struct known {
    const char *key;
    enum type type;
    uint64_t min, max; /* of a number; bytes of a text */
    const char *standard;
};

/* A new row needs a new feature level: an older program refuses what a newer one takes. */
static const struct known known_settings[] = {
    {"clients.require_key", BOOLEAN, 0, 1, "false"},
    {"mesh.feature", NUMBER, 1, REGISTRY_NUMBER_MAX, "1"},
    {"mesh.name", TEXT, 0, REGISTRY_NAME_MAX, ""},
    {"models.registered_only", BOOLEAN, 0, 1, "false"},
    {"voters.replace_after_ms", NUMBER, 10000, 7 * 24 * 3600 * 1000, "600000"},
};
#define KNOWN (sizeof(known_settings) / sizeof(known_settings[0]))

static const struct known *find_known(struct bytes key)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (bytes_equal(key, bytes_from_str(known_settings[i].key)))
            return &known_settings[i];
    return NULL;
}

/* --- rules --- */

static bool is_boolean(struct bytes value)
{
    return bytes_equal(value, BYTES("true")) || bytes_equal(value, BYTES("false"));
}

/* One number has one text. */
static bool is_number(const struct known *known, struct bytes value, uint64_t *ret_number)
{
    return bytes_to_u64(value, ret_number) && (value.size == 1 || value.data[0] != '0') &&
           *ret_number >= known->min && *ret_number <= known->max;
}

static enum err check_feature(struct registry_turn *t, uint64_t wanted)
{
    uint64_t now;
    TRY(registry_setting_number(registry_turn_reader(t), "mesh.feature", &now));
    if (wanted < now)
        return registry_refuse(t, ERR_INVALID, "value", "it is %llu and is never lowered",
                               (unsigned long long)now);
    return wanted > REGISTRY_FEATURE ? ERR_UNSUPPORTED : ERR_OK;
}

static enum err check_known(struct registry_turn *t, const struct known *known, struct bytes value)
{
    uint64_t number = 0;
    if (known->type == BOOLEAN && !is_boolean(value))
        return registry_refuse(t, ERR_INVALID, "value", "give true or false");
    if (known->type == NUMBER && !is_number(known, value, &number))
        return registry_refuse(t, ERR_INVALID, "value", "give a whole number from %llu to %llu",
                               (unsigned long long)known->min, (unsigned long long)known->max);
    if (known->type == TEXT && value.size > known->max)
        return registry_refuse(t, ERR_INVALID, "value", "give at most %llu bytes",
                               (unsigned long long)known->max);
    return strcmp(known->key, "mesh.feature") == 0 ? check_feature(t, number) : ERR_OK;
}

enum err registry_settings_put(struct registry_turn *t, const struct registry_row *old,
                               struct registry_row *next)
{
    const struct registry_setting *setting = &next->doc.setting;
    const struct known *known = find_known(setting->key);
    (void)old;
    if (known)
        return check_known(t, known, setting->value);
    if (bytes_starts_with(setting->key, BYTES("x.")))
        return ERR_OK;
    return registry_refuse(t, ERR_NOT_FOUND, "key",
                           "no such setting: names of your own begin with x.");
}

enum err registry_settings_remove(struct registry_turn *t, const struct registry_row *old,
                                  struct registry_row *next)
{
    (void)next;
    if (!bytes_equal(old->doc.setting.key, BYTES("mesh.feature")))
        return ERR_OK;
    return registry_refuse(t, ERR_INVALID, "key", "the feature level is never lowered");
}

/* --- reading --- */

enum err registry_setting(const struct registry_reader *reader, const char *key,
                          struct bytes *ret_value, uint64_t *ret_rev)
{
    struct registry_row row;
    const struct known *known = find_known(bytes_from_str(key));
    enum err e =
        registry_get(reader, REGISTRY_SETTING, bytes_from_str(key), (struct bytes){0}, &row);
    if (e == ERR_OK) {
        *ret_value = row.doc.setting.value;
        *ret_rev = row.rev;
    } else if (e == ERR_NOT_FOUND && known) {
        *ret_value = bytes_from_str(known->standard);
        *ret_rev = 0;
        e = ERR_OK;
    }
    return e;
}

enum err registry_setting_number(const struct registry_reader *reader, const char *key,
                                 uint64_t *ret_value)
{
    uint64_t rev;
    struct bytes value;
    const struct known *known = find_known(bytes_from_str(key));
    CHECK(known && known->type != TEXT);
    TRY(registry_setting(reader, key, &value, &rev));
    if (known->type == BOOLEAN && is_boolean(value)) {
        *ret_value = bytes_equal(value, BYTES("true"));
        return ERR_OK;
    }
    return is_number(known, value, ret_value) ? ERR_OK : ERR_CORRUPT;
}
