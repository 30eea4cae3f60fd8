/* Answers that this node gives itself: health, metrics, models, what the CLI reads, and what it
 * orders. */
#ifndef NODE_INGRESS_LOCAL_H
#define NODE_INGRESS_LOCAL_H

#include "base/bytes.h"
#include "base/err.h"

struct body;
struct buf;
struct exchange;

/* The query "last=N" of a target, where it has one. INVALID_REQUEST: another one. */
MUST_CHECK enum err local_read_last(struct bytes target, uint64_t *last);
enum err local_livez(struct exchange *x, struct bytes path);
enum err local_readyz(struct exchange *x, struct bytes path);
enum err local_metrics(struct exchange *x, struct bytes path);
enum err local_sd(struct exchange *x, struct bytes path);
enum err local_openai_models(struct exchange *x, struct bytes path);
enum err local_status(struct exchange *x, struct bytes path);
enum err local_nodes(struct exchange *x, struct bytes path);
enum err local_models(struct exchange *x, struct bytes path);
enum err local_receipt(struct exchange *x, struct bytes path);
/* local_decisions.c */
enum err local_explain(struct exchange *x, struct bytes path);
enum err local_decisions(struct exchange *x, struct bytes path);
/* local_orders.c */
enum err local_leave(struct exchange *x, struct bytes path);
/* Appends the whole body: BODY_TOO_LARGE. */
enum err local_read_body(const struct body *body, struct buf *out);
enum err local_gossip_keys(struct exchange *x, struct bytes path);
/* local_rules.c */
enum err local_commands(struct exchange *x, struct bytes path);
/* local_registry.c */
enum err local_registry(struct exchange *x, struct bytes path);
/* local_log.c */
enum err local_log(struct exchange *x, struct bytes path);
enum err local_snapshot(struct exchange *x, struct bytes path);
/* local_voters.c */
enum err local_voters(struct exchange *x, struct bytes path);
/* local_watch.c */
enum err local_watch(struct exchange *x, struct bytes path);
/* local_events.c */
enum err local_events(struct exchange *x, struct bytes path);

#endif
