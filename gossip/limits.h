/* The numbers that the files of this folder share: times of the protocol and bounds of its tables.
 * What others must know of them is in gossip.h. */
#ifndef GOSSIP_LIMITS_H
#define GOSSIP_LIMITS_H

#include "gossip/gossip.h"

#define GOSSIP_PROBE_INTERVAL_MS 1000 /* one probe per interval and node, times local health */
#define GOSSIP_SUSPECT_MIN_MS 1600    /* from the first accusation, when enough accuse */
#define GOSSIP_SUSPECT_MAX_MS 8000    /* when only we do */
#define GOSSIP_LOAD_INTERVAL_MS 1000  /* between a node's load records, but for sharp changes */
#define GOSSIP_SKEW_MS (5 * 60 * 1000ull)
#define GOSSIP_SENDS_MAX 256        /* of one step; more are dropped as a network drops them */
#define GOSSIP_LINK_ANSWERS_MAX 64  /* messages that one over a link may cause */
#define GOSSIP_ANSWERS_MAX 4        /* and a datagram */
#define GOSSIP_OUT_MAX (192 * 1024) /* bytes of one step */
#define GOSSIP_CHANGES_MAX 256 /* of one step; more, and the shell is told that it missed some */
#define GOSSIP_NEWS_MAX 1024   /* likewise */
#define GOSSIP_REFUSALS_MAX 8
#define GOSSIP_FORGOTTEN_MAX 4096 /* ids that must not rise again */
#define GOSSIP_RUMOURS_MAX 1024   /* one more replaces the one told most often */
#define GOSSIP_GUESTS_MAX 64
#define GOSSIP_WANTED_MAX 256
#define GOSSIP_GIVEN_MAX 16   /* things in one long datagram, and remembered of it */
#define GOSSIP_ONWARD_MAX 512 /* records that wait to be relayed */
#define GOSSIP_REGIONS_MAX 64
#define GOSSIP_ABROAD_MAX (GOSSIP_REGIONS_MAX * GOSSIP_GATEWAYS)
#define GOSSIP_PROBES_MAX 16           /* of ours at a time: the regular one, and urgent ones */
#define GOSSIP_RELAYS_MAX 64           /* probes for others at a time */
#define GOSSIP_INDIRECT 3              /* members asked to probe for us */
#define GOSSIP_DATAGRAM_MISSES_MAX 3   /* then links are used instead */
#define GOSSIP_CONFIRMERS 4            /* members that probe a suspect at once */
#define GOSSIP_HEALTH_MAX 8            /* Lifeguard */
#define GOSSIP_STALL_MS 500            /* a step that comes this much too late: we were stopped */
#define GOSSIP_QUIET_MS 2500           /* after start-up and stalls: no accusations by us */
#define GOSSIP_SEQUENCE_SHIFT 20       /* a second of incarnations holds a second of sequences */
#define GOSSIP_INCARNATIONS_AHEAD 4096 /* persisted in advance: one write for many refutations */
#define GOSSIP_BUCKETS 256             /* by the first byte of the id */
#define GOSSIP_RECORD_AGE_MAX_MS (24 * 3600 * 1000ull) /* older NODE records introduce nobody */
#define GOSSIP_NODE_REFRESH_MS (12 * 3600 * 1000ull)   /* hence ours is signed anew */
#define GOSSIP_FORGET_MS (26 * 3600 * 1000ull)         /* as long has a down member its row */
#define GOSSIP_ANNOUNCE_MS 5000                        /* between our pings to one of the down */

#endif
