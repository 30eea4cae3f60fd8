/* Prometheus text of a lane. The only reader of all other parts' counters; written on scrape, so it
 * may take its time. */
#include "node/telemetry/metrics.h"
#include "node/mesh/counts.h"

#include "node/egress/backend.h"
#include "node/ingress/http_conn.h"
#include "node/lane.h"

#include <inttypes.h>

static const uint64_t bounds_us[METRICS_BUCKETS - 1] = {
    500,    1000,   2500,    5000,    10000,   25000,    50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 30000000, 120000000};
static const char *const bound_names[METRICS_BUCKETS] = {
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
    "0.25",   "0.5",   "1",      "2.5",   "5",    "30",    "120",  "+Inf"};

static const int statuses[METRICS_STATUSES - 1] = {200, 201, 204, 206, 301, 304, 400, 401, 403,
                                                   404, 405, 408, 409, 410, 413, 414, 417, 422,
                                                   429, 431, 499, 500, 501, 502, 503, 504, 505};

void metrics_observe(struct metrics_histogram *h, uint64_t us)
{
    size_t i = 0;
    while (i < METRICS_BUCKETS - 1 && us > bounds_us[i])
        i++;
    h->counts[i]++;
    h->sum_us += us;
    h->count++;
}

void metrics_request(struct metrics *m, const struct api_endpoint *e, int status)
{
    size_t i = 0;
    while (i < METRICS_STATUSES - 1 && statuses[i] != status)
        i++;
    m->requests[api_index(e)][i]++;
}

enum err metrics_put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    return buf_printf(out, "# HELP grapevine_%s %s\n# TYPE grapevine_%s %s\n", name, help, name,
                      type);
}

static enum err single(struct buf *out, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    TRY(metrics_put_head(out, name, type, help));
    return buf_printf(out, "grapevine_%s %" PRIu64 "\n", name, value);
}

enum err metrics_put_rows(struct buf *out, const struct metrics_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(single(out, rows[i].name, rows[i].kind, rows[i].help, rows[i].value));
    return ERR_OK;
}

static enum err histogram(struct buf *out, const char *name, const char *help,
                          const struct metrics_histogram *h)
{
    TRY(metrics_put_head(out, name, "histogram", help));
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        total += h->counts[i];
        TRY(buf_printf(out, "grapevine_%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, bound_names[i],
                       total));
    }
    TRY(buf_printf(out, "grapevine_%s_sum %" PRIu64 ".%06" PRIu64 "\n", name, h->sum_us / 1000000,
                   h->sum_us % 1000000));
    return buf_printf(out, "grapevine_%s_count %" PRIu64 "\n", name, h->count);
}

const char *metrics_hedge_name(enum metrics_hedge outcome)
{
    static const char *const names[METRICS_HEDGES] = {"won", "lost", "failed"};
    return names[outcome];
}

static enum err hedges(const struct metrics *m, struct buf *out)
{
    TRY(metrics_put_head(out, "hedges_total", "counter",
                         "Attempts started beside one that took long, by what became of them."));
    for (int i = 0; i < METRICS_HEDGES; i++)
        TRY(buf_printf(out, "grapevine_hedges_total{outcome=\"%s\"} %" PRIu64 "\n",
                       metrics_hedge_name((enum metrics_hedge)i), m->hedges[i]));
    return ERR_OK;
}

static enum err requests(const struct metrics *m, struct buf *out)
{
    TRY(metrics_put_head(
        out, "requests_total", "counter",
        "Requests answered, by path and status (499: the client went away first)."));
    for (size_t e = 0; e <= API_COUNT; e++) {
        const struct api_endpoint *endpoint = api_at(e);
        if (!endpoint && e != API_COUNT)
            continue;
        for (size_t s = 0; s < METRICS_STATUSES; s++) {
            if (m->requests[e][s] == 0)
                continue;
            TRY(buf_printf(out, "grapevine_requests_total{path=\"%s\",status=\"",
                           endpoint ? endpoint->path : "other"));
            TRY(s < METRICS_STATUSES - 1 ? buf_append_decimal(out, (uint64_t)statuses[s])
                                         : buf_append_str(out, "other"));
            TRY(buf_printf(out, "\"} %" PRIu64 "\n", m->requests[e][s]));
        }
    }
    TRY(metrics_put_head(out, "failures_total", "counter",
                         "Failed requests and attempts, by reason."));
    for (int r = 1; r < ERR_COUNT; r++)
        if (m->failures[r])
            TRY(buf_printf(out, "grapevine_failures_total{reason=\"%s\"} %" PRIu64 "\n",
                           err_word((enum err)r), m->failures[r]));
    return ERR_OK;
}

