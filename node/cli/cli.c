/* Dispatch: finds the command, parses its flags, runs it, and makes sure that what it printed
 * arrived. Called by node/main.c. */
#include "node/cli/cli.h"

#include "base/crypto.h"
#include "node/cli/command.h"

#include <stdio.h>

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool asks_for_help(int argc, char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_help(argv[i]))
            return true;
    return false;
}

/* "gossip key" of `gossip key --help`: the words before the flag. */
static void join_words(int argc, char *const *argv, char ret_words[128])
{
    ret_words[0] = 0;
    for (int i = 0; i < argc && !is_help(argv[i]); i++) {
        size_t used = strlen(ret_words);
        snprintf(ret_words + used, 128 - used, "%s%.60s", i ? " " : "", argv[i]);
    }
}

static bool is_group(const char *words)
{
    size_t size = strlen(words);
    for (size_t i = 0; i < command_count(); i++) {
        const char *name = command_at(i)->name;
        if (strncmp(name, words, size) == 0 && name[size] == ' ')
            return true;
    }
    return false;
}

/* "receipt" or "gossip key" alone, or with a word behind it that no command has. */
static enum cli_exit refuse_group(int argc, char *const *argv, bool *ret_is_group)
{
    char list[256] = "", words[128];
    for (size_t i = 0; i < command_count(); i++) {
        const char *name = command_at(i)->name;
        size_t size = strlen(argv[0]);
        if (strncmp(name, argv[0], size) != 0 || name[size] != ' ')
            continue;
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%s", used ? " or " : "", name);
    }
    *ret_is_group = list[0] != 0;
    if (!list[0])
        return CLI_DONE;
    join_words(argc < 3 ? argc : 3, argv, words);
    return say_error(CLI_USAGE, "%s: %s: try grapevine %s",
                     is_group(words) ? "incomplete command" : "unknown command", words, list);
}

static enum cli_exit refuse_command(int argc, char *const *argv)
{
    bool is_group;
    enum cli_exit code = refuse_group(argc, argv, &is_group);
    if (is_group)
        return code;
    const char *kind = argv[0][0] == '-' ? "flag before a command" : "unknown command";
    const char *near = command_near(argc, argv);
    if (near)
        return say_error(CLI_USAGE, "%s: %.200s: did you mean grapevine %s?", kind, argv[0], near);
    return say_error(CLI_USAGE, "%s: %.200s: see grapevine help", kind, argv[0]);
}

static enum cli_exit check_words(const struct cli *cli)
{
    const struct command *c = cli->command;
    if (cli->flags.word_count < c->words_min)
        return say_error(CLI_USAGE, "argument missing: %s: usage: grapevine %s %s", c->name,
                         c->name, c->arguments);
    if (cli->flags.word_count > c->words_max)
        return say_error(CLI_USAGE, "too many arguments: %.200s: usage: grapevine %s %s",
                         cli->flags.words[c->words_max], c->name, c->arguments);
    return CLI_DONE;
}

static enum cli_exit check_output(struct cli *cli)
{
    const char *format = flags_get(&cli->flags, "-o");
    if (format && strcmp(format, "json") != 0)
        return say_error(CLI_USAGE, "unknown format: -o %.100s: only json is known", format);
    cli->json = format != NULL;
    return CLI_DONE;
}

static enum cli_exit parse_and_run(const struct command *command, int argc, char *const *argv)
{
    struct cli cli = {.command = command};
    char message[512];
    struct buf text;
    buf_init_fixed(&text, (uint8_t *)message, sizeof(message) - 1);
    if (flags_parse(argc, argv, command->flags, &cli.flags, &text) != ERR_OK) {
        message[text.size] = 0;
        return say_error(CLI_USAGE, "%s", message);
    }
    enum cli_exit code = check_output(&cli);
    if (code == CLI_DONE)
        code = check_words(&cli);
    return code == CLI_DONE ? command->run(&cli) : code;
}

static enum cli_exit dispatch(int argc, char *const *argv)
{
    int words;
    char group[128];
    if (argc == 0)
        return say_error(CLI_USAGE, "no command: grapevine: see grapevine help");
    if (is_help(argv[0])) {
        command_list();
        return CLI_DONE;
    }
    if (strcmp(argv[0], "--version") == 0)
        return parse_and_run(command_find(1, (char *[]){(char *)"version"}, &words), argc - 1,
                             argv + 1);
    const struct command *command = command_find(argc, argv, &words);
    join_words(argc, argv, group);
    if (!command && asks_for_help(argc, argv) && command_help_group(group))
        return CLI_DONE;
    if (!command)
        return refuse_command(argc, argv);
    if (asks_for_help(argc - words, argv + words)) {
        command_help(command);
        return CLI_DONE;
    }
    return parse_and_run(command, argc - words, argv + words);
}

enum cli_exit cli_help(const struct cli *cli)
{
    int words;
    char group[128];
    const struct flags *f = &cli->flags;
    if (f->word_count == 0) {
        command_list();
        return CLI_DONE;
    }
    char *argv[3] = {(char *)f->words[0], (char *)(f->word_count > 1 ? f->words[1] : ""),
                     (char *)(f->word_count > 2 ? f->words[2] : "")};
    const struct command *command = command_find((int)f->word_count, argv, &words);
    join_words((int)f->word_count, argv, group);
    if (!command && command_help_group(group))
        return CLI_DONE;
    if (!command)
        return refuse_command((int)f->word_count, argv);
    command_help(command);
    return CLI_DONE;
}

int cli_main(int argc, char **argv)
{
    if (crypto_init() != ERR_OK)
        return say_error(CLI_FAILED, "no source of randomness: libsodium: check the system");
    enum cli_exit code = dispatch(argc > 0 ? argc - 1 : 0, argv + 1);
    bool is_lost = fflush(stdout) != 0 || ferror(stdout);
    if (is_lost && code == CLI_DONE)
        return say_error(CLI_FAILED, "output lost: stdout: check what it is connected to");
    return (int)code;
}
