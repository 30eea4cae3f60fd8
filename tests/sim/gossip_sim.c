/* gossip_sim: many gossip cores in a simulated network with faults and checkers, seed by seed. The
 * program: options, seeds, the summary, and how a failure is told. See README.md here. */
#include "tests/sim/gossip_world.h"
#include "tests/sim/program.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

struct run {
    struct program program;
    struct swarm_options options;
    struct swarm_stats total;
};

static enum err append_options(struct buf *b, const struct swarm_options *o)
{
    TRY(buf_printf(b, " --scenario %s", o->scenario));
    if (o->nodes)
        TRY(buf_printf(b, " --nodes %" PRIu64, o->nodes));
    if (o->regions)
        TRY(buf_printf(b, " --regions %" PRIu64, o->regions));
    if (o->seconds)
        TRY(buf_printf(b, " --seconds %" PRIu64, o->seconds));
    if (o->steps)
        TRY(buf_printf(b, " --steps %" PRIu64, o->steps));
    if (o->loss >= 0)
        TRY(buf_printf(b, " --loss %g", o->loss * 100));
    return o->is_idle ? buf_append_str(b, " --idle") : ERR_OK;
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

static bool read_loss(const char *text, double *ret_loss)
{
    char *end;
    *ret_loss = strtod(text, &end) / 100;
    return end != text && *end == '\0' && *ret_loss >= 0 && *ret_loss <= 0.9;
}

static bool read_option(struct run *r, int option)
{
    struct swarm_options *o = &r->options;
    bool is_good;
    if (program_option(&r->program, option, optarg, &is_good))
        return is_good;
    switch (option) {
    case 'c': o->scenario = optarg; return swarm_scenario_exists(optarg);
    case 'n': return read_number(optarg, SWARM_NODES_MAX, &o->nodes);
    case 'r': return read_number(optarg, SWARM_REGIONS_MAX, &o->regions);
    case 'd': return read_number(optarg, 1000000, &o->seconds);
    case 'f': return read_number(optarg, UINT64_MAX, &o->steps);
    case 'l': return read_loss(optarg, &o->loss);
    case 'i': o->is_idle = true; return true;
    case 'p': o->traces_packets = true; return true;
    case 'h': usage(stdout); exit(0);
    default: return false;
    }
}

static bool read_options(int argc, char **argv, struct run *r)
{
    static const struct option options[] = {PROGRAM_OPTIONS,
                                            {"scenario", required_argument, NULL, 'c'},
                                            {"nodes", required_argument, NULL, 'n'},
                                            {"regions", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 'd'},
                                            {"steps", required_argument, NULL, 'f'},
                                            {"loss", required_argument, NULL, 'l'},
                                            {"idle", no_argument, NULL, 'i'},
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
    r->options.trace_file = r->program.trace_file;
    for (uint64_t seed = r->program.first; seed <= r->program.last; seed++) {
        r->options.seed = seed;
        CHECK(append_options(program_seed(&r->program, seed), &r->options) == ERR_OK);
        if (swarm_live(&r->options, &r->total) == 0)
            continue;
        program_failed();
        snprintf(failed_seed, 24, "%" PRIu64, seed);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct run r = {.program = {.name = "gossip_sim", .first = 1, .last = 1},
                           .options = {.loss = -1, .scenario = "mixed"}};
    char failed_seed[24] = "null";
    if (!read_options(argc, argv, &r)) {
        usage(stderr);
        return 2;
    }
    if (!program_begin(&r.program))
        return 1;
    unsigned failures = run_seeds(&r, failed_seed);
    failures += !program_end(&r.program);
    if (r.program.prints_json)
        swarm_stats_print(&r.total, stdout, r.options.scenario, failures == 0, failed_seed);
    return failures ? 1 : 0;
}
