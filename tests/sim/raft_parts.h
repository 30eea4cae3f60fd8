/* What the rooms of raft_sim offer each other; see raft_world.h. */
#ifndef TESTS_SIM_RAFT_PARTS_H
#define TESTS_SIM_RAFT_PARTS_H

#include "tests/sim/raft_world.h"

/* --- raft_world.c */
enum raft_happens {
    RAFT_HAPPENS_TICK,
    RAFT_HAPPENS_LETTER,
    RAFT_HAPPENS_WRITTEN,
    RAFT_HAPPENS_APPLIED,
    RAFT_HAPPENS_DUMPED,
    RAFT_HAPPENS_CHUNK,
    RAFT_HAPPENS_INSTALLED,
    RAFT_HAPPENS_RESTART,
    RAFT_HAPPENS_CLIENT,
    RAFT_HAPPENS_MEMBERS,
    RAFT_HAPPENS_HEAL,
};

struct raft_happening {
    uint64_t at_ms, order;
    enum raft_happens type;
    struct raft_node *node;
    uint64_t life; /* of the node; 0: any */
    uint64_t a, b, c;
    struct raft_letter *letter;
};

void world_at(struct raft_world *w, uint64_t at_ms, const struct raft_happening *h);
/* The next event happens; false: there is none before `until_ms`. */
bool world_run_one(struct raft_world *w, uint64_t until_ms);
void world_init(struct raft_world *w, const struct raft_options *options);
void world_fini(struct raft_world *w);
void node_start(struct raft_node *n);
void node_crash(struct raft_node *n);
struct raft_node *world_node(struct raft_world *w, const struct id *id);
struct raft_node *world_leader(struct raft_world *w); /* of the greatest term; NULL */
bool world_chance(struct raft_world *w, unsigned per_thousand);
uint64_t node_now_ms(const struct raft_node *n);
__attribute__((format(printf, 3, 4))) void world_break(struct raft_world *w, const char *invariant,
                                                       const char *format, ...);
void world_trace(struct raft_world *w, const struct raft_node *n, const char *event);

/* --- raft_shell.c */
void shell_step(struct raft_node *n, struct raft_event *event);
void shell_written(struct raft_node *n);
void shell_dumped(struct raft_node *n);
void shell_installed(struct raft_node *n);
void shell_chunk(struct raft_node *n, uint64_t tag, uint64_t index, uint64_t offset, uint64_t size);
void shell_save_machine(struct raft_node *n);
void shell_drop_held(struct raft_node *n);

/* --- raft_disk.c */
void sim_disk_init_voter(struct raft_disk *d, const struct raft_config *config, uint64_t store);
void sim_disk_submit(struct raft_node *n, const struct raft_write *write);
/* What the core is given at start; lives as long as the disk is not touched. */
void sim_disk_boot(struct raft_disk *d, struct raft_boot *ret_boot);
enum err sim_disk_read(void *node, uint64_t index, struct bytes *ret_record);
/* The first queued write becomes durable. */
void sim_disk_complete(struct raft_node *n);
/* What was queued is lost, but for so many that were done and not reported. */
void sim_disk_crash(struct raft_node *n, size_t done);
void sim_disk_free(struct raft_disk *d);
/* The image, without the queue. */
void sim_disk_copy(const struct raft_disk *from, struct raft_disk *ret_disk);
uint64_t sim_disk_last(const struct raft_disk *d);
struct raft_stored *sim_disk_record(struct raft_disk *d, uint64_t index);
uint64_t record_digest(struct bytes record);

/* --- raft_machine.c */
size_t machine_encode(const struct raft_command *c, uint8_t out[64]);
bool machine_decode(struct bytes payload, struct raft_command *ret_command);
uint64_t machine_apply(struct raft_machine *m, const struct raft_entry *e);
size_t machine_dump(const struct raft_machine *m, uint8_t **ret_bytes);
bool machine_load(struct bytes dump, struct raft_machine *ret_machine);

/* --- raft_net.c */
struct raft_letter *letter_copy(const struct raft_message *m);
void letter_free(struct raft_letter *l);
void net_send(struct raft_world *w, struct raft_letter *letter);

/* --- raft_client.c */
void client_run(struct raft_world *w, size_t number);
void client_outcome(struct raft_node *n, const struct raft_outcome *o);
void client_read(struct raft_node *n, const struct raft_read_result *result);
void client_applied(struct raft_node *n, const struct raft_entry *e, uint64_t result);
void client_kick(struct raft_world *w, size_t number);
/* Of those who wait at a node that went down, or anywhere: they ask somebody else in time. */
bool clients_are_idle(const struct raft_world *w);

/* --- raft_linear.c: false: no order of these operations explains their results */
bool linear_check(const struct raft_op *ops, size_t count, uint64_t key, uint64_t *ret_states);

/* --- raft_members.c */
void members_run(struct raft_world *w);
void members_disturb(struct raft_world *w);
bool members_are_settled(struct raft_world *w);

/* --- raft_faults.c */
void faults_choose(struct raft_world *w);
void faults_run(struct raft_world *w);
void faults_heal(struct raft_world *w);
void faults_end(struct raft_world *w); /* all is mended */
bool faults_boundary(struct raft_node *n, size_t boundary);

/* --- raft_check.c */
void check_step(struct raft_node *n, const struct raft_event *event, const struct raft_effects *e);
void check_write(struct raft_node *n, const struct raft_write *write);
void check_send(struct raft_node *n, const struct raft_message *m);
void check_apply(struct raft_node *n, const struct raft_entry *e);
void check_start(struct raft_node *n);
void check_end(struct raft_world *w);

/* --- raft_scenario.c */
bool scenario_exists(const char *name);
void scenario_list(FILE *out);
/* True: every invariant held. */
bool scenario_run(const struct raft_options *options, struct raft_stats *ret_stats);

#endif
