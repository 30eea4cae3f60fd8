/* mesh_sim: whole nodes with scripted engines, users and faults in a simulated world, seed by seed.
 * The program: options, seeds, the summary, and how a failure is told. See README.md here. */
#include "tests/sim/mesh_town.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define STEPS_DEFAULT 40

struct run {
    uint64_t first, last;
    const char *trace_path;
    bool prints_json;
    struct town_options options;
    struct town_stats total;
    uint64_t seeds_done;
};

/* --- what is told when the process dies within a seed */

static char last_words[160];

static void on_death(void)
{
    ssize_t ignored = write(STDERR_FILENO, last_words, strlen(last_words));
    (void)ignored;
}

static void on_signal(int number)
{
    on_death();
    signal(number, SIG_DFL);
    raise(number);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void prepare_last_words(const struct run *r, uint64_t seed)
{
    snprintf(last_words, sizeof last_words,
             "mesh_sim: seed %" PRIu64 " failed; again: mesh_sim --seed %" PRIu64
             " --steps %" PRIu64 "%s\n",
             seed, seed, r->options.steps, r->options.is_calm ? " --calm" : "");
}

static void catch_death(void)
{
    signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(on_death);
    else
        signal(SIGSEGV, on_signal);
}

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

static bool read_number(const char *text, uint64_t *ret_value)
{
    return bytes_to_u64(bytes_from_str(text), ret_value);
}

static bool read_range(const char *text, struct run *r)
{
    struct bytes all = bytes_from_str(text);
    struct bytes first = bytes_of(all.data, bytes_find(all, '.'));
    struct bytes rest = bytes_skip(all, first.size);
    return bytes_starts_with(rest, BYTES("..")) && bytes_to_u64(first, &r->first) &&
           bytes_to_u64(bytes_skip(rest, 2), &r->last) && r->first <= r->last;
}

static bool read_options(int argc, char **argv, struct run *r)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seeds", required_argument, NULL, 'S'},
                                            {"steps", required_argument, NULL, 'n'},
                                            {"trace", required_argument, NULL, 't'},
                                            {"calm", no_argument, NULL, 'c'},
                                            {"log", no_argument, NULL, 'l'},
                                            {"packets", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool ok = true;
    for (int o; ok && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
        switch (o) {
        case 's':
            ok = read_number(optarg, &r->first);
            r->last = r->first;
            break;
        case 'S': ok = read_range(optarg, r); break;
        case 'n':
            ok = read_number(optarg, &r->options.steps) && r->options.steps > 0 &&
                 r->options.steps <= TOWN_JOBS_MAX / 2;
            break;
        case 't': r->trace_path = optarg; break;
        case 'o': ok = r->prints_json = strcmp(optarg, "json") == 0; break;
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
    prepare_last_words(r, seed);
    unsigned failures = town_live(seed, &r->options, &stats);
    add_stats(&r->total, &stats);
    r->seeds_done++;
    if (failures)
        on_death();
    return failures;
}

int main(int argc, char **argv)
{
    struct run r = {.first = 1, .last = 1, .options.steps = STEPS_DEFAULT};
    if (!read_options(argc, argv, &r)) {
        usage(stderr);
        return 2;
    }
    if (crypto_init() != ERR_OK)
        return 1;
    if (r.trace_path && !(r.options.trace_file = fopen(r.trace_path, "w"))) {
        fprintf(stderr, "mesh_sim: %s: cannot be written\n", r.trace_path);
        return 1;
    }
    catch_death();
    unsigned failures = 0;
    uint64_t seed = r.first;
    for (; failures == 0 && seed <= r.last; seed++)
        failures += run_seed(&r, seed);
    last_words[0] = '\0';
    if (r.options.trace_file && fclose(r.options.trace_file) != 0)
        failures++;
    if (r.prints_json)
        print_summary(&r, failures, seed - 1);
    fflush(stdout);
    if (failures)
        _exit(1); /* the broken town is left standing: no news in its leaks */
    return 0;
}
