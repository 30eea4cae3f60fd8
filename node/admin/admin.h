/* What operators and clients read about a node, as JSON (contract.md sections 3 and 4). Pure: a
 * view in, bytes out. */
#ifndef NODE_ADMIN_ADMIN_H
#define NODE_ADMIN_ADMIN_H

#include "node/config/config.h"
#include "node/mesh/mesh.h"
#include "node/rules/rules.h"

struct admin_view {
    const struct identity *identity;
    const struct mesh *mesh;
    const struct summary_view *abroad; /* what other regions serve; NULL: nothing is known */
    const struct facts *self;
    const char *state;   /* "starting" "ready" "draining" */
    uint64_t now_ms;     /* io_now_ms */
    uint64_t started_ms; /* io_now_ms at start */
    uint64_t epoch;
    const struct rules_status *rules;
    uint64_t incarnation; /* of this node; 0: not known */
    bool has_conflict;    /* another process speaks under its identity */
    uint32_t inflight;
};

MUST_CHECK enum err admin_status_json(const struct admin_view *v, struct buf *out);
MUST_CHECK enum err admin_nodes_json(const struct admin_view *v, struct buf *out);
MUST_CHECK enum err admin_models_json(const struct admin_view *v, struct buf *out);
/* GET /sd: HTTP service discovery for Prometheus, every node with an HTTP address, the down among
 * them, for they are to be missed: [{"targets":["host:port"],"labels":{"node","tier","region",
 * "zone"}}]. */
MUST_CHECK enum err admin_sd_json(const struct admin_view *v, struct buf *out);
/* GET /v1/models: {"object":"list","data":[{"id","object":"model","created","owned_by"}]}, each
 * model once, only what somebody alive can serve (this node's or a usable peer's backend that is
 * up, or a region that a usable gateway leads to), sorted by name. */
MUST_CHECK enum err admin_openai_models_json(const struct admin_view *v, struct buf *out);
/* GET /v1/models/ID: one such object; NOT_FOUND. */
MUST_CHECK enum err admin_openai_model_json(const struct admin_view *v, struct bytes id,
                                            struct buf *out);
/* Up to three served model names nearest to `name`, as "a, b, c"; "" when none is near or none is
 * served. */
void admin_near_models(const struct admin_view *v, struct bytes name, char *ret_text, size_t size);

#endif
