/* Notices that the machine is about to be taken away: a spot node asks its cloud's metadata service
 * every two seconds (node.reclaim), and from the first notice on it drains: peers send nothing new,
 * a leader hands over, what is under way is finished, the process ends.
 *
 * Understood are the answers of AWS (spot/instance-action; with a session token where it wants
 * one), GCP (instance/preempted) and Azure (scheduledevents), told apart by themselves.
 *
 * Not here: which machines are spot, for routing (node.spot). */
#ifndef NODE_RECLAIM_H
#define NODE_RECLAIM_H

#include "node/egress/client.h"

#define RECLAIM_PERIOD_MS 2000 /* GCP and Azure leave 30 s, AWS two minutes */
#define RECLAIM_TIMEOUT_MS 2000
#define RECLAIM_ANSWER_MAX (16 * 1024)
#define RECLAIM_TOKEN_MAX 256

struct lane;
struct reclaim;

struct reclaim_cfg {
    struct lane *lane;
    const char *url; /* borrowed, lives longer */
    /* Once, and then nothing more is asked. Does not stop it. */
    void (*on_notice)(void *owner);
    void *owner;
};

/* Asks for the first time at once. INVALID: no such URL; NO_MEMORY. */
MUST_CHECK enum err reclaim_start(const struct reclaim_cfg *cfg, struct reclaim **ret_reclaim);
void reclaim_stop(struct reclaim *r); /* NULL is fine */

/* Whether an answer of 200 says that the machine goes. */
bool reclaim_is_notice(struct bytes body);

#endif
