/* Values and types of CEL as JSON, in the encoding of the public conformance data, both ways:
 * {"int64_value": "1"}, {"list_value": {"values": […]}}; {"primitive": "INT64"}. Used by
 * `policy eval`. What it makes lives in the given arena or is borrowed from the JSON. */
#ifndef NODE_CLI_POLICY_CEL_JSON_H
#define NODE_CLI_POLICY_CEL_JSON_H

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "node/admin/json.h"
#include "policy/policy.h"

/* A document and where what is made of it lives. cJSON's strings end at U+0000, CEL's do not: while
 * they are JSON, another character that the document does not have stands for it. */
struct cel_json {
    cJSON *root;
    struct arena *arena;
    uint8_t nul[3]; /* that character; 0: none is needed */
};

/* INVALID, NO_MEMORY: root is NULL then. The arena is the caller's. */
MUST_CHECK enum err cel_json_parse(struct cel_json *doc, struct bytes text);
void cel_json_free(struct cel_json *doc);
/* A string of the document as it was meant; empty data and a size: no memory. */
struct bytes cel_json_text(const struct cel_json *doc, const cJSON *json);

/* INVALID: it is none; UNSUPPORTED: it needs protobuf messages; NO_MEMORY. */
MUST_CHECK enum err cel_json_value(const struct cel_json *doc, const cJSON *json,
                                   struct cel_value *ret_value);
MUST_CHECK enum err cel_json_type(const cJSON *json, struct arena *arena,
                                  const struct cel_type **ret_type);
/* JSON as people write it: objects are maps, whole numbers int, others double; an object with one
 * key of the encoding above is that value. */
MUST_CHECK enum err cel_json_plain(const struct cel_json *doc, const cJSON *json,
                                   struct cel_value *ret_value);

void cel_json_put_value(struct json *j, struct cel_value v);
void cel_json_put_type(struct json *j, const struct cel_type *type);

/* Does it stand under this key? */
bool cel_json_is(const cJSON *json, const char *key);
/* A list that may be written as its only element: the first one, and the one after. */
const cJSON *cel_json_first(const cJSON *json);
const cJSON *cel_json_next(const cJSON *json, const cJSON *item);

#endif
