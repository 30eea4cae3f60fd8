/* Figures of a backend: what is measured of it besides its load, as small numbers. Each may be not
 * known, which is a state of its own and never 0. A struct of zeros knows nothing. Pure. */
#ifndef NODE_MESH_FIGURES_H
#define NODE_MESH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Their numbers are bits on the wire: never renumbered, new ones at the end. The first seven fit
 * one byte of mask. */
enum figure {
    FIGURE_GPU_LOAD,     /* percent */
    FIGURE_GPU_MEMORY,   /* percent of it in use */
    FIGURE_GPU_CELSIUS,  /* degrees */
    FIGURE_KV,           /* percent of the KV cache in use */
    FIGURE_TTFT_P50,     /* ms, to the first byte of an answer; 0: less than half of one */
    FIGURE_TTFT_P99,     /* ms */
    FIGURE_ERRORS,       /* failed attempts, per mille */
    FIGURE_LATENCY_P50,  /* ms, of whole answers */
    FIGURE_LATENCY_P99,  /* ms */
    FIGURE_TOKENS_PER_S, /* made by the engine, of one answer */
    FIGURES
};

struct figures {
    uint32_t known; /* bit i: values[i] is */
    uint32_t values[FIGURES];
};

/* Rounded. What cannot be (not a number, negative, above the figure's range) is not known. */
void figures_set(struct figures *f, enum figure which, double value);
bool figures_get(const struct figures *f, enum figure which, uint32_t *ret_value);
/* Fills what f does not know from `other`. */
void figures_complete(struct figures *f, const struct figures *other);

/* What changed less since it was said than its slack (a few percent) is as it was said: figures
 * that tremble are not news. */
void figures_settle(struct figures *f, const struct figures *said);
/* The GPU's load changed by a tenth, or became known, or is no longer. */
bool figures_is_sharp(const struct figures *f, const struct figures *said);

/* --- codes: mask, then one code per figure in the order of bits. Percents and degrees as they are;
 * others with four significant bits, within 1/16 of the value. One byte each, as varints, up to
 * 240,000. */
/* At most 1 + FIGURES codes; 0: nothing is known. */
size_t figures_pack(const struct figures *f, uint32_t ret_codes[1 + FIGURES]);
/* Takes `*ret_used` of the codes. Figures that this version does not know are skipped. False: not
 * such codes, or beyond a figure's range. */
bool figures_unpack(const uint32_t *codes, size_t count, struct figures *ret_figures,
                    size_t *ret_used);

#endif
