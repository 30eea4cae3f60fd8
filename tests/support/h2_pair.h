/* Two HTTP/2 sessions joined by memory, and what happened on their streams as text. The owner of
 * each stream is a struct pair_stream; knobs say how it reacts. Used by the unit tests and the fuzz
 * target of node/http/h2. */
#ifndef TESTS_SUPPORT_H2_PAIR_H
#define TESTS_SUPPORT_H2_PAIR_H

#include "node/http/h2.h"

#define PAIR_STREAMS_MAX 256

struct pair;

struct pair_stream {
    struct pair_side *side;
    struct h2_stream *s; /* NULL after on_closed or cancel */
    struct buf data;
    bool head, ended, closed;
    int status;
    enum err reason;
    size_t wants;
    size_t to_send; /* still to be sent by on_want */
    bool cancel_on_data, cancel_on_head, hold_credit;
};

struct pair_side {
    struct h2 *h;
    struct pair_stream streams[PAIR_STREAMS_MAX];
    size_t count;
    struct buf text;
    size_t outputs, goaways;
    enum err refuse; /* what on_request answers */
    bool cancel_requests;
};

struct pair {
    struct pair_side client, server;
};

void pair_must(enum err e);
void pair_cancel(struct pair_stream *ps);
struct pair *pair_create(struct h2_cfg client, struct h2_cfg server);
void pair_destroy(struct pair *p);
/* Moves one piece. */
enum err pair_move(struct pair_side *from, struct pair_side *to, bool *ret_moved);
/* Until both are silent; not for ever. */
enum err pair_pump(struct pair *p);
struct pair_stream *pair_request(struct pair *p, const struct http_head *head, bool ended);

#endif
