/* gossip_sim: many gossip cores in a simulated network with faults and checkers, seed by seed. The
 * program: options, seeds, the summary, and how a failure is told. See README.md here. */
#include "tests/sim/gossip_world.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct run {
    uint64_t first, last;
    const char *trace_path;
    bool prints_json;
    struct swarm_options options;
    struct swarm_stats total;
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
    const struct swarm_options *o = &r->options;
    struct buf b;
    buf_init_fixed(&b, (uint8_t *)last_words, sizeof last_words - 2);
    enum err e = buf_printf(&b,
                            "gossip_sim: seed %" PRIu64 " failed; again: gossip_sim --seed %" PRIu64
                            " --scenario %s",
                            seed, seed, o->scenario);
    if (e == ERR_OK && o->nodes)
        e = buf_printf(&b, " --nodes %" PRIu64, o->nodes);
    if (e == ERR_OK && o->regions)
        e = buf_printf(&b, " --regions %" PRIu64, o->regions);
    if (e == ERR_OK && o->seconds)
        e = buf_printf(&b, " --seconds %" PRIu64, o->seconds);
    if (e == ERR_OK && o->steps)
        e = buf_printf(&b, " --steps %" PRIu64, o->steps);
    if (e == ERR_OK && o->loss >= 0)
        e = buf_printf(&b, " --loss %g", o->loss * 100);
    if (e == ERR_OK && o->is_idle)
        e = buf_append_str(&b, " --idle");
    CHECK(e == ERR_OK);
    memcpy(last_words + b.size, "\n", 2);
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
    fputs(
        "usage: gossip_sim [--seed N | --seeds A..B] [--scenario NAME] [--nodes N] [--regions R]\n"
        "                  [--seconds N] [--steps N] [--loss PERCENT] [--idle]\n"
        "                  [--trace FILE] [--packets] [-o json]\n"
        "  --seed N        one world (1)\n"
        "  --seeds A..B    one after the other, until one fails\n"
        "  --scenario NAME calm kill pause loss partition regions storm rolling restarts hours "
        "keys\n"
        "                  addresses narrow churn flap clocks dialonly blocked twin liar bench;\n"
        "                  mixed: another mixture by each seed\n"
        "  --nodes N       at most 2000; else the scenario says, as for what follows\n"
        "  --regions R     at most 32\n"
        "  --seconds N     of the busy time, simulated\n"
        "  --steps N       faults at most\n"
        "  --loss PERCENT  of datagrams\n"
        "  --idle          loads do not change\n"
        "  --trace FILE    what happened, JSON lines\n"
        "  --packets       whatever is sent in the trace, too\n"
        "  -o json         a summary object as the last line\n",
        out);
}

static bool read_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    return bytes_to_u64(bytes_from_str(text), ret_value) && *ret_value > 0 && *ret_value <= max;
}

static bool read_range(const char *text, struct run *r)
{
    struct bytes all = bytes_from_str(text);
    struct bytes first = bytes_of(all.data, bytes_find(all, '.'));
    struct bytes rest = bytes_skip(all, first.size);
    return bytes_starts_with(rest, BYTES("..")) && bytes_to_u64(first, &r->first) &&
           bytes_to_u64(bytes_skip(rest, 2), &r->last) && r->first <= r->last;
}

static bool read_loss(const char *text, double *ret_loss)
{
    char *end;
    *ret_loss = strtod(text, &end) / 100;
    return end != text && *end == '\0' && *ret_loss >= 0 && *ret_loss <= 0.9;
}

static bool read_option(struct run *r, int option)
{
    struct swarm_options *o = &r->options;
    switch (option) {
    case 's':
        if (!bytes_to_u64(bytes_from_str(optarg), &r->first))
            return false;
        r->last = r->first;
        return true;
    case 'S': return read_range(optarg, r);
    case 'c': o->scenario = optarg; return swarm_scenario_exists(optarg);
    case 'n': return read_number(optarg, SWARM_NODES_MAX, &o->nodes);
    case 'r': return read_number(optarg, SWARM_REGIONS_MAX, &o->regions);
    case 'd': return read_number(optarg, 1000000, &o->seconds);
    case 'f': return read_number(optarg, UINT64_MAX, &o->steps);
    case 'l': return read_loss(optarg, &o->loss);
    case 'i': o->is_idle = true; return true;
    case 't': r->trace_path = optarg; return true;
    case 'p': o->traces_packets = true; return true;
    case 'o': return r->prints_json = strcmp(optarg, "json") == 0;
    case 'h': usage(stdout); exit(0);
    default: return false;
    }
}

static bool read_options(int argc, char **argv, struct run *r)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seeds", required_argument, NULL, 'S'},
                                            {"scenario", required_argument, NULL, 'c'},
                                            {"nodes", required_argument, NULL, 'n'},
                                            {"regions", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 'd'},
                                            {"steps", required_argument, NULL, 'f'},
                                            {"loss", required_argument, NULL, 'l'},
                                            {"idle", no_argument, NULL, 'i'},
                                            {"trace", required_argument, NULL, 't'},
                                            {"packets", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool ok = true;
    for (int o; ok && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;)
        ok = read_option(r, o);
    return ok && optind == argc;
}

/* --- seeds */

static unsigned run_seeds(struct run *r, char failed_seed[24])
{
    for (uint64_t seed = r->first; seed <= r->last; seed++) {
        r->options.seed = seed;
        prepare_last_words(r, seed);
        if (swarm_live(&r->options, &r->total) == 0)
            continue;
        on_death();
        snprintf(failed_seed, 24, "%" PRIu64, seed);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct run r = {.first = 1, .last = 1, .options = {.loss = -1, .scenario = "mixed"}};
    char failed_seed[24] = "null";
    if (!read_options(argc, argv, &r)) {
        usage(stderr);
        return 2;
    }
    if (crypto_init() != ERR_OK)
        return 1;
    if (r.trace_path && !(r.options.trace_file = fopen(r.trace_path, "w"))) {
        fprintf(stderr, "gossip_sim: %s: cannot be written\n", r.trace_path);
        return 1;
    }
    catch_death();
    unsigned failures = run_seeds(&r, failed_seed);
    last_words[0] = '\0';
    if (r.options.trace_file && fclose(r.options.trace_file) != 0)
        failures++;
    if (r.prints_json)
        swarm_stats_print(&r.total, stdout, r.options.scenario, failures == 0, failed_seed);
    return failures ? 1 : 0;
}