static enum err backends(const struct lane *lane, struct buf *out)
{
    TRY(metrics_put_head(out, "backend_up", "gauge", "1 while the backend can be given requests."));
    for (size_t i = 0; i < lane->backend_count; i++)
        TRY(buf_printf(out, "grapevine_backend_up{backend=\"%s\"} %d\n",
                       lane->backends[i]->cfg.name, lane->backends[i]->state == BACKEND_UP));
    TRY(metrics_put_head(out, "backend_inflight", "gauge", "Requests running at the backend."));
    for (size_t i = 0; i < lane->backend_count; i++)
        TRY(buf_printf(out, "grapevine_backend_inflight{backend=\"%s\"} %" PRIu32 "\n",
                       lane->backends[i]->cfg.name, lane->backends[i]->inflight));
    TRY(metrics_put_head(out, "backend_queued", "gauge", "Requests waiting for the backend."));
    for (size_t i = 0; i < lane->backend_count; i++)
        TRY(buf_printf(out, "grapevine_backend_queued{backend=\"%s\"} %" PRIu32 "\n",
                       lane->backends[i]->cfg.name, lane->backends[i]->queued));
    TRY(metrics_put_head(out, "backend_requests_total", "counter",
                         "Attempts at the backend, by result."));
    for (size_t i = 0; i < lane->backend_count; i++) {
        const struct backend *b = lane->backends[i];
        TRY(buf_printf(
            out, "grapevine_backend_requests_total{backend=\"%s\",result=\"ok\"} %" PRIu64 "\n",
            b->cfg.name, b->served));
        TRY(buf_printf(
            out, "grapevine_backend_requests_total{backend=\"%s\",result=\"failed\"} %" PRIu64 "\n",
            b->cfg.name, b->failed));
    }
    return ERR_OK;
}

static enum err peers(const struct lane *lane, struct buf *out)
{
    unsigned by_state[4] = {0};
    for (size_t i = 0; i < mesh_peer_count(lane->mesh); i++)
        by_state[mesh_peer(lane->mesh, i)->state] += mesh_peer_is_listed(mesh_peer(lane->mesh, i));
    TRY(metrics_put_head(out, "peers", "gauge", "Other nodes known, by state."));
    for (unsigned s = 0; s < 4; s++)
        TRY(buf_printf(out, "grapevine_peers{state=\"%s\"} %u\n",
                       peer_state_name((enum peer_state)s), by_state[s]));
    TRY(metrics_put_head(out, "peer_rtt_seconds", "gauge",
                         "Smoothed round-trip time of the link to a peer."));
    for (size_t i = 0; i < mesh_peer_count(lane->mesh); i++) {
        const struct peer *p = mesh_peer(lane->mesh, i);
        if (p->link && p->rtt_us)
            TRY(buf_printf(out,
                           "grapevine_peer_rtt_seconds{peer=\"%s\"} %" PRIu64 ".%06" PRIu64 "\n",
                           p->name, p->rtt_us / 1000000, p->rtt_us % 1000000));
    }
    struct mesh_counts c;
    mesh_counts(lane->mesh, &c);
    TRY(single(out, "links_up_total", "counter", "Links that came up.", c.links_up));
    TRY(single(out, "links_failed_total", "counter", "Links lost and dials that failed.",
               c.links_failed));
    TRY(single(out, "link_handshakes_refused_total", "counter", "Handshakes refused.",
               c.handshakes_refused));
    TRY(single(out, "link_records_bad_total", "counter", "Link records that did not open.",
               c.records_bad));
    TRY(single(out, "link_rekeys_total", "counter", "Link keys renewed.", c.rekeys));
    TRY(single(out, "link_received_bytes_total", "counter", "Bytes received on links.",
               c.bytes_in));
    TRY(single(out, "link_sent_bytes_total", "counter", "Bytes sent on links.", c.bytes_out));
    return single(out, "gossip_messages_dropped_total", "counter",
                  "Gossip messages that no link took in time.", c.messages_dropped);
}

/* --- gossip */

