/* Any bytes as a client's request to the emulated engine, in each of its kinds: read or refused;
 * what was read has tokens within bounds. */
#include <stdlib.h>

#include "testnet/engine/serve/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum say_kind kinds[] = {SAY_CHAT, SAY_COMPLETION, SAY_MESSAGES, SAY_EMBEDDING,
                                          SAY_INFER};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct ask ask;
        uint8_t storage[256];
        struct buf message;
        buf_init_fixed(&message, storage, sizeof storage);
        enum err e = read_ask(kinds[i], bytes_of(data, size), &ask, &message);
        if (e == ERR_OK) {
            CHECK(ask.token_count > 0 && ask.token_count <= READ_TOKENS_MAX);
            CHECK(ask.echo_count <= ENGINE_ECHO_MAX && ask.input_count <= SAY_INPUTS_MAX);
        }
        read_ask_fini(&ask);
    }
    return 0;
}
