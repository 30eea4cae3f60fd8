/* From a YAML tree to a struct config, by the schema, with the place of every mistake. Called by
 * config.c. */
#ifndef NODE_CONFIG_READ_H
#define NODE_CONFIG_READ_H

#include "base/yaml.h"
#include "node/config/config.h"
#include "node/config/schema.h"

struct reader {
    const char *where;     /* file, or the assignment of a --set */
    bool has_lines;        /* messages name line and column: it is a file */
    struct config *config; /* being filled; half-filled after an error */
    struct buf *message;   /* "WHERE:LINE:COLUMN: KEY: what" is appended on failure */
    char path[64];         /* of the enclosing map, "limits." or "backends[3]." */
};

/* A whole document. INVALID. */
MUST_CHECK enum err read_document(struct reader *r, const struct yaml_item *root);
/* One value for one key, as --set gives it ("node.tier", "peers", "limits"). INVALID. */
MUST_CHECK enum err read_assignment(struct reader *r, struct bytes key,
                                    const struct yaml_item *value);
/* A backend without name and url, the rest as the schema says. */
void read_default_backend(struct config_backend *ret_backend);

#endif