static enum err labelled(struct buf *out, const char *name, const char *label, const char *value,
                         uint64_t count)
{
    return buf_printf(out, "grapevine_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, count);
}

static enum err members(const struct gossip_counts *c, struct buf *out)
{
    TRY(metrics_put_head(out, "members", "gauge",
                         "Nodes of the mesh by state, this one among them."));
    for (unsigned s = 0; s < 4; s++)
        TRY(labelled(out, "members", "state", gossip_state_name((enum gossip_state)s),
                     c->members[s]));
    TRY(single(out, "gossip_suspicions_total", "counter", "Members that came under suspicion.",
               c->suspicions));
    TRY(single(out, "gossip_refutations_total", "counter",
               "Suspicions of this node that it refuted.", c->refutations));
    TRY(single(out, "gossip_false_alarms_total", "counter", "Suspects that refuted.",
               c->false_alarms));
    TRY(single(out, "gossip_health", "gauge", "This node's own health: 0 is good, 8 the worst.",
               c->health));
    TRY(single(out, "gossip_stalls_total", "counter", "Times this process found itself stopped.",
               c->stalls));
    return single(out, "gossip_rumours", "gauge", "News waiting to be told.", c->rumours);
}

static enum err traffic(const struct gossip_counts *c, struct buf *out)
{
    TRY(metrics_put_head(out, "gossip_packets_total", "counter",
                         "Datagrams, and messages over links."));
    TRY(labelled(out, "gossip_packets_total", "way", "datagram_in", c->datagrams_in));
    TRY(labelled(out, "gossip_packets_total", "way", "datagram_out", c->datagrams_out));
    TRY(labelled(out, "gossip_packets_total", "way", "link_in", c->link_messages_in));
    TRY(labelled(out, "gossip_packets_total", "way", "link_out", c->link_messages_out));
    TRY(metrics_put_head(out, "gossip_bytes_total", "counter", "Their bytes."));
    TRY(labelled(out, "gossip_bytes_total", "way", "datagram_in", c->bytes_in));
    TRY(labelled(out, "gossip_bytes_total", "way", "datagram_out", c->bytes_out));
    TRY(labelled(out, "gossip_bytes_total", "way", "link_in", c->link_bytes_in));
    return labelled(out, "gossip_bytes_total", "way", "link_out", c->link_bytes_out);
}

static enum err verdicts(const struct gossip_counts *c, struct buf *out)
{
    TRY(metrics_put_head(out, "gossip_records_total", "counter",
                         "Records that came, by what they were."));
    TRY(labelled(out, "gossip_records_total", "verdict", "new", c->records_new));
    TRY(labelled(out, "gossip_records_total", "verdict", "known", c->records_known));
    TRY(labelled(out, "gossip_records_total", "verdict", "refused", c->records_refused));
    TRY(metrics_put_head(out, "gossip_refused_total", "counter",
                         "Datagrams, records and accusations refused, by reason."));
    for (int r = 1; r < ERR_COUNT; r++)
        if (c->refused[r])
            TRY(labelled(out, "gossip_refused_total", "reason", err_word((enum err)r),
                         c->refused[r]));
    return ERR_OK;
}

/* Not observed but looked at: how old everybody's newest load is at this moment. */
static enum err load_ages(const struct lane *lane, struct buf *out)
{
    static const uint64_t bounds_ms[] = {500, 1000, 2000, 5000, 10000, 30000, UINT64_MAX};
    static const char *const names[] = {"0.5", "1", "2", "5", "10", "30", "+Inf"};
    uint64_t counts[sizeof bounds_ms / sizeof bounds_ms[0]] = {0};
    uint64_t sum_ms = 0, count = 0, now_ms = io_now_ms(lane->loop), made_ms;
    for (size_t i = 0; i < mesh_peer_count(lane->mesh); i++) {
        const struct peer *p = mesh_peer(lane->mesh, i);
        if (p->state != PEER_ALIVE || !mesh_peer_load_made_ms(lane->mesh, p, &made_ms))
            continue;
        uint64_t age_ms = now_ms > made_ms ? now_ms - made_ms : 0;
        for (size_t b = 0; b < sizeof bounds_ms / sizeof bounds_ms[0]; b++)
            counts[b] += age_ms <= bounds_ms[b];
        sum_ms += age_ms;
        count++;
    }
    TRY(metrics_put_head(
        out, "gossip_load_age_seconds", "histogram",
        "Since living peers signed their newest loads; an unchanged load is not sent again."));
    for (size_t b = 0; b < sizeof bounds_ms / sizeof bounds_ms[0]; b++)
        TRY(labelled(out, "gossip_load_age_seconds_bucket", "le", names[b], counts[b]));
    TRY(buf_printf(out, "grapevine_gossip_load_age_seconds_sum %" PRIu64 ".%03" PRIu64 "\n",
                   sum_ms / 1000, sum_ms % 1000));
    return buf_printf(out, "grapevine_gossip_load_age_seconds_count %" PRIu64 "\n", count);
}

static enum err summaries(const struct lane *lane, struct buf *out)
{
    const struct summary_view *v = mesh_abroad(lane->mesh);
    uint64_t models = 0, left_out = 0;
    for (size_t i = 0; i < v->region_count; i++) {
        models += v->regions[i].believed.model_count;
        left_out += v->regions[i].believed.left_out;
    }
    TRY(metrics_put_head(
        out, "region_summaries", "gauge",
        "Other regions' summaries at hand: used; stale; or used, but in something outvoted."));
    for (int i = 0; i < SUMMARY_VERDICTS; i++)
        TRY(labelled(out, "region_summaries", "verdict",
                     summary_verdict_name((enum summary_verdict)i), v->verdicts[i]));
    TRY(single(out, "region_models", "gauge", "Models that other regions are believed to serve.",
               models));
    return single(out, "region_models_left_out", "gauge",
                  "Models of other regions for which their summaries had no room.", left_out);
}

static enum err gossip(const struct lane *lane, struct buf *out)
{
    struct gossip_counts c;
    mesh_gossip_counts(lane->mesh, &c);
    TRY(members(&c, out));
    TRY(traffic(&c, out));
    TRY(verdicts(&c, out));
    TRY(summaries(lane, out));
    return load_ages(lane, out);
}

enum err metrics_write(const struct lane *lane, struct buf *out)
{
    const struct metrics *m = &lane->metrics;
    TRY(metrics_put_head(out, "build_info", "gauge", "Always 1; the version is in the label."));
    TRY(buf_printf(
        out, "grapevine_build_info{version=\"%s\",node=\"%s\",tier=\"%s\",region=\"%s\"} 1\n",
        lane->version, lane->config->name, tier_name(lane->config->tier), lane->config->region));
    TRY(requests(m, out));
    TRY(histogram(out, "request_duration_seconds",
                  "Inference requests, first byte in to last byte out.", &m->duration));
    TRY(histogram(out, "time_to_first_byte_seconds", "Inference requests, until the answer began.",
                  &m->first_byte));
    TRY(single(out, "requests_inflight", "gauge", "Requests being worked on.",
               lane->exchange_count));
    TRY(single(out, "client_connections", "gauge",
               "Open client connections, those that only wait for the client's end included.",
               lane->connection_count));
    TRY(single(out, "connections_total", "counter", "Client connections accepted.",
               m->connections));
    TRY(single(out, "connections_refused_total", "counter", "Connections refused at the limit.",
               m->connections_refused));
    TRY(single(out, "connections_dropped_total", "counter",
               "Connections dropped for want of file descriptors.", m->connections_dropped));
    TRY(single(out, "peer_trails_refused_total", "counter",
               "Answers of peers whose trail of nodes made no sense and was left out.",
               m->trails_refused));
    TRY(single(out, "prompt_tokens_total", "counter", "Of all attempts, estimated.",
               m->prompt_tokens));
    TRY(single(out, "prompt_tokens_held_total", "counter",
               "Of these, what the chosen one was given lately, so that it may have it in a cache.",
               m->prompt_tokens_held));
    TRY(single(out, "retries_total", "counter", "Attempts after one that failed.", m->retries));
    TRY(hedges(m, out));
    TRY(single(out, "hops_received_total", "counter", "Requests received from peers.", m->hops_in));
    TRY(single(out, "hops_sent_total", "counter", "Requests sent to peers.", m->hops_out));
    TRY(single(out, "request_body_bytes_total", "counter", "Request body bytes received.",
               m->body_bytes_in));
    TRY(single(out, "response_body_bytes_total", "counter", "Answer body bytes passed on.",
               m->body_bytes_out));
    TRY(single(out, "body_buffer_bytes", "gauge", "Memory held by request bodies.",
               lane->bodies.used_bytes));
    TRY(single(out, "receipts_total", "counter", "Receipts kept.", m->receipts));
    TRY(single(out, "signatures_total", "counter",
               "Batch signatures made for envelopes and answers' receipts.",
               lane->signer.signatures));
    TRY(metrics_routing_write(lane, out));
    TRY(backends(lane, out));
    TRY(backend_queue_metrics(lane, out));
    TRY(metrics_figures_write(lane, out));
    TRY(peers(lane, out));
    TRY(gossip(lane, out));
    return metrics_rules_write(lane, out);
}
