/* The paths this program answers, as data: which are inference requests that run somewhere in the
 * mesh, and which are answered here. Metrics use the same names, so their label set is bounded. */
#ifndef NODE_INGRESS_API_H
#define NODE_INGRESS_API_H

#include "node/http/http.h"

struct exchange;

enum api_kind {
    API_INFER, /* body scanned, routed, forwarded */
    API_LOCAL, /* answered here at once by `answer` */
};

enum api_face {
    API_CLIENT = 1,  /* the HTTP listener */
    API_CONTROL = 2, /* the control socket */
    API_PEER = 4,    /* links */
    API_SIGNED = 8,  /* the HTTP listener, for requests that an administrator signed (remote.h) */
};

struct api_endpoint {
    const char *path; /* exact; with `prefix` also everything below it */
    bool prefix;
    bool needs_key; /* it matters whose request it is (auth.h) */
    enum api_kind kind;
    unsigned faces;    /* api_face bits */
    unsigned methods;  /* bits 1 << http_method; HEAD goes with GET, OPTIONS with everything */
    const char *allow; /* the Allow field */
    const char *task;  /* "chat" "completion" "embedding" "rerank" ...; NULL for local ones */
    /* API_LOCAL: answers with exchange_answer or fails with an err that becomes an error answer. */
    enum err (*answer)(struct exchange *x, struct bytes path);
};

/* The endpoint of a request target (its query is cut off), or NULL. */
const struct api_endpoint *api_find(struct bytes target, enum api_face face);
/* Position in the table, for metrics; API_COUNT for NULL. */
#define API_COUNT 32
size_t api_index(const struct api_endpoint *e);
const struct api_endpoint *api_at(size_t index); /* NULL past the end */
struct bytes api_path(struct bytes target);

#endif
