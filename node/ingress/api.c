/* The table of paths. Called by http_conn and peer_conn for every request; a dozen rows, so a loop
 * that compares lengths first is cheaper than a map. */
#include "node/ingress/api.h"

#include "node/ingress/local.h"

#define GET_ (1u << HTTP_GET)
#define POST_ (1u << HTTP_POST)
#define INFER(path_, task_)                                                                        \
    {                                                                                              \
        path_, false, true, API_INFER, API_CLIENT | API_PEER, POST_, "POST, OPTIONS", task_, NULL  \
    }
#define LOCAL(path_, prefix_, faces_, answer_)                                                     \
    {                                                                                              \
        path_, prefix_, false, API_LOCAL, faces_, GET_, "GET, HEAD, OPTIONS", NULL, answer_        \
    }
#define ORDER(path_, prefix_, methods_, allow_, answer_)                                           \
    {                                                                                              \
        path_, prefix_, false, API_LOCAL, API_CONTROL, methods_, allow_, NULL, answer_             \
    }

static const struct api_endpoint endpoints[] = {
    INFER("/v1/chat/completions", "chat"),
    INFER("/v1/completions", "completion"),
    INFER("/v1/embeddings", "embedding"),
    INFER("/v1/responses", "chat"),
    INFER("/v1/messages", "chat"),
    INFER("/v1/rerank", "rerank"),
    {"/v1/models", true, true, API_LOCAL, API_CLIENT | API_CONTROL, GET_, "GET, HEAD, OPTIONS",
     NULL, local_openai_models},
    LOCAL("/livez", false, API_CLIENT | API_CONTROL, local_livez),
    LOCAL("/readyz", false, API_CLIENT | API_CONTROL, local_readyz),
    LOCAL("/metrics", false, API_CLIENT | API_CONTROL, local_metrics),
    LOCAL("/sd", false, API_CLIENT | API_CONTROL, local_sd),
    LOCAL("/mesh/v1/status", false, API_CONTROL | API_SIGNED, local_status),
    LOCAL("/mesh/v1/nodes", false, API_CONTROL | API_SIGNED, local_nodes),
    LOCAL("/mesh/v1/models", false, API_CONTROL | API_SIGNED, local_models),
    LOCAL("/mesh/v1/receipts", true, API_CONTROL | API_SIGNED, local_receipt),
    LOCAL("/mesh/v1/explain", true, API_CONTROL | API_SIGNED, local_explain),
    LOCAL("/mesh/v1/decisions", false, API_CONTROL | API_SIGNED, local_decisions),
    LOCAL("/mesh/v1/events", false, API_CONTROL | API_SIGNED, local_events),
    LOCAL("/mesh/v1/registry", true, API_CONTROL | API_SIGNED, local_registry),
    LOCAL("/mesh/v1/voters", false, API_CONTROL | API_SIGNED, local_voters),
    LOCAL("/mesh/v1/log", false, API_CONTROL | API_SIGNED, local_log),
    LOCAL("/mesh/v1/snapshot", false, API_CONTROL | API_SIGNED, local_snapshot),
    LOCAL("/mesh/v1/watch", false, API_CONTROL | API_SIGNED, local_watch),
    {"/mesh/v1/commands", false, false, API_LOCAL, API_CONTROL | API_SIGNED, POST_, "POST, OPTIONS",
     NULL, local_commands},
    ORDER("/mesh/v1/leave", false, POST_, "POST, OPTIONS", local_leave),
    ORDER("/mesh/v1/gossip-keys", true, GET_ | POST_, "GET, HEAD, POST, OPTIONS",
          local_gossip_keys),
};
#define ROWS (sizeof(endpoints) / sizeof(endpoints[0]))
_Static_assert(ROWS <= API_COUNT, "API_COUNT bounds the metrics' tables");

struct bytes api_path(struct bytes target)
{
    return bytes_of(target.data, bytes_find(target, '?'));
}

const struct api_endpoint *api_find(struct bytes target, enum api_face face)
{
    struct bytes path = api_path(target);
    unsigned faces = face == API_CLIENT ? API_CLIENT | API_SIGNED : face;
    for (size_t i = 0; i < ROWS; i++) {
        const struct api_endpoint *e = &endpoints[i];
        struct bytes want = bytes_from_str(e->path);
        if (!(e->faces & faces) || !bytes_starts_with(path, want))
            continue;
        if (path.size == want.size || (e->prefix && path.data[want.size] == '/'))
            return e;
    }
    return NULL;
}

size_t api_index(const struct api_endpoint *e)
{
    return e ? (size_t)(e - endpoints) : API_COUNT;
}

const struct api_endpoint *api_at(size_t index)
{
    return index < ROWS ? &endpoints[index] : NULL;
}
