/* The goals are those of the design: never worse than round robin, near the oracle up to four
 * fifths of what the fleet can do, near the cheapest, no herds, nothing for those who fail fast or
 * lie. Round robin and oracle are themselves one draw each, so what is within NOISE counts as the
 * same. */
#include "tests/bench/routing_quality/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NOISE 0.03
#define CELLS_MAX 128

enum goal { GOAL_ROUND_ROBIN, GOAL_FIRST, GOAL_ORACLE, GOAL_COST, GOAL_HERD, GOAL_FLAWED, GOALS };
static const struct {
    const char *name, *text;
    double most; /* of the ratio */
} goals[GOALS] = {
    {"round_robin", "whole answer's p99 by round robin's", 1 + NOISE},
    {"round_robin_first", "first token's p99 by round robin's", 1 + NOISE},
    {"oracle", "whole answer's p99 by the oracle's", 1.2},
    {"cost", "cost of an answer by the cheapest oracle's", 1.05},
    {"herd", "first token's p99 by random's, facts of 10 s, 50 routers", 1},
    {"flawed", "share that a flawed member draws by an equal one", 1},
};

struct line { /* of the plot */
    char label[80];
    double first[REPORT_CHOOSERS], whole[REPORT_CHOOSERS]; /* p99, ms; 0: none */
};

struct report {
    const char *plot_path;
    double worst[GOALS];
    char where[GOALS][80];
    struct line lines[CELLS_MAX];
    size_t count;
};

const struct chooser *report_chooser(size_t index)
{
    static const struct chooser *const ours[] = {&chooser_ours, &chooser_oracle,
                                                 &chooser_all_knowing, &chooser_ours_cost,
                                                 &chooser_oracle_cost};
    return index < chooser_count ? &choosers[index] : ours[index - chooser_count];
}

bool report_is_of_cost(size_t index)
{
    return index == REPORT_OURS_COST || index == REPORT_ORACLE_COST;
}

struct report *report_create(const char *plot_path)
{
    struct report *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->plot_path = plot_path;
    for (int i = 0; i < GOALS; i++)
        r->worst[i] = NAN;
    return r;
}

/* --- a cell */

static double at_ms(const struct histogram *h, double share)
{
    return (double)histogram_at(h, share) / 1000;
}

static double per_answer(const struct outcome *o)
{
    return o->cost_usd / (double)(o->answered ? o->answered : 1);
}

static void show(const char *name, const struct outcome *o)
{
    double all = (double)(o->answered + o->failed);
    printf("  %-16s %7.0f %8.0f %9.0f %9.0f %7.1f %7.2f %8.2f %7.1f", name, at_ms(&o->first, 0.5),
           at_ms(&o->first, 0.99), at_ms(&o->whole, 0.5), at_ms(&o->whole, 0.99),
           100 * (double)o->good / all, 100 * (double)o->failed / all, 1e3 * per_answer(o),
           o->egress_mib);
    if (isnan(o->flawed))
        printf("       -\n");
    else
        printf(" %7.1f\n", 100 * o->flawed);
}

static void weigh(struct report *r, enum goal goal, double ratio, const char *where)
{
    if (!(ratio <= r->worst[goal])) {
        r->worst[goal] = ratio;
        snprintf(r->where[goal], sizeof r->where[goal], "%s", where);
    }
}

static double p99_ratio(const struct histogram *a, const struct histogram *b)
{
    return at_ms(a, 0.99) / fmax(at_ms(b, 0.99), 0.001);
}

static void judge(struct report *r, const struct cell *c, const struct outcome *o,
                  const char *where)
{
    const struct outcome *ours = &o[REPORT_OURS];
    weigh(r, GOAL_ROUND_ROBIN, p99_ratio(&ours->whole, &o[REPORT_ROUND_ROBIN].whole), where);
    weigh(r, GOAL_FIRST, p99_ratio(&ours->first, &o[REPORT_ROUND_ROBIN].first), where);
    if (c->load <= 0.8)
        weigh(r, GOAL_ORACLE, p99_ratio(&ours->whole, &o[REPORT_ORACLE].whole), where);
    if (c->age_us >= 10000000 && c->routers >= 50)
        weigh(r, GOAL_HERD, p99_ratio(&ours->first, &o[REPORT_RANDOM].first), where);
    if (!isnan(ours->flawed))
        weigh(r, GOAL_FLAWED, ours->flawed * (double)c->fleet->count, where);
    if (c->fleet->ceiling_us)
        weigh(r, GOAL_COST, per_answer(&o[REPORT_OURS_COST]) / per_answer(&o[REPORT_ORACLE_COST]),
              where);
}

