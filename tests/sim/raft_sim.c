/* raft_sim: raft cores in a simulated world of faults, with checkers after every step, seed by
 * seed. The program: options, seeds, the summary, and how a failure is told. See README.md here. */
#include "tests/sim/raft_parts.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STEPS 1500 /* busy events of a world */

struct run {
    uint64_t first, last;
    const char *trace_path;
    bool prints_json;
    struct raft_options options;
    struct raft_stats total;
    uint64_t worlds;
    double seconds;
    uint64_t seconds_max; /* 0: no limit */
};

/* --- what is told when the process dies within a seed */

static char last_words[256];

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
    const struct raft_options *o = &r->options;
    int size = snprintf(last_words, sizeof(last_words),
                        "raft_sim: seed %" PRIu64 " failed; again: raft_sim --seed %" PRIu64
                        " --scenario %s",
                        seed, seed, o->scenario);
    if (o->steps != STEPS)
        size += snprintf(last_words + size, sizeof(last_words) - (size_t)size, " --steps %" PRIu64,
                         o->steps);
    snprintf(last_words + size, sizeof(last_words) - (size_t)size, "\n");
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
    fputs("usage: raft_sim [--seed N | --seeds A..B] [--scenario NAME] [--steps N]\n"
          "                [--seconds N] [--trace FILE] [-o json]\n"
          "  --seed N        one world (1)\n"
          "  --seeds A..B    one after the other, until one fails\n"
          "  --steps N       events of the busy part (1500)\n"
          "  --seconds N     begin no more worlds after so long\n"
          "  --trace FILE    what happened, JSON lines\n"
          "  -o json         a summary object as the last line\n"
          "  --scenario NAME which mixture of faults the seeds draw from:\n",
          out);
    scenario_list(out);
}

static bool read_range(const char *text, struct run *r)
{
    struct bytes all = bytes_from_str(text);
    struct bytes first = bytes_of(all.data, bytes_find(all, '.'));
    struct bytes rest = bytes_skip(all, first.size);
    return bytes_starts_with(rest, BYTES("..")) && bytes_to_u64(first, &r->first) &&
           bytes_to_u64(bytes_skip(rest, 2), &r->last) && r->first <= r->last;
}

static bool read_option(struct run *r, int option)
{
    switch (option) {
    case 's':
        if (!bytes_to_u64(bytes_from_str(optarg), &r->first))
            return false;
        r->last = r->first;
        return true;
    case 'S': return read_range(optarg, r);
    case 'c': r->options.scenario = optarg; return scenario_exists(optarg);
    case 'n':
        return bytes_to_u64(bytes_from_str(optarg), &r->options.steps) && r->options.steps > 0;
    case 'd': return bytes_to_u64(bytes_from_str(optarg), &r->seconds_max);
    case 't': r->trace_path = optarg; return true;
    case 'o': return r->prints_json = strcmp(optarg, "json") == 0;
    case 'h': usage(stdout); exit(0);
    default: return false;
    }
}

static bool read_options(int argc, char **argv, struct run *r)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},     {"seeds", required_argument, NULL, 'S'},
        {"scenario", required_argument, NULL, 'c'}, {"steps", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 'd'},  {"trace", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    bool ok = true;
    for (int o; ok && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;)
        ok = read_option(r, o);
    return ok && optind == argc;
}

/* --- seeds */

/* All counters are of one type: they are summed as an array. */
static void add(struct raft_stats *total, const struct raft_stats *one)
{
    uint64_t *to = (uint64_t *)total;
    const uint64_t *from = (const uint64_t *)one;
    for (size_t i = 0; i < sizeof(*total) / sizeof(uint64_t); i++)
        to[i] += from[i];
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool run_seeds(struct run *r)
{
    double begin = seconds_now();
    bool is_well = true;
    for (uint64_t seed = r->first; seed <= r->last && is_well; seed++) {
        struct raft_stats stats;
        r->options.seed = seed;
        prepare_last_words(r, seed);
        if (r->seconds_max && seconds_now() - begin >= (double)r->seconds_max)
            break;
        is_well = scenario_run(&r->options, &stats);
        add(&r->total, &stats);
        r->worlds++;
        if (!is_well)
            on_death();
    }
    r->seconds = seconds_now() - begin;
    return is_well;
}

static void print_summary(const struct run *r, bool is_well)
{
    static const char *const names[] = {
        "steps",       "messages",      "elections",   "commits",   "acknowledged", "unknown",
        "reads",       "crashes",       "wipes",       "rots",      "rollbacks",    "changes",
        "joint",       "transfers",     "snapshots",   "installs",  "chunks",       "repairs",
        "truncations", "disk_failures", "lost_writes", "states",    "virtual_ms",   "at_write",
        "at_send",     "at_apply",      "at_save",     "at_report", "at_release"};
    const uint64_t *values = (const uint64_t *)&r->total;
    printf("{\"program\":\"raft_sim\",\"ok\":%s,\"scenario\":\"%s\",\"worlds\":%" PRIu64,
           is_well ? "true" : "false", r->options.scenario, r->worlds);
    printf(",\"failed_seed\":");
    printf(is_well ? "null" : "%" PRIu64, r->options.seed);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        printf(",\"%s\":%" PRIu64, names[i], values[i]);
    printf(",\"seconds\":%.2f}\n", r->seconds);
}

int main(int argc, char **argv)
{
    static struct run r = {.first = 1, .last = 1, .options = {.scenario = "mixed", .steps = STEPS}};
    if (!read_options(argc, argv, &r)) {
        usage(stderr);
        return 2;
    }
    if (crypto_init() != ERR_OK)
        return 1;
    if (r.trace_path && !(r.options.trace = fopen(r.trace_path, "w"))) {
        fprintf(stderr, "raft_sim: %s: cannot be written\n", r.trace_path);
        return 1;
    }
    catch_death();
    bool is_well = run_seeds(&r);
    last_words[0] = '\0';
    if (r.options.trace && fclose(r.options.trace) != 0)
        is_well = false;
    if (r.prints_json)
        print_summary(&r, is_well);
    return is_well ? 0 : 1;
}
