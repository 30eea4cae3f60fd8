/* `grapevine version`: what this binary is made of. GV_VERSION and GV_COMMIT come from the build.
 */
#include "base/crypto.h"
#include "base/kv.h"
#include "node/cli/command.h"
#include "node/config/config.h"
#include "node/http/h2.h"
#include "node/io/loop.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif
#define LIBRARY_COUNT 7

struct library {
    const char *name;
    const char *version;
};

static void list_libraries(struct library ret_libraries[LIBRARY_COUNT])
{
    const struct library libraries[LIBRARY_COUNT] = {
        {"libuv", io_library_version()},   {"libsodium", crypto_library_version()},
        {"lmdb", kv_library_version()},    {"llhttp", http_library_version()},
        {"nghttp2", h2_library_version()}, {"libyaml", config_library_version()},
        {"cjson", cJSON_Version()},
    };
    memcpy(ret_libraries, libraries, sizeof(libraries));
}

static enum cli_exit print_json(const struct library libraries[LIBRARY_COUNT])
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "version", GV_VERSION);
    cJSON_AddStringToObject(object, "commit", GV_COMMIT);
    cJSON_AddStringToObject(object, "compiler", COMPILER);
    cJSON *list = cJSON_AddObjectToObject(object, "libraries");
    for (size_t i = 0; i < LIBRARY_COUNT; i++)
        cJSON_AddStringToObject(list, libraries[i].name, libraries[i].version);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text)
        return say_error(CLI_FAILED, "%s: -o json: try again", err_text(ERR_NO_MEMORY));
    puts(text);
    free(text);
    return CLI_DONE;
}

enum cli_exit cli_version(const struct cli *cli)
{
    struct library libraries[LIBRARY_COUNT];
    list_libraries(libraries);
    if (cli->json)
        return print_json(libraries);
    printf("grapevine %s\ncommit    %s\ncompiler  %s\n", GV_VERSION, GV_COMMIT, COMPILER);
    for (size_t i = 0; i < LIBRARY_COUNT; i++)
        printf("%-9s %s\n", libraries[i].name, libraries[i].version);
    return CLI_DONE;
}