void report_cell(struct report *r, const struct cell *cell, const struct outcome *outcomes)
{
    char where[80];
    snprintf(where, sizeof where, "%s, %s, load %.2g, facts of %.2g s, %u routers",
             cell->fleet->name, cell->work->name, cell->load, (double)cell->age_us / 1e6,
             cell->routers);
    printf(
        "%s\n  %-16s %16s %19s %7s %7s %8s %7s %7s\n  %-16s %7s %8s %9s %9s %7s %7s %8s %7s %7s\n",
        where, "", "first token, ms", "whole answer, ms", "goodput", "failed", "USD per", "egress",
        "flawed", "", "p50", "p99", "p50", "p99", "%", "%", "1000", "MiB", "%");
    struct line *line = r->count < CELLS_MAX ? &r->lines[r->count++] : NULL;
    for (size_t k = 0; k < REPORT_CHOOSERS; k++) {
        if (cell->fleet->ceiling_us == 0 && report_is_of_cost(k))
            continue;
        show(report_chooser(k)->name, &outcomes[k]);
        if (line) {
            line->first[k] = at_ms(&outcomes[k].first, 0.99);
            line->whole[k] = at_ms(&outcomes[k].whole, 0.99);
        }
    }
    if (line)
        memcpy(line->label, where, sizeof where);
    judge(r, cell, outcomes, where);
    printf("\n");
    fflush(stdout);
}

/* --- the plot: a row a cell, p99 by the oracle's on a logarithmic scale */

#define ROW 18
#define LEFT 360
#define WIDTH 480
#define RATIO_MAX 100.0
#define RATIO_MIN 0.5

static double x_of(double ratio)
{
    double cut = fmin(fmax(ratio, RATIO_MIN), RATIO_MAX);
    return LEFT + WIDTH * log(cut / RATIO_MIN) / log(RATIO_MAX / RATIO_MIN);
}

static void plot_panel(const struct report *r, FILE *f, double y, const char *title, bool is_first)
{
    static const char *const colours[REPORT_CHOOSERS] = {"#999",    "#c9a227", "#4477aa", "#aa3377",
                                                         "#008800", "#000",    "#777"};
    fprintf(f, "<text x='%d' y='%.0f' font-weight='bold'>%s</text>\n", LEFT, y - 8, title);
    for (double tick = 1; tick <= RATIO_MAX; tick *= 10)
        fprintf(f,
                "<line x1='%.0f' x2='%.0f' y1='%.0f' y2='%.0f' stroke='#ddd'/>"
                "<text x='%.0f' y='%.0f' fill='#777'>%g</text>\n",
                x_of(tick), x_of(tick), y, y + ROW * (double)r->count, x_of(tick) + 2, y + 10,
                tick);
    for (size_t i = 0; i < r->count; i++) {
        const double *p99 = is_first ? r->lines[i].first : r->lines[i].whole;
        double at = y + ROW * ((double)i + 0.7);
        fprintf(f, "<text x='4' y='%.0f'>%s</text>\n", at, r->lines[i].label);
        for (int k = 0; k <= REPORT_ALL_KNOWING; k++)
            fprintf(f, "<circle cx='%.1f' cy='%.0f' r='%d' fill='%s'/>\n",
                    x_of(p99[k] / p99[REPORT_ORACLE]), at - 4, k == REPORT_OURS ? 5 : 3,
                    colours[k]);
    }
    for (int k = 0; k <= REPORT_ALL_KNOWING; k++)
        fprintf(f, "<text x='%d' y='%.0f' fill='%s'>%s</text>\n", LEFT + k * 80,
                y + ROW * (double)r->count + 14, colours[k], report_chooser((size_t)k)->name);
}

static void plot(const struct report *r)
{
    FILE *f = fopen(r->plot_path, "w");
    double height = ROW * (double)r->count + 50;
    if (!f) {
        fprintf(stderr, "routing_quality: cannot write %s\n", r->plot_path);
        return;
    }
    fprintf(f,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%.0f' "
            "font-family='sans-serif' font-size='11'>\n",
            LEFT + WIDTH + 40, 2 * height);
    plot_panel(r, f, 30, "first token: p99 by the oracle's", true);
    plot_panel(r, f, 30 + height, "whole answer: p99 by the oracle's", false);
    fprintf(f, "</svg>\n");
    fclose(f);
}

/* --- the end */

bool report_finish(struct report *r)
{
    bool is_met = true;
    for (int i = 0; i < GOALS; i++) {
        if (isnan(r->worst[i]))
            continue;
        bool met = r->worst[i] <= goals[i].most;
        is_met &= met;
        printf("%-6s %-56s %6.2f (at most %.2f); worst: %s\n", met ? "met" : "MISSED",
               goals[i].text, r->worst[i], goals[i].most, r->where[i]);
    }
    printf("{\"cells\":%zu", r->count);
    for (int i = 0; i < GOALS; i++)
        if (!isnan(r->worst[i]))
            printf(",\"%s\":%.3f", goals[i].name, r->worst[i]);
    printf(",\"met\":%s}\n", is_met ? "true" : "false");
    if (r->plot_path)
        plot(r);
    free(r);
    return is_met;
}
