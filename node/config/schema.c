/* The schema table and its look-ups. contract.md section 1 is the source of keys and defaults. */
#include "node/config/schema.h"

#include "node/config/config.h"

#define KIB 1024u
#define MIB (1024u * KIB)
#define SECOND 1000u
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define TOP(key, type, help)                                                                       \
    {                                                                                              \
        "", key, type, 0, 0, 0, NULL, NULL, help                                                   \
    }
#define ROW(section, key, type, field, min, max, default_text, help)                               \
    {                                                                                              \
        section, key, type, offsetof(struct config, field), min, max, default_text, NULL, help     \
    }
#define BACKEND(key, type, field, min, max, default_text, help)                                    \
    {                                                                                              \
        SCHEMA_IN_BACKEND, key, type, offsetof(struct config_backend, field), min, max,            \
            default_text, NULL, help                                                               \
    }

static const struct schema_row rows[] = {
    TOP("node", SCHEMA_SECTION,
        "who this node is; name, tier and region are what its certificate says"),
    ROW("node", "name", SCHEMA_NAME, name, 0, 0, NULL, "unique in the mesh"),
    ROW("node", "tier", SCHEMA_TIER, tier, 0, 0, "edge", "edge | regional | cloud"),
    ROW("node", "region", SCHEMA_NAME, region, 0, 0, "default", "where it stands"),
    ROW("node", "zone", SCHEMA_ZONE, zone, 0, 0, "", "part of the region; free to choose"),
    ROW("node", "labels", SCHEMA_LABELS, labels, 0, 0, NULL,
        "KEY: VALUE, for policies to choose by; every node learns them"),
    ROW("node", "spot", SCHEMA_FLAG, spot, 0, 0, "false",
        "true: the machine may be taken away at short notice"),
    ROW("node", "reclaim", SCHEMA_NOTICE, reclaim, 0, 0, "",
        "URL at which its cloud says that it is taken away; then this node drains"),

    TOP("listen", SCHEMA_SECTION, "addresses to listen on; port 0 takes a free one"),
    ROW("listen", "http", SCHEMA_LISTEN, listen_http, 0, 0, "127.0.0.1:7380", "clients"),
    ROW("listen", "mesh", SCHEMA_LISTEN, listen_mesh, 0, 0, "0.0.0.0:7300", "peers"),

    ROW("", "advertise", SCHEMA_ADVERTISE, advertise, 0, 0, "",
        "what peers dial: HOST:PORT; empty: the mesh address above; none: this node only dials "
        "out"),
    TOP("peers", SCHEMA_PEERS, "nodes to dial, HOST:PORT; list all that should be one hop away"),

    TOP("backends", SCHEMA_BACKENDS, "inference servers beside this node"),
    BACKEND("name", SCHEMA_NAME, name, 0, 0, NULL, "unique on this node"),
    BACKEND("url", SCHEMA_URL, url, 0, 0, NULL, "http://HOST[:PORT][/PREFIX]"),
    BACKEND("kind", SCHEMA_KIND, kind, 0, 0, "auto", "auto | openai | llamacpp"),
    BACKEND("concurrency", SCHEMA_COUNT, concurrency, 1, 4096, "4",
            "requests that it works on at once"),
    BACKEND("version", SCHEMA_VERSION, version, 0, 0, "",
            "which version of its models it serves, as the registry calls it"),
    BACKEND("hardware", SCHEMA_HARDWARE, hardware, 0, 0, "auto",
            "gpu | npu | cpu | auto: what it computes on, the first guess of its speed"),
    BACKEND("gpu", SCHEMA_GPU, gpu, 0, CONFIG_GPU_INDEX_MAX, "auto",
            "index of its GPU; auto: the first, of an engine on this host"),

    {"", "lanes", SCHEMA_COUNT, offsetof(struct config, lanes), 1, 1, "1",
     "other numbers of lanes are not supported yet", "threads that carry requests"},

    TOP("log", SCHEMA_SECTION, "log lines, on stderr"),
    ROW("log", "level", SCHEMA_LEVEL, log_level, 0, 0, "info", "debug | info | warn | error"),
    ROW("log", "format", SCHEMA_FORMAT, log_format, 0, 0, "auto",
        "text | json | auto: text on a terminal, else json"),

    TOP("limits", SCHEMA_SECTION, "what is refused or cut off rather than grown"),
    ROW("limits", "body", SCHEMA_SIZE, limits.body_bytes, KIB, 1024 * MIB, "16MiB",
        "one request's body"),
    ROW("limits", "header", SCHEMA_SIZE, limits.header_bytes, KIB, 64 * KIB, "32KiB",
        "one message's request line and fields"),
    ROW("limits", "window", SCHEMA_SIZE, limits.window_bytes, 4 * KIB, 512 * KIB, "32KiB",
        "unsent answer bytes held per request"),
    ROW("limits", "buffer", SCHEMA_SIZE, limits.buffer_bytes, MIB, 1024ull * 1024 * MIB, "256MiB",
        "request bodies held by the whole node"),
    ROW("limits", "inflight", SCHEMA_COUNT, limits.inflight, 1, 65536, "1024", "requests at once"),
    ROW("limits", "queue", SCHEMA_COUNT, limits.queue, 0, 65536, "256",
        "requests waiting per backend"),
    ROW("limits", "connections", SCHEMA_COUNT, limits.connections, 1, 1000000, "16384",
        "client connections"),
    ROW("limits", "header_timeout", SCHEMA_DURATION, limits.header_timeout_ms, 100, HOUR, "10s",
        "for a whole header, and for a body that makes no progress"),
    ROW("limits", "idle_timeout", SCHEMA_DURATION, limits.idle_timeout_ms, 100, 24 * HOUR, "60s",
        "for a connection between requests"),
    ROW("limits", "request_timeout", SCHEMA_DURATION, limits.request_timeout_ms, 100, 24 * HOUR,
        "600s", "for a whole request, unless the client asks for less"),
};

size_t schema_count(void)
{
    return sizeof(rows) / sizeof(rows[0]);
}

const struct schema_row *schema_row(size_t index)
{
    CHECK(index < schema_count());
    return &rows[index];
}

const struct schema_row *schema_find(const char *section, struct bytes key)
{
    for (size_t i = 0; i < schema_count(); i++)
        if (strcmp(rows[i].section, section) == 0 && bytes_equal(bytes_from_str(rows[i].key), key))
            return &rows[i];
    return NULL;
}

/* At most two typing errors away, and at most half of the word. */
const char *schema_near(const char *section, struct bytes key)
{
    const char *nearest = NULL;
    unsigned best = 3;
    for (size_t i = 0; i < schema_count(); i++) {
        struct bytes candidate = bytes_from_str(rows[i].key);
        if (strcmp(rows[i].section, section) != 0)
            continue;
        unsigned distance = bytes_distance(key, candidate);
        if (distance < best && distance * 2 <= candidate.size) {
            best = distance;
            nearest = rows[i].key;
        }
    }
    return nearest;
}
