/* mesh_sim: whole nodes with scripted engines, users and faults in a simulated world, seed by seed.
 * The program: options, seeds, the summary, and how a failure is told. See README.md here. */
#include "tests/sim/mesh_town.h"
#include "tests/sim/program.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define STEPS_DEFAULT 40

struct run {
    struct program program;
    struct town_options options;
    struct town_stats total;
    uint64_t seeds_done;
};

/* --- options */

static void usage(FILE *out)
{
    fputs("usage: mesh_sim [--seed N | --seeds A..B] [--steps N] [--trace FILE] [-o json]\n"
          "                [--calm] [--log] [--packets]\n"
          "  --seed N      one world (1)\n"
          "  --seeds A..B  one after the other\n"
          "  --steps N     requests in the busy phase of each (40)\n"
          "  --trace FILE  what happened, JSON lines\n"
          "  -o json       a summary object as the last line\n"
          "  --calm        without faults\n"
          "  --log         the nodes' logs on stderr\n"
          "  --packets     every packet and read in the trace, too\n",
          out);
}

static bool read_steps(const char *text, uint64_t *ret_steps)
{
    return bytes_to_u64(bytes_from_str(text), ret_steps) && *ret_steps > 0 &&
           *ret_steps <= TOWN_JOBS_MAX / 2;
}

static bool read_options(int argc, char **argv, struct run *r)
{
    static const struct option options[] = {PROGRAM_OPTIONS,
                                            {"steps", required_argument, NULL, 'n'},
                                            {"calm", no_argument, NULL, 'c'},
                                            {"log", no_argument, NULL, 'l'},
                                            {"packets", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool ok = true;
    for (int o; ok && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
        if (program_option(&r->program, o, optarg, &ok))
            continue;
        switch (o) {
        case 'n': ok = read_steps(optarg, &r->options.steps); break;
        case 'c': r->options.is_calm = true; break;
        case 'l': r->options.prints_log = true; break;
        case 'p': r->options.traces_packets = true; break;
        case 'h': usage(stdout); exit(0);
        default: ok = false;
        }
    }
    return ok && optind == argc;
}

/* --- seeds */

static void add_stats(struct town_stats *sum, const struct town_stats *s)
{
    sum->jobs += s->jobs;
    sum->faults += s->faults;
    sum->restarts += s->restarts;
    sum->receipts_checked += s->receipts_checked;
    sum->engine_cancels += s->engine_cancels;
    sum->retried += s->retried;
    for (size_t i = 0; i < 3; i++)
        sum->hedges[i] += s->hedges[i];
    for (size_t i = 0; i < JOB_OUTCOMES; i++)
        sum->outcomes[i] += s->outcomes[i];
    for (size_t i = 0; i < 4; i++)
        sum->hops[i] += s->hops[i];
    if (sum->in_flight_max < s->in_flight_max)
        sum->in_flight_max = s->in_flight_max;
    if (sum->queued_max < s->queued_max)
        sum->queued_max = s->queued_max;
}

static void print_summary(const struct run *r, unsigned failures, uint64_t failed_seed)
{
    const struct town_stats *s = &r->total;
    printf("{\"program\":\"mesh_sim\",\"ok\":%s,\"seeds\":%" PRIu64 ",\"requests\":%" PRIu64
           ",\"faults\":%" PRIu64 ",\"restarts\":%" PRIu64 ",\"retried\":%" PRIu64
           ",\"cancels_seen\":%" PRIu64 ",\"receipts_verified\":%" PRIu64
           ",\"in_flight_bytes_max\":%zu,\"queued_bytes_max\":%zu",
           failures ? "false" : "true", r->seeds_done, s->jobs, s->faults, s->restarts, s->retried,
           s->engine_cancels, s->receipts_checked, s->in_flight_max, s->queued_max);
    printf(",\"hedges\":{\"won\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"failed\":%" PRIu64 "}",
           s->hedges[0], s->hedges[1], s->hedges[2]);
    printf(",\"outcomes\":{");
    for (size_t i = JOB_OK; i < JOB_OUTCOMES; i++)
        printf("%s\"%s\":%" PRIu64, i == JOB_OK ? "" : ",", job_outcome_name((enum job_outcome)i),
               s->outcomes[i]);
    printf("},\"hops\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "],\"failed_seed\":",
           s->hops[0], s->hops[1], s->hops[2], s->hops[3]);
    if (failures)
        printf("%" PRIu64 "}\n", failed_seed);
    else
        printf("null}\n");
}

static unsigned run_seed(struct run *r, uint64_t seed)
{
    struct town_stats stats = {0};
    CHECK(buf_printf(program_seed(&r->program, seed), " --steps %" PRIu64 "%s", r->options.steps,
                     r->options.is_calm ? " --calm" : "") == ERR_OK);
    unsigned failures = town_live(seed, &r->options, &stats);
    add_stats(&r->total, &stats);
    r->seeds_done++;
    if (failures)
        program_failed();
    return failures;
}

int main(int argc, char **argv)
{
    struct run r = {.program = {.name = "mesh_sim", .first = 1, .last = 1},
                    .options.steps = STEPS_DEFAULT};
    if (!read_options(argc, argv, &r)) {
        usage(stderr);
        return 2;
    }
    if (!program_begin(&r.program))
        return 1;
    r.options.trace_file = r.program.trace_file;
    unsigned failures = 0;
    uint64_t seed = r.program.first;
    for (; failures == 0 && seed <= r.program.last; seed++)
        failures += run_seed(&r, seed);
    failures += !program_end(&r.program);
    if (r.program.prints_json)
        print_summary(&r, failures, seed - 1);
    fflush(stdout);
    if (failures)
        _exit(1); /* the broken town is left standing: no news in its leaks */
    return 0;
}
