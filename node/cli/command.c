/* The commands and their help; see command.h. cli.c looks a command up here and calls it. The rows
 * stand in tables: command_table.c, and command_rules.c for what administrators do. */
#include "node/cli/command_table.h"

#include <stdio.h>

static const struct command_table *const tables[] = {&command_table_node, &command_table_rules};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

size_t command_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < TABLES; i++)
        count += tables[i]->count;
    return count;
}

const struct command *command_at(size_t index)
{
    size_t i = 0;
    CHECK(index < command_count());
    while (index >= tables[i]->count)
        index -= tables[i++]->count;
    return &tables[i]->rows[index];
}

/* Are the first of argv, one or several, this name? */
static bool matches(const char *name, int argc, char *const *argv, int *ret_words)
{
    struct bytes rest = bytes_from_str(name);
    for (*ret_words = 0; rest.size > 0 && *ret_words < argc; ++*ret_words) {
        struct bytes word = bytes_of(rest.data, bytes_find(rest, ' '));
        if (!bytes_equal(word, bytes_from_str(argv[*ret_words])))
            return false;
        rest = bytes_skip(rest, word.size + 1);
    }
    return rest.size == 0;
}

/* The longest: "version put" is not `version` with a word behind it. */
const struct command *command_find(int argc, char *const *argv, int *ret_words)
{
    const struct command *found = NULL;
    int words;
    for (size_t i = 0; argc > 0 && i < command_count(); i++) {
        if (!matches(command_at(i)->name, argc, argv, &words) || (found && words <= *ret_words))
            continue;
        *ret_words = words;
        found = command_at(i);
    }
    return found;
}

const char *command_near(int argc, char *const *argv)
{
    const char *names[COMMANDS_MAX + 1] = {0};
    char both[192];
    CHECK(command_count() <= COMMANDS_MAX);
    for (size_t i = 0; i < command_count(); i++)
        names[i] = command_at(i)->name;
    snprintf(both, sizeof(both), "%.60s%s%.60s%s%.60s", argv[0], argc > 1 ? " " : "",
             argc > 1 ? argv[1] : "", argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
    const char *near = flags_near(both, names);
    return near ? near : flags_near(argv[0], names);
}

/* --- help */

void command_list(void)
{
    printf("grapevine: a routerless inference mesh\n\nusage: grapevine COMMAND [FLAGS]\n\n");
    for (size_t i = 0; i < command_count(); i++)
        printf("  %-19s%s\n", command_at(i)->name, command_at(i)->summary);
    printf("\ngrapevine COMMAND --help explains a command. To try it: grapevine run --dev "
           "--backend http://127.0.0.1:8081\n"
           "Exit status: 0 done, 1 failed, 2 usage, 3 refused, 4 not reachable or timed out.\n");
}

bool command_help_group(const char *words)
{
    size_t size = strlen(words);
    bool found = false;
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *c = command_at(i);
        if (strncmp(c->name, words, size) != 0 || c->name[size] != ' ')
            continue;
        if (!found)
            printf("usage: grapevine %s COMMAND [FLAGS]\n\n", words);
        printf("  %-19s%s\n", c->name, c->summary);
        found = true;
    }
    if (found)
        printf("\ngrapevine %s COMMAND --help explains a command.\n", words);
    return found;
}

void command_help(const struct command *c)
{
    printf("usage: grapevine %s%s%s [FLAGS]\n\n%s.\n", c->name, c->arguments[0] ? " " : "",
           c->arguments, c->summary);
    if (c->more[0])
        printf("%s\n", c->more);
    if (c->flags->name)
        printf("\n");
    for (const struct flag *flag = c->flags; flag->name; flag++) {
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", flag->name, flag->value ? " " : "",
                 flag->value ? flag->value : "");
        printf("  %-20s%s%s\n", left, flag->help, flag->many ? " (repeatable)" : "");
    }
}
