/* What an answer says, from its JSON: text, usage, whether it is an error or the end. */
#ifndef TESTNET_LOAD_ANSWER_READ_H
#define TESTNET_LOAD_ANSWER_READ_H

#include "testnet/load/core/talk.h"

struct answer_piece {
    bool is_end;   /* of a stream: [DONE], message_stop */
    bool is_error; /* {"error":…} */
    bool has_text;
    int64_t tokens; /* of the answer, by its usage; -1: not said */
};

/* The data of one event of a stream; its text is appended. MALFORMED as ERR_PROTOCOL; LIMIT. */
MUST_CHECK enum err answer_read_event(enum talk_api api, struct bytes data,
                                      struct answer_piece *ret_piece, struct buf *text);
/* A whole answer. */
MUST_CHECK enum err answer_read_whole(enum talk_api api, struct bytes body,
                                      struct answer_piece *ret_piece, struct buf *text);

#endif
