/* Network coordinates: the arithmetic of coordinate.h. All in seconds. Comparisons are written so
 * that a NaN passes through them and is found at the end, where it resets the state. */
#include "gossip/coordinate.h"

#include <math.h>
#include <stddef.h>

#define DIMENSIONS GOSSIP_COORDINATE_DIMENSIONS
#define WINDOW GOSSIP_COORDINATE_WINDOW

#define ERROR_GAIN 0.25          /* Vivaldi's c_e */
#define POSITION_GAIN 0.25       /* Vivaldi's c_c */
#define GRAVITY_RHO_S 150.0      /* so weak that it only stops the common drift of all nodes */
#define PULL_MEDIANS 1.5         /* 1.01 sigma, as sigma is 1.483 medians */
#define PULL_MEDIANS_WARMING 4.0 /* tighter, a line or a grid of newcomers unfolds too slowly */
#define NEAR_ZERO_S 1e-6         /* below it two positions coincide: their direction is noise */
#define ERROR_MIN 1e-6           /* at 0 no sample would ever weigh anything again */
#define WIRE_PER_SECOND 1e8
#define WIRE_PER_ERROR 1e6

static double clamp(double value, double bound)
{
    if (value > bound)
        return bound;
    return value < -bound ? -bound : value;
}

static double magnitude(const double vector[DIMENSIONS])
{
    double sum = 0;
    for (int i = 0; i < DIMENSIONS; i++)
        sum += vector[i] * vector[i];
    return sqrt(sum);
}

static double position_distance(const struct gossip_coordinate *a,
                                const struct gossip_coordinate *b)
{
    double difference[DIMENSIONS];
    for (int i = 0; i < DIMENSIONS; i++)
        difference[i] = a->position[i] - b->position[i];
    return magnitude(difference);
}

static double unadjusted_distance(const struct gossip_coordinate *a,
                                  const struct gossip_coordinate *b)
{
    return position_distance(a, b) + (a->height + b->height);
}

static double distance(const struct gossip_coordinate *a, const struct gossip_coordinate *b)
{
    double unadjusted = unadjusted_distance(a, b);
    double adjusted = unadjusted + (a->adjustment + b->adjustment);
    return adjusted > 0 ? adjusted : unadjusted;
}

double gossip_coordinate_distance_us(const struct gossip_coordinate *a,
                                     const struct gossip_coordinate *b)
{
    return distance(a, b) * 1e6;
}

void gossip_coordinate_init(struct gossip_coordinate_self *self)
{
    *self = (struct gossip_coordinate_self){
        .own = {.height = GOSSIP_COORDINATE_HEIGHT_MIN_S, .error = GOSSIP_COORDINATE_ERROR_MAX},
    };
}

/* A NaN fails every comparison, hence is invalid; so is an infinity. */
bool gossip_coordinate_is_valid(const struct gossip_coordinate *c)
{
    for (int i = 0; i < DIMENSIONS; i++)
        if (!(fabs(c->position[i]) <= GOSSIP_COORDINATE_BOUND_S))
            return false;
    return c->height >= GOSSIP_COORDINATE_HEIGHT_MIN_S && c->height <= GOSSIP_COORDINATE_BOUND_S &&
           fabs(c->adjustment) <= GOSSIP_COORDINATE_BOUND_S && c->error >= 0 &&
           c->error <= GOSSIP_COORDINATE_ERROR_MAX;
}

/* --- samples --------------------------------------------------------------------------------- */

/* Insertion sort: at most WINDOW values. Of an even count the upper of the two in the middle. */
static double median(double *values, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        double value = values[i];
        uint32_t at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return values[count / 2];
}

static double filter_rtt(struct gossip_rtt_filter *filter, int64_t rtt_us)
{
    filter->samples_us[filter->next] = rtt_us > 0 ? (uint32_t)rtt_us : 1;
    filter->next = (filter->next + 1) % GOSSIP_RTT_SAMPLES;
    if (filter->count < GOSSIP_RTT_SAMPLES)
        filter->count++;
    double samples[GOSSIP_RTT_SAMPLES];
    for (uint32_t i = 0; i < filter->count; i++)
        samples[i] = filter->samples_us[i] / 1e6;
    return median(samples, filter->count);
}

static uint32_t residual_count(const struct gossip_coordinate_self *self)
{
    return self->sample_count < WINDOW ? self->sample_count : WINDOW;
}

/* How much disagreement counts. The very first sample has nothing to be compared with: there the
 * measurement itself, which the peer can stretch but not shorten, is the bound. */
static double pull_bound(const struct gossip_coordinate_self *self, double rtt)
{
    uint32_t count = residual_count(self);
    double sizes[WINDOW];
    for (uint32_t i = 0; i < count; i++)
        sizes[i] = fabs(self->residuals[i]);
    bool is_warming = self->sample_count < GOSSIP_COORDINATE_WARM_SAMPLES;
    double medians = is_warming ? PULL_MEDIANS_WARMING : PULL_MEDIANS;
    double bound = count ? medians * median(sizes, count) : rtt;
    return bound < GOSSIP_COORDINATE_PULL_MIN_S ? GOSSIP_COORDINATE_PULL_MIN_S : bound;
}

/* --- moves ----------------------------------------------------------------------------------- */

static void random_direction(struct rng *rng, double ret_unit[DIMENSIONS])
{
    for (int i = 0; i < DIMENSIONS; i++)
        ret_unit[i] = rng_unit(rng) - 0.5;
    double size = magnitude(ret_unit);
    if (size < NEAR_ZERO_S) {
        ret_unit[0] = size = 1;
    }
    for (int i = 0; i < DIMENSIONS; i++)
        ret_unit[i] /= size;
}

