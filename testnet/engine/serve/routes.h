/* Paths of the emulated engine and who answers them. The real servers' paths depend on --like; the
 * testnet's own are /faults and the clouds' notices of reclaim. */
#ifndef TESTNET_ENGINE_SERVE_ROUTES_H
#define TESTNET_ENGINE_SERVE_ROUTES_H

#include "testnet/engine/serve/conn.h"

/* Answers the whole request that the connection has, now or by a job. */
void routes_dispatch(struct conn *c);
/* An error in the server's shape. */
void routes_refuse(struct conn *c, const struct say_error *error);

/* What stands behind the paths, by file. */
/* control.c */
void routes_faults_get(struct conn *c);
void routes_faults_post(struct conn *c);
void routes_faults_delete(struct conn *c);
void routes_aws_token(struct conn *c);
void routes_aws_spot(struct conn *c);
void routes_gcp_preempted(struct conn *c);
/* infer.c */
void routes_chat(struct conn *c);
void routes_completion(struct conn *c);
void routes_messages(struct conn *c);
void routes_embedding(struct conn *c);
void routes_count_tokens(struct conn *c);
void routes_tokenize(struct conn *c);
/* observe.c */
void routes_health(struct conn *c);
void routes_models(struct conn *c);
void routes_metrics(struct conn *c);
void routes_version(struct conn *c);
void routes_load(struct conn *c);
/* llamacpp.c */
void routes_slots(struct conn *c);
void routes_props(struct conn *c);
/* kserve.c */
void routes_v2(struct conn *c);

/* Path without its query, and the value of one argument of the query (empty: none). */
struct bytes routes_path(const struct conn *c);
struct bytes routes_argument(const struct conn *c, struct bytes name);

#endif
