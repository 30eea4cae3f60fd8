/* Parsing of command-line flags; see flags.h. Called by cli.c with the table of one command. */
#include "node/cli/flags.h"
#include "base/crypto.h"

#define TABLE_MAX 32

const char *flags_near(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    unsigned best = 3; /* at most two typing errors */
    for (size_t i = 0; names[i]; i++) {
        unsigned distance = bytes_distance(bytes_from_str(word), bytes_from_str(names[i]));
        if (distance < best && distance < strlen(names[i])) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

static enum err refuse(struct buf *message, const char *what, const char *flag, const char *todo)
{
    if (buf_printf(message, "%s: %.200s: %s", what, flag, todo) != ERR_OK)
        return ERR_USAGE; /* a message that does not fit stays empty */
    return ERR_USAGE;
}

static enum err refuse_unknown(const struct flag *table, const char *given, struct buf *message)
{
    const char *names[TABLE_MAX + 1] = {0};
    char todo[128] = "see --help";
    struct buf text;
    for (size_t i = 0; table[i].name && i < TABLE_MAX; i++)
        names[i] = table[i].name;
    const char *near = flags_near(given, names);
    buf_init_fixed(&text, (uint8_t *)todo, sizeof(todo) - 1);
    if (near && buf_printf(&text, "did you mean %s?", near) == ERR_OK)
        todo[text.size] = 0;
    return refuse(message, "unknown flag", given, todo);
}

static const struct flag *find(const struct flag *table, struct bytes name)
{
    for (const struct flag *flag = table; flag->name; flag++)
        if (bytes_equal(bytes_from_str(flag->name), name))
            return flag;
    return NULL;
}

static enum err add(struct flags *f, const struct flag *flag, const char *value,
                    struct buf *message)
{
    if (!flag->many && flags_has(f, flag->name))
        return refuse(message, "flag given twice", flag->name, "give it once");
    if (f->given_count == FLAGS_GIVEN_MAX)
        return refuse(message, "too many flags", flag->name, "use the configuration file");
    f->given[f->given_count].flag = flag;
    f->given[f->given_count++].value = value;
    return ERR_OK;
}

/* Takes argv[*index] and, where its value stands apart, the one after it. */
static enum err take_flag(int argc, char *const *argv, int *index, const struct flag *table,
                          struct flags *f, struct buf *message)
{
    const char *given = argv[*index];
    struct bytes name = bytes_from_str(given);
    const char *equals = given[1] == '-' ? strchr(given, '=') : NULL;
    if (equals)
        name.size = (size_t)(equals - given);
    const struct flag *flag = find(table, name);
    if (!flag)
        return refuse_unknown(table, given, message);
    if (!flag->value)
        return equals
                   ? refuse(message, "flag takes no value", flag->name, "leave out what follows =")
                   : add(f, flag, "", message);
    if (equals)
        return add(f, flag, equals + 1, message);
    if (*index + 1 >= argc)
        return refuse(message, "value missing", flag->name, "see --help");
    *index += 1;
    return add(f, flag, argv[*index], message);
}

/* Keys are written as base64url, whose letters include the dash: one in 64 begins with it. */
static bool is_key(const char *word)
{
    uint8_t room[CRYPTO_PUBLIC_SIZE];
    struct buf key;
    buf_init_fixed(&key, room, sizeof(room));
    return crypto_base64_decode(bytes_from_str(word), &key) == ERR_OK && key.size == sizeof(room);
}

enum err flags_parse(int argc, char *const *argv, const struct flag *table, struct flags *ret_flags,
                     struct buf *message)
{
    struct flags f = {.given_count = 0};
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] && !is_key(argv[i])) {
            TRY(take_flag(argc, argv, &i, table, &f, message));
        } else {
            if (f.word_count == FLAGS_WORDS_MAX)
                return refuse(message, "too many arguments", argv[i], "see --help");
            f.words[f.word_count++] = argv[i];
        }
    }
    *ret_flags = f;
    return ERR_OK;
}

const char *flags_next(const struct flags *f, const char *name, size_t *cursor)
{
    while (*cursor < f->given_count) {
        size_t at = (*cursor)++;
        if (strcmp(f->given[at].flag->name, name) == 0)
            return f->given[at].value;
    }
    return NULL;
}

const char *flags_get(const struct flags *f, const char *name)
{
    size_t cursor = 0;
    return flags_next(f, name, &cursor);
}

bool flags_has(const struct flags *f, const char *name)
{
    return flags_get(f, name) != NULL;
}