/* Away from `peer` by `force`, towards it when negative. The height follows in proportion to its
 * share of the way, but never further than the position: a claimed position beside ours would make
 * that share as large as the liar likes. */
static void apply_force(struct gossip_coordinate *own, const struct gossip_coordinate *peer,
                        double force, struct rng *rng)
{
    double apart = position_distance(own, peer);
    double unit[DIMENSIONS];
    if (apart <= NEAR_ZERO_S)
        random_direction(rng, unit);
    else
        for (int i = 0; i < DIMENSIONS; i++)
            unit[i] = (own->position[i] - peer->position[i]) / apart;
    for (int i = 0; i < DIMENSIONS; i++)
        own->position[i] += unit[i] * force;
    if (apart <= NEAR_ZERO_S)
        return;
    own->height += clamp((own->height + peer->height) * force / apart, fabs(force));
    if (own->height < GOSSIP_COORDINATE_HEIGHT_MIN_S)
        own->height = GOSSIP_COORDINATE_HEIGHT_MIN_S;
}

static void update_position(struct gossip_coordinate *own, const struct gossip_coordinate *peer,
                            double rtt, double bound, struct rng *rng)
{
    double disagreement = clamp(rtt - distance(own, peer), bound);
    double relative = clamp(fabs(disagreement) / rtt, GOSSIP_COORDINATE_ERROR_MAX);
    double peer_error = peer->error < own->error ? own->error : peer->error;
    double weight = own->error / (own->error + peer_error);
    double gain = ERROR_GAIN * weight;
    own->error = gain * relative + (1 - gain) * own->error;
    if (own->error < ERROR_MIN)
        own->error = ERROR_MIN;
    apply_force(own, peer, POSITION_GAIN * weight * disagreement, rng);
}

/* The window keeps what was measured, so that the bound widens when the network changes for most
 * peers; only the sum is bounded. */
static void update_adjustment(struct gossip_coordinate_self *self,
                              const struct gossip_coordinate *peer, double rtt, double bound)
{
    self->residuals[self->residual_next] = rtt - unadjusted_distance(&self->own, peer);
    self->residual_next = (self->residual_next + 1) % WINDOW;
    if (self->sample_count < GOSSIP_COORDINATE_WARM_SAMPLES)
        self->sample_count++;
    double sum = 0;
    for (uint32_t i = 0; i < residual_count(self); i++)
        sum += clamp(self->residuals[i], bound);
    self->own.adjustment = sum / (2.0 * WINDOW); /* half: the peer carries the other half */
}

static void update_gravity(struct gossip_coordinate *own, struct rng *rng)
{
    static const struct gossip_coordinate origin = {.height = GOSSIP_COORDINATE_HEIGHT_MIN_S};
    double share = distance(own, &origin) / GRAVITY_RHO_S;
    if (position_distance(own, &origin) > NEAR_ZERO_S)
        apply_force(own, &origin, -share * share, rng);
}

enum err gossip_coordinate_update(struct gossip_coordinate_self *self,
                                  struct gossip_rtt_filter *filter,
                                  const struct gossip_coordinate *peer, int64_t rtt_us,
                                  struct rng *rng)
{
    if (rtt_us < 0 || rtt_us > GOSSIP_RTT_MAX_US || !gossip_coordinate_is_valid(peer))
        return ERR_INVALID;
    double rtt = filter_rtt(filter, rtt_us);
    double bound = pull_bound(self, rtt);
    update_position(&self->own, peer, rtt, bound, rng);
    update_adjustment(self, peer, rtt, bound);
    update_gravity(&self->own, rng);
    if (!gossip_coordinate_is_valid(&self->own))
        gossip_coordinate_init(self);
    return ERR_OK;
}

/* --- wire ------------------------------------------------------------------------------------ */

static uint8_t *put_scaled(uint8_t *at, double value, double per_unit)
{
    uint32_t word = (uint32_t)(int32_t)lround(value * per_unit);
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(word >> (24 - 8 * i));
    return at + 4;
}

static double get_scaled(const uint8_t *at, double per_unit)
{
    uint32_t word = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return (int32_t)word / per_unit;
}

void gossip_coordinate_encode(const struct gossip_coordinate *c,
                              uint8_t ret_bytes[GOSSIP_COORDINATE_SIZE])
{
    CHECK(gossip_coordinate_is_valid(c));
    uint8_t *at = ret_bytes;
    for (int i = 0; i < DIMENSIONS; i++)
        at = put_scaled(at, c->position[i], WIRE_PER_SECOND);
    at = put_scaled(at, c->height, WIRE_PER_SECOND);
    at = put_scaled(at, c->adjustment, WIRE_PER_SECOND);
    put_scaled(at, c->error, WIRE_PER_ERROR);
}

enum err gossip_coordinate_decode(struct bytes in, struct gossip_coordinate *ret)
{
    if (in.size != GOSSIP_COORDINATE_SIZE)
        return ERR_INVALID;
    struct gossip_coordinate c;
    for (int i = 0; i < DIMENSIONS; i++)
        c.position[i] = get_scaled(in.data + 4 * (size_t)i, WIRE_PER_SECOND);
    const uint8_t *rest = in.data + 4 * (size_t)DIMENSIONS;
    c.height = get_scaled(rest, WIRE_PER_SECOND);
    c.adjustment = get_scaled(rest + 4, WIRE_PER_SECOND);
    c.error = get_scaled(rest + 8, WIRE_PER_ERROR);
    if (!gossip_coordinate_is_valid(&c))
        return ERR_INVALID;
    *ret = c;
    return ERR_OK;
}
