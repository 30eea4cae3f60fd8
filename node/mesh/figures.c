/* Figures as values and as codes; see figures.h. The codes' bytes are wire.c's. */
#include "node/mesh/figures.h"

#define MANTISSA_BITS 3

static const struct {
    uint32_t max;
    uint32_t slack; /* of the figure's unit; where it is rough: percent of the value */
    bool is_rough;
} rows[FIGURES] = {
    [FIGURE_GPU_LOAD] = {100, 3, false},        [FIGURE_GPU_MEMORY] = {100, 3, false},
    [FIGURE_GPU_CELSIUS] = {127, 4, false},     [FIGURE_KV] = {100, 3, false},
    [FIGURE_TTFT_P50] = {3600000, 10, true},    [FIGURE_TTFT_P99] = {3600000, 10, true},
    [FIGURE_ERRORS] = {1000, 10, true},         [FIGURE_LATENCY_P50] = {3600000, 10, true},
    [FIGURE_LATENCY_P99] = {3600000, 10, true}, [FIGURE_TOKENS_PER_S] = {1000000, 10, true},
};

#define SHARP_PERCENT 10 /* of the GPU's load */

void figures_set(struct figures *f, enum figure which, double value)
{
    bool is_fine = value >= 0 && value <= rows[which].max; /* neither holds of NaN */
    f->known &= ~(1u << which);
    if (!is_fine)
        return;
    f->known |= 1u << which;
    f->values[which] = (uint32_t)(value + 0.5);
}

bool figures_get(const struct figures *f, enum figure which, uint32_t *ret_value)
{
    if (!(f->known & 1u << which))
        return false;
    *ret_value = f->values[which];
    return true;
}

void figures_complete(struct figures *f, const struct figures *other)
{
    uint32_t value;
    for (int i = 0; i < FIGURES; i++)
        if (!(f->known & 1u << i) && figures_get(other, (enum figure)i, &value))
            figures_set(f, (enum figure)i, value);
}

/* --- news */

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

static bool is_within_slack(int i, uint32_t value, uint32_t said)
{
    uint64_t slack = rows[i].is_rough ? (uint64_t)said * rows[i].slack / 100 : rows[i].slack - 1;
    return distance(value, said) <= slack;
}

void figures_settle(struct figures *f, const struct figures *said)
{
    uint32_t both = f->known & said->known;
    for (int i = 0; i < FIGURES; i++)
        if (both & 1u << i && is_within_slack(i, f->values[i], said->values[i]))
            f->values[i] = said->values[i];
}

bool figures_is_sharp(const struct figures *f, const struct figures *said)
{
    uint32_t is = 0, was = 0;
    bool is_known = figures_get(f, FIGURE_GPU_LOAD, &is);
    bool was_known = figures_get(said, FIGURE_GPU_LOAD, &was);
    return is_known != was_known || (is_known && distance(is, was) >= SHARP_PERCENT);
}

/* --- codes: a float without sign, exact below 16. The last value of an octave rounds up into the
 * next one by itself, since exponent and mantissa are one number. */

static uint32_t code_of(uint32_t value)
{
    unsigned shift = 0;
    while (value >> shift >= 2u << MANTISSA_BITS)
        shift++;
    uint32_t rounded = shift ? (value + (1u << (shift - 1))) >> shift : value;
    return (shift << MANTISSA_BITS) + rounded;
}

static uint64_t value_of(uint32_t code)
{
    unsigned shift = 0;
    if (code >> MANTISSA_BITS > 1)
        shift = (code >> MANTISSA_BITS) - 1;
    if (shift > 31)
        return UINT64_MAX;
    return (uint64_t)(code - (shift << MANTISSA_BITS)) << shift;
}

size_t figures_pack(const struct figures *f, uint32_t ret_codes[1 + FIGURES])
{
    size_t count = 1;
    if (f->known == 0)
        return 0;
    ret_codes[0] = f->known;
    for (int i = 0; i < FIGURES; i++)
        if (f->known & 1u << i)
            ret_codes[count++] = rows[i].is_rough ? code_of(f->values[i]) : f->values[i];
    return count;
}

static bool take(struct figures *f, int i, uint32_t code)
{
    if (i >= FIGURES)
        return true; /* of a later version */
    uint64_t value = rows[i].is_rough ? value_of(code) : code;
    /* The largest one may have been rounded up. */
    if (value > (uint64_t)rows[i].max + (rows[i].is_rough ? rows[i].max / 16 : 0))
        return false;
    figures_set(f, (enum figure)i, value > rows[i].max ? rows[i].max : (double)value);
    return true;
}

bool figures_unpack(const uint32_t *codes, size_t count, struct figures *ret_figures,
                    size_t *ret_used)
{
    struct figures f = {.known = 0};
    size_t used = 1;
    if (count == 0 || codes[0] == 0)
        return false;
    for (int i = 0; i < 32; i++) {
        if (!(codes[0] >> i & 1))
            continue;
        if (used == count || !take(&f, i, codes[used++]))
            return false;
    }
    *ret_figures = f;
    *ret_used = used;
    return true;
}
