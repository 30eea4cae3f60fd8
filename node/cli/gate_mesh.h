/* The mesh as the gate needs it: the policies in force, and who serves which model. */
#ifndef NODE_CLI_GATE_MESH_H
#define NODE_CLI_GATE_MESH_H

#include "base/arena.h"
#include "node/cli/command.h"
#include "policy/policy.h"

struct gate_mesh {
    struct arena arena; /* which holds all of it */
    bool is_made;
    struct policy_source *policies; /* names and documents */
    const char **names;             /* "policy NAME in force", each */
    size_t policy_count;
    struct policy_served *served; /* models that somebody serves now */
    size_t served_count;
};

/* Asks the node. `m` is zeroed before; gate_mesh_fini in any case. What went wrong was said. */
MUST_CHECK enum cli_exit gate_mesh_ask(const struct cli *cli, struct gate_mesh *m);
void gate_mesh_fini(struct gate_mesh *m);

#endif
