/* Network coordinates: a point for each node, such that the distance of two points predicts the
 * round trip between the nodes, also between two that never met. Ranks the far; for peers in use
 * measured times replace it. Rides on probe acknowledgements: each ack brings the peer's coordinate
 * and one round trip. Pure arithmetic: no I/O, no memory, randomness from the caller's generator.
 *
 * Vivaldi with height (Dabek et al., SIGCOMM 2004, 5.4) in 8 dimensions; latency filter and gravity
 * (Ledlie et al., NSDI 2007); adjustment (Lee et al., "On Suitability of Euclidean Embedding",
 * 2010); with serf's parameters. Where we deviate, so that a lying peer does bounded harm, is said
 * at gossip_coordinate_update. */
#ifndef GOSSIP_COORDINATE_H
#define GOSSIP_COORDINATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/rng.h"

#define GOSSIP_COORDINATE_DIMENSIONS 8
#define GOSSIP_COORDINATE_WINDOW 20    /* residuals behind the adjustment and the pull bound */
#define GOSSIP_COORDINATE_BOUND_S 10.0 /* of every component; no round trip is longer */
#define GOSSIP_COORDINATE_HEIGHT_MIN_S 10e-6
#define GOSSIP_COORDINATE_ERROR_MAX 1.5    /* a newcomer's */
#define GOSSIP_COORDINATE_PULL_MIN_S 5e-3  /* any disagreement up to this one counts in full */
#define GOSSIP_COORDINATE_WARM_SAMPLES 200 /* until then a disagreement may count more */
#define GOSSIP_COORDINATE_SIZE 44          /* 11 big-endian int32: 10 times 10 ns, the error 1e-6 */
#define GOSSIP_RTT_MAX_US 10000000
#define GOSSIP_RTT_SAMPLES 3

/* What a node publishes. Distances in seconds. */
struct gossip_coordinate {
    double position[GOSSIP_COORDINATE_DIMENSIONS];
    double height;     /* the way from the node to the network's core, part of every distance */
    double adjustment; /* mean of what the space cannot express, part of distances; either sign */
    double error;      /* own estimate of the relative error, 0 is perfect */
};

/* The node's own state; read `own`, leave the rest to the functions. */
struct gossip_coordinate_self {
    struct gossip_coordinate own;
    double residuals[GOSSIP_COORDINATE_WINDOW]; /* measured minus unadjusted distance, a ring */
    uint32_t residual_next;
    uint32_t sample_count; /* up to GOSSIP_COORDINATE_WARM_SAMPLES */
};

/* The last round trips to one peer, kept by the caller beside the peer; all zero is empty. */
struct gossip_rtt_filter {
    uint32_t samples_us[GOSSIP_RTT_SAMPLES];
    uint32_t count;
    uint32_t next;
};

/* At the origin with the error of a newcomer. */
void gossip_coordinate_init(struct gossip_coordinate_self *self);

/* Moves the own coordinate after a measurement: `peer` is the coordinate that the peer claimed and
 * `rtt_us` the round trip; `filter` is that peer's. A round trip of 0 counts as 1 us. The generator
 * is drawn from only where the two positions coincide.
 * ERR_INVALID, nothing changed: rtt_us below 0 or above GOSSIP_RTT_MAX_US, invalid peer coordinate.
 * A state that has gone bad (not finite, out of bounds) starts afresh and the result is ERR_OK.
 *
 * What a liar can do with one sample:
 * - The peer's error counts as no better than our own, so that a claimed 0 weighs as an equal.
 * - The disagreement of claim and measurement counts up to 1.5 times the median of our last 20, at
 *   least GOSSIP_COORDINATE_PULL_MIN_S: Huber's bounded influence (1964), at one sigma, where 10 %
 *   of efficiency is lost. Up to 4 medians (2.7 sigma, hardly an honest sample) in the first
 *   GOSSIP_COORDINATE_WARM_SAMPLES, which unfold the space. It moves position and height by at most
 *   an eighth of that each.
 * - As a relative error it counts up to GOSSIP_COORDINATE_ERROR_MAX.
 * So one liar in ten is outweighed by the honest (tested); a patient liar who stays within the
 * bound and drags slowly is not detected here. */
MUST_CHECK enum err gossip_coordinate_update(struct gossip_coordinate_self *self,
                                             struct gossip_rtt_filter *filter,
                                             const struct gossip_coordinate *peer, int64_t rtt_us,
                                             struct rng *rng);

/* The predicted round trip; symmetric, greater than 0 for valid coordinates. */
double gossip_coordinate_distance_us(const struct gossip_coordinate *a,
                                     const struct gossip_coordinate *b);

/* Finite, every component within its bound: what may be published or taken from a peer. */
bool gossip_coordinate_is_valid(const struct gossip_coordinate *c);

/* The wire form. Encoding takes a valid coordinate and rounds it to 10 ns; decoding gives
 * ERR_INVALID for any other size than GOSSIP_COORDINATE_SIZE and for what is not valid. */
void gossip_coordinate_encode(const struct gossip_coordinate *c,
                              uint8_t ret_bytes[GOSSIP_COORDINATE_SIZE]);
MUST_CHECK enum err gossip_coordinate_decode(struct bytes in, struct gossip_coordinate *ret);

#endif
