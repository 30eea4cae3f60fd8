/* What the configuration file may hold, as one table: key, type, range, default, help. Reading
 * (read.c), writing (write.c), defaults (config.c) and near names all walk it; a new key is a new
 * row and a new struct field. */
#ifndef NODE_CONFIG_SCHEMA_H
#define NODE_CONFIG_SCHEMA_H

#include "base/bytes.h"

enum schema_type {
    SCHEMA_SECTION,  /* a mapping of its own rows */
    SCHEMA_PEERS,    /* list of addresses */
    SCHEMA_BACKENDS, /* list of mappings */
    SCHEMA_LABELS,   /* a mapping of free keys to texts */
    SCHEMA_NAME,     /* char[]: a name as certificates allow them */
    SCHEMA_ZONE,     /* the same, or empty */
    SCHEMA_TIER,
    SCHEMA_LISTEN,    /* char[]: IP:PORT, port 0 allowed */
    SCHEMA_ADVERTISE, /* char[]: empty, "none" or HOST:PORT */
    SCHEMA_PEER,      /* char[]: HOST:PORT */
    SCHEMA_URL,       /* url, host, port and prefix of a backend */
    SCHEMA_NOTICE,    /* char[]: an http:// URL, or empty */
    SCHEMA_KIND,
    SCHEMA_HARDWARE,
    SCHEMA_GPU,      /* uint32_t; "auto": CONFIG_GPU_AUTO */
    SCHEMA_FLAG,     /* bool */
    SCHEMA_VERSION,  /* char[]: visible ASCII without "/", "=" and ",", or empty */
    SCHEMA_COUNT,    /* uint32_t */
    SCHEMA_SIZE,     /* uint64_t, bytes */
    SCHEMA_DURATION, /* uint64_t, ms */
    SCHEMA_LEVEL,
    SCHEMA_FORMAT,
};

struct schema_row {
    const char *section; /* "" at the top; SCHEMA_IN_BACKEND for the rows of one backend */
    const char *key;
    enum schema_type type;
    size_t offset; /* in struct config, or struct config_backend */
    uint64_t min;
    uint64_t max;
    const char *default_text; /* NULL: none, or the key must be given */
    const char *note;         /* added where the range alone would puzzle; may be NULL */
    const char *help;
};

#define SCHEMA_IN_BACKEND "backends"

size_t schema_count(void);
const struct schema_row *schema_row(size_t index); /* sections stand before their rows */
/* NULL when there is no such key. */
const struct schema_row *schema_find(const char *section, struct bytes key);
/* The section's key that `key` was probably meant to be, or NULL. */
const char *schema_near(const char *section, struct bytes key);

#endif
