/* How well requests are routed: the node's own choice against round robin, random, least loaded,
 * power of two, and an oracle that knows all, over fleets, kinds of requests, loads, ages of facts
 * and numbers of routers (routing_quality/world.h). Simulated and seeded: same seed, same table.
 * One JSON object at the end. Exit 1: a goal was missed.
 *
 * usage: routing_quality [--fleet NAME] [--work NAME] [--load 0.8] [--age SECONDS] [--routers N]
 *                        [--requests N] [--seed N] [--plot FILE.svg]
 *
 * Without them: all fleets and works at loads of 0.5 and 0.8 with facts of a second and 10 routers,
 * and two of the fleets with other ages and numbers of routers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "tests/bench/routing_quality/report.h"

#define CELLS_MAX 128

struct wish { /* of the command line; NULL, 0: all */
    const char *fleet, *work, *plot;
    double load, age_s;
    uint32_t routers, requests;
    uint64_t seed;
};

static void add(struct cell *cells, size_t *count, const struct wish *wish, struct cell c)
{
    if ((wish->fleet && strcmp(wish->fleet, c.fleet->name) != 0) ||
        (wish->work && strcmp(wish->work, c.work->name) != 0) || *count == CELLS_MAX)
        return;
    if (wish->load > 0)
        c.load = wish->load;
    if (wish->age_s > 0)
        c.age_us = (uint64_t)(wish->age_s * 1e6);
    if (wish->routers > 0)
        c.routers = wish->routers;
    c.requests = wish->requests;
    c.seed = wish->seed;
    for (size_t i = 0; i < *count; i++) /* a wish made it the same as another */
        if (memcmp(&cells[i], &c, sizeof c) == 0)
            return;
    cells[(*count)++] = c;
}

static size_t make_cells(struct cell *cells, const struct wish *wish)
{
    static const double loads[] = {0.5, 0.8};
    static const struct {
        uint64_t age_us;
        uint32_t routers;
    } others[] = {{100000, 10}, {10000000, 10}, {1000000, 1}, {1000000, 50}, {10000000, 50}};
    size_t count = 0;
    struct cell c;
    memset(&c, 0, sizeof c); /* padding too: cells are compared */
    for (size_t f = 0; f < fleet_count; f++)
        for (size_t w = 0; w < work_count; w++)
            for (size_t l = 0; l < sizeof loads / sizeof loads[0]; l++) {
                c.fleet = &fleets[f];
                c.work = &works[w];
                c.load = loads[l];
                c.age_us = 1000000;
                c.routers = 10;
                add(cells, &count, wish, c);
                for (size_t o = 0; f < 2 && w == 0 && o < sizeof others / sizeof others[0]; o++) {
                    c.age_us = others[o].age_us;
                    c.routers = others[o].routers;
                    add(cells, &count, wish, c);
                }
            }
    return count;
}

static void usage(void)
{
    fprintf(stderr, "usage: routing_quality [--fleet NAME] [--work NAME] [--load 0.8]"
                    " [--age SECONDS] [--routers N]\n"
                    "                       [--requests N] [--seed N] [--plot FILE.svg]\n");
    exit(2);
}

static void read_options(int argc, char **argv, struct wish *wish)
{
    *wish = (struct wish){.requests = 5000, .seed = 1};
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1]; /* NULL behind the last */
        if (!value)
            usage();
        if (strcmp(name, "--fleet") == 0)
            wish->fleet = value;
        else if (strcmp(name, "--work") == 0)
            wish->work = value;
        else if (strcmp(name, "--plot") == 0)
            wish->plot = value;
        else if (strcmp(name, "--load") == 0)
            wish->load = strtod(value, NULL);
        else if (strcmp(name, "--age") == 0)
            wish->age_s = strtod(value, NULL);
        else if (strcmp(name, "--routers") == 0)
            wish->routers = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--requests") == 0)
            wish->requests = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--seed") == 0)
            wish->seed = strtoull(value, NULL, 10);
        else
            usage();
    }
    if (wish->routers > WORLD_ROUTERS_MAX || wish->requests < 100 || wish->load > 2)
        usage();
}

int main(int argc, char **argv)
{
    struct wish wish;
    static struct cell cells[CELLS_MAX];
    static struct outcome out[REPORT_CHOOSERS];
    read_options(argc, argv, &wish);
    if (crypto_init() != ERR_OK)
        return 1;
    size_t count = make_cells(cells, &wish);
    if (count == 0)
        usage();
    struct report *report = report_create(wish.plot);
    for (size_t i = 0; i < count; i++) {
        cells[i].rate = world_rate(&cells[i]);
        for (size_t k = 0; k < REPORT_CHOOSERS; k++)
            if (cells[i].fleet->ceiling_us > 0 || !report_is_of_cost(k))
                world_run(&cells[i], report_chooser(k), &out[k]);
        report_cell(report, &cells[i], out);
    }
    return report_finish(report) ? 0 : 1;
}
