/* Figures of a swarm: what is counted while seeds run, and the summary's line. */
#include "tests/sim/gossip_stats.h"

#include <inttypes.h>

void histogram_add(struct histogram *h, uint64_t ms)
{
    uint64_t bucket = ms / HISTOGRAM_STEP_MS;
    h->counts[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS]++;
    h->total++;
    if (h->max_ms < ms)
        h->max_ms = ms;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->total), seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > wanted)
            return i * HISTOGRAM_STEP_MS;
    }
    return h->max_ms;
}

static void merge(struct histogram *sum, const struct histogram *h)
{
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        sum->counts[i] += h->counts[i];
    sum->total += h->total;
    if (sum->max_ms < h->max_ms)
        sum->max_ms = h->max_ms;
}

static void settle_one(struct histogram *h, uint64_t at_us, uint64_t from_us)
{
    if (at_us)
        histogram_add(h, (at_us - from_us) / 1000);
}

void swarm_stats_settle(struct swarm_stats *s)
{
    for (size_t i = 0; i < s->death_count; i++) {
        const struct swarm_death *d = &s->deaths[i];
        settle_one(&s->first_suspicion, d->suspected_us, d->at_us);
        settle_one(&s->first_down, d->down_us, d->at_us);
        settle_one(&s->last_down, d->last_down_us, d->at_us);
    }
    s->death_count = 0;
}

static void keep_max(uint64_t *sum, uint64_t value)
{
    if (*sum < value)
        *sum = value;
}

void swarm_stats_add(struct swarm_stats *sum, const struct swarm_stats *s)
{
    merge(&sum->first_suspicion, &s->first_suspicion);
    merge(&sum->first_down, &s->first_down);
    merge(&sum->last_down, &s->last_down);
    merge(&sum->converged, &s->converged);
    merge(&sum->load_age, &s->load_age);
    merge(&sum->load_delay, &s->load_delay);
    merge(&sum->summary_delay, &s->summary_delay);
    merge(&sum->age_error, &s->age_error);
    sum->seeds += s->seeds;
    sum->simulated_us += s->simulated_us;
    sum->steps += s->steps;
    sum->faults += s->faults;
    sum->false_downs += s->false_downs;
    sum->false_suspicions += s->false_suspicions;
    sum->suspicions += s->suspicions;
    sum->downs += s->downs;
    sum->refutations += s->refutations;
    sum->conflicts += s->conflicts;
    sum->refusals += s->refusals;
    sum->measured_us += s->measured_us;
    sum->node_us += s->node_us;
    sum->datagrams += s->datagrams;
    sum->datagram_bytes += s->datagram_bytes;
    sum->messages += s->messages;
    sum->message_bytes += s->message_bytes;
    sum->unreachable += s->unreachable;
    keep_max(&sum->rumours_max, s->rumours_max);
    keep_max(&sum->members_max, s->members_max);
    keep_max(&sum->sends_max, s->sends_max);
    sum->digest = sum->digest * UINT64_C(0x9e3779b97f4a7c15) + s->digest;
}

static void print_times(FILE *out, const char *name, const struct histogram *h)
{
    if (h->total)
        fprintf(out,
                ",\"%s_ms\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64
                ",\"count\":%" PRIu64 "}",
                name, histogram_at(h, 0.5), histogram_at(h, 0.99), h->max_ms, h->total);
    else
        fprintf(out, ",\"%s_ms\":null", name);
}

static double rate(uint64_t count, uint64_t us)
{
    return us ? (double)count * 1e6 / (double)us : 0;
}

void swarm_stats_print(const struct swarm_stats *s, FILE *out, const char *scenario, bool is_ok,
                       const char *failed_seed)
{
    fprintf(out,
            "{\"program\":\"gossip_sim\",\"scenario\":\"%s\",\"ok\":%s,\"seeds\":%" PRIu64
            ",\"simulated_s\":%.1f,\"steps\":%" PRIu64 ",\"faults\":%" PRIu64,
            scenario, is_ok ? "true" : "false", s->seeds, (double)s->simulated_us / 1e6, s->steps,
            s->faults);
    print_times(out, "first_suspicion", &s->first_suspicion);
    print_times(out, "first_down", &s->first_down);
    print_times(out, "last_down", &s->last_down);
    print_times(out, "converged", &s->converged);
    print_times(out, "load_age", &s->load_age);
    print_times(out, "load_delay", &s->load_delay);
    print_times(out, "summary_delay", &s->summary_delay);
    print_times(out, "age_error", &s->age_error);
    fprintf(out,
            ",\"false_downs\":%" PRIu64 ",\"false_suspicions\":%" PRIu64 ",\"suspicions\":%" PRIu64
            ",\"downs\":%" PRIu64 ",\"refutations\":%" PRIu64 ",\"conflicts\":%" PRIu64
            ",\"refusals\":%" PRIu64,
            s->false_downs, s->false_suspicions, s->suspicions, s->downs, s->refutations,
            s->conflicts, s->refusals);
    fprintf(out,
            ",\"bytes_per_node_s\":%.1f,\"datagrams_per_node_s\":%.2f"
            ",\"link_bytes_per_node_s\":%.1f,\"datagrams_s\":%.1f",
            rate(s->datagram_bytes, s->node_us), rate(s->datagrams, s->node_us),
            rate(s->message_bytes, s->node_us), rate(s->datagrams, s->measured_us));
    fprintf(out,
            ",\"rumours_max\":%" PRIu64 ",\"members_max\":%" PRIu64 ",\"sends_max\":%" PRIu64
            ",\"unreachable\":%" PRIu64 ",\"digest\":\"%016" PRIx64 "\",\"failed_seed\":%s}\n",
            s->rumours_max, s->members_max, s->sends_max, s->unreachable, s->digest, failed_seed);
}
