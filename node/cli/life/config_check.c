/* `grapevine config check`: everything that `run` checks in the file, without starting. */
#include "node/cli/command.h"
#include "node/cli/dir/nodedir.h"

#include <stdio.h>

static enum cli_exit find_file(const struct cli *cli, char ret_path[FILES_PATH_MAX])
{
    char dir[FILES_PATH_MAX];
    if (cli->flags.word_count == 1) {
        bytes_to_str(bytes_from_str(cli->flags.words[0]), ret_path, FILES_PATH_MAX);
        return CLI_DONE;
    }
    enum cli_exit code = nodedir_find(&cli->flags, dir);
    if (code == CLI_DONE && files_join(dir, NODEDIR_CONFIG, ret_path) != ERR_OK)
        return say_file_error(ERR_LIMIT, dir);
    return code;
}

enum cli_exit cli_config_check(const struct cli *cli)
{
    char path[FILES_PATH_MAX];
    struct config config;
    struct buf text;
    enum cli_exit code = find_file(cli, path);
    if (code != CLI_DONE)
        return code;
    buf_init(&text, NODEDIR_CONFIG_MAX);
    code = nodedir_load_config(path, &cli->flags, &text, &config);
    buf_fini(&text);
    if (code != CLI_DONE)
        return code;
    if (cli->json)
        printf("{\"valid\":true,\"node\":\"%s\"}\n", config.name);
    else
        printf("valid: %s: node %s, tier %s, region %s, %zu backends, %zu peers\n", path,
               config.name, tier_name(config.tier), config.region, config.backend_count,
               config.peer_count);
    return CLI_DONE;
}
