/* Any bytes as a configuration: parsed or refused with a message; what is parsed and valid survives
 * writing and parsing again. */
#include <stdlib.h>

#include "node/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct config *config)
{
    static struct config again;
    struct buf first;
    struct buf second;
    struct buf message;
    buf_init(&first, 256 * 1024);
    buf_init(&second, 256 * 1024);
    buf_init(&message, 4096);
    if (!config->name[0]) /* a name is asked for by config_validate, and never written empty */
        bytes_to_str(BYTES("named"), config->name, sizeof(config->name));
    CHECK(config_write(config, &first) == ERR_OK);
    CHECK(config_parse(buf_bytes(&first), "written", &again, &message) == ERR_OK);
    CHECK(config_write(&again, &second) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct buf message;
    buf_init(&message, 4096);
    enum err e = config_parse(bytes_of(data, size), "fuzz", &config, &message);
    CHECK(e == ERR_OK || (e == ERR_INVALID && message.size > 0));
    if (e == ERR_OK)
        check_round_trip(&config);
    buf_clear(&message);

    config_defaults(&config);
    char assignment[512];
    bytes_to_str(bytes_of(data, size), assignment, sizeof(assignment));
    e = config_set(&config, assignment, &message);
    CHECK(e == ERR_OK || (e == ERR_INVALID && message.size > 0));
    if (e == ERR_OK)
        check_round_trip(&config);
    buf_fini(&message);
    return 0;
}
