/* A node's configuration: one YAML file (contract.md section 1), every field with a default, a unit
 * and a range. Errors name file, line, column, the key and what was expected. Pure: bytes in,
 * struct out. */
#ifndef NODE_CONFIG_CONFIG_H
#define NODE_CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "node/trust/cert.h"

#define CONFIG_BACKENDS_MAX 64
#define CONFIG_PEERS_MAX 64
#define CONFIG_TEXT_MAX 256
#define CONFIG_LABELS_MAX 32
#define CONFIG_LABEL_MAX 63 /* a key, a value */

enum backend_kind { BACKEND_AUTO, BACKEND_OPENAI, BACKEND_LLAMACPP };
const char *backend_kind_name(enum backend_kind k);

/* What an engine computes on, as the configuration says: routing's first guess of its speed. */
enum backend_hardware { HARDWARE_AUTO, HARDWARE_GPU, HARDWARE_NPU, HARDWARE_CPU };
const char *backend_hardware_name(enum backend_hardware h);

#define CONFIG_VERSION_MAX 63
#define CONFIG_GPU_AUTO UINT32_MAX
#define CONFIG_GPU_INDEX_MAX 63

struct config_backend {
    char name[CERT_NAME_MAX + 1];
    char url[CONFIG_TEXT_MAX];  /* http://host[:port][/prefix] */
    char host[CONFIG_TEXT_MAX]; /* parts of it, checked */
    uint16_t port;
    char prefix[CONFIG_TEXT_MAX]; /* "" or "/..." without a trailing slash */
    enum backend_kind kind;
    uint32_t concurrency;                 /* 1..4096; default 4 */
    char version[CONFIG_VERSION_MAX + 1]; /* of the models it serves; "": not said */
    enum backend_hardware hardware;       /* default auto: not said */
    uint32_t gpu; /* of this host, which the engine uses; default CONFIG_GPU_AUTO */
};

struct config_label {
    char key[CONFIG_LABEL_MAX + 1];
    char value[CONFIG_LABEL_MAX + 1]; /* may be "" */
};

struct config_limits {
    uint64_t body_bytes;   /* 16 MiB; 1 KiB .. 1 GiB */
    uint64_t header_bytes; /* 32 KiB; 1 KiB .. 64 KiB: a link carries no more */
    uint64_t window_bytes; /* 32 KiB; 4 KiB .. 512 KiB: unsent answer bytes held per exchange */
    uint64_t buffer_bytes; /* 256 MiB; request bodies held by the whole node */
    uint32_t inflight;     /* 1024 requests, 1..65536 */
    uint32_t queue;        /* 256 waiting per backend, 0..65536 */
    uint32_t connections;  /* 16384 client connections */
    uint64_t header_timeout_ms;  /* 10 s; also for a body that makes no progress */
    uint64_t idle_timeout_ms;    /* 60 s */
    uint64_t request_timeout_ms; /* 600 s */
};

struct config {
    char name[CERT_NAME_MAX + 1];
    enum tier tier;
    char region[CERT_NAME_MAX + 1];                /* default "default" */
    char zone[CERT_NAME_MAX + 1];                  /* default "" */
    struct config_label labels[CONFIG_LABELS_MAX]; /* keys differ */
    size_t label_count;
    bool spot; /* default false: the machine may be taken away at short notice */
    char reclaim[CONFIG_TEXT_MAX];     /* where that is said: http://...; default "": nowhere */
    char listen_http[CONFIG_TEXT_MAX]; /* "127.0.0.1:7380" */
    char listen_mesh[CONFIG_TEXT_MAX]; /* "0.0.0.0:7300" */
    char advertise[CONFIG_TEXT_MAX];   /* "" (listen address), "none", or "host:port" */
    char peers[CONFIG_PEERS_MAX][CONFIG_TEXT_MAX];
    size_t peer_count;
    struct config_backend backends[CONFIG_BACKENDS_MAX];
    size_t backend_count;
    uint32_t lanes; /* 1; others are not supported yet and refused */
    enum log_level log_level;
    enum { CONFIG_LOG_AUTO, CONFIG_LOG_TEXT, CONFIG_LOG_JSON } log_format;
    struct config_limits limits;
};

/* Everything at its default; name, region... as above, name empty (must be given). */
void config_defaults(struct config *ret_config);
/* Parses a YAML document over the defaults. `file` is only for messages. On failure INVALID, and
 * `message` holds "grapevine.yaml:3:5: node.tier: expected edge, regional or cloud, found \"moon\""
 * (append-only). Strict: unknown keys (with a near name), duplicate keys, aliases, several
 * documents, wrong types, ranges, bad URLs and addresses. */
MUST_CHECK enum err config_parse(struct bytes yaml, const char *file, struct config *ret_config,
                                 struct buf *message);
/* One `--set node.tier=cloud` (the value is YAML), applied over config. Same errors, "--set
 * node.tier=moon: ...". */
MUST_CHECK enum err config_set(struct config *config, const char *assignment, struct buf *message);
/* The same for command-line flags, whose text is no YAML: one key that is not a list; one more peer
 * (given twice: once); one more backend, named backend-N. Messages begin with `where`, the flag.
 * INVALID. */
MUST_CHECK enum err config_set_text(struct config *config, const char *key, const char *text,
                                    const char *where, struct buf *message);
MUST_CHECK enum err config_add_peer(struct config *config, const char *address, const char *where,
                                    struct buf *message);
MUST_CHECK enum err config_add_backend(struct config *config, const char *url, const char *where,
                                       struct buf *message);
/* "24h", as durations in the file. INVALID. */
MUST_CHECK enum err config_parse_duration(const char *text, uint64_t *ret_ms);
/* What only makes sense together (a name is given, backend names unique, ...). `yaml`: the text of
 * `file`, so that messages name the place; without data: it is no file. */
MUST_CHECK enum err config_validate(const struct config *config, struct bytes yaml,
                                    const char *file, struct buf *message);
/* The file that `init` and `join` write: YAML with comments, parses back to the same config. */
MUST_CHECK enum err config_write(const struct config *config, struct buf *yaml);
/* Line (from 1) of the value of `key` ("node.tier") in a file that config_parse took; 0: it is not
 * in it. */
unsigned config_line_of(struct bytes yaml, const char *key);

/* Which GPU of this host the backend's figures are of: the one that it names, else the first if the
 * engine is on this host and not said to compute on something else. False: of none. */
bool config_backend_gpu(const struct config_backend *backend, uint32_t *ret_index);

const char *config_library_version(void); /* libyaml's */

#endif
