/* Commands and reads under way at this node: orders.c keeps them, forward.c takes those to the
 * leader that are not ours to answer. Inside node/rules only. */
#ifndef NODE_RULES_ORDERS_H
#define NODE_RULES_ORDERS_H

#include "node/rules/ask.h"
#include "registry/registry.h"

enum order_state {
    ORDER_NEW,      /* nobody has it: checked here, or sent to the leader */
    ORDER_CHECKED,  /* a worker looks at it */
    ORDER_PROPOSED, /* in the leader's log, at (index, term) */
    ORDER_ASKED,    /* raft or a peer was asked for the index of a read, or the leader has it */
    ORDER_INDEXED,  /* a read: waits until `index` is applied */
    ORDER_DONE,     /* to be told */
};

struct order {
    struct list node;
    struct rules *rules;
    int state;
    bool is_read;
    bool is_confirming; /* a refusal that holds only if this node still leads */
    bool is_forced;     /* the log decides, whatever the check says */
    bool may_have_happened;
    unsigned hops;
    struct rules_call *call;   /* who waits here, */
    struct rules_visit *visit; /* or over a link; both NULL: nobody any more */
    struct bytes command;
    uint64_t index, term, checked_index;
    uint64_t question;              /* raft's last one: READ_INDEX's tag */
    size_t place;                   /* in the proposal */
    uint64_t deadline_ms, again_ms; /* not tried again before */
    struct registry_result result;
    struct id leader; /* a hint for whoever asked: NOT_LEADER */
    struct rules_ask ask;
};

struct rules_orders {
    struct list all; /* in the order they came */
    size_t count;
    struct io_task look;
    struct io_timer timer;
    struct order *proposing[REGISTRY_COMMANDS_MAX];
    size_t proposing_count;
    uint64_t questions;     /* asked of raft so far */
    uint64_t by_outcome[3]; /* committed, refused, unknown: for metrics */
    struct id hint;         /* who leads, as somebody answered */
    uint64_t hint_ms;
};

void orders_init(struct rules *r);
MUST_CHECK enum err orders_create(struct rules *r, struct bytes command, struct order **ret_order);
void orders_done(struct order *o, enum err e);
void orders_drop(struct order *o); /* nobody waits for it any more */
void orders_look(struct rules *r);
void orders_again(struct order *o, uint64_t delay_ms); /* it is routed anew, not before then */
void orders_on_outcomes(struct rules *r, const struct raft_outcome *outcomes, size_t count);
void orders_on_reads(struct rules *r, const struct raft_read_result *reads, size_t count);
/* The orders that a worker is to check now, into apply.checks. */
void orders_take_checks(struct rules *r);
void orders_on_checked(struct rules *r);
void orders_on_applied(struct rules *r);
void orders_on_unchecked(struct rules *r); /* the worker could not */
/* What the core or the log was to bring does not come soon: whoever leads next has the answers. */
void orders_begin_anew(struct rules *r);
void orders_stop(struct rules *r);

/* --- forward.c */
void forward_order(struct order *o);
MUST_CHECK enum err forward_accept(struct rules *r, struct rules_visit *visit, struct bytes query,
                                   bool is_read);
void forward_answer(struct order *o);

#endif
