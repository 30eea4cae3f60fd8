/* JSON texts for the scanner's tests: a seeded generator of valid ones full of traps, a mutator
 * that breaks them, and a strict reader that says what a text is. The reader is written for
 * clearness, apart from the scanner: RFC 8259 by recursive descent over the whole text. */
#ifndef TESTS_SUPPORT_JSON_CASE_H
#define TESTS_SUPPORT_JSON_CASE_H

#include "base/buf.h"
#include "base/rng.h"
#include "node/ingress/scan.h"

#define JSON_CASE_DEPTH_MAX 600 /* deeper texts are not read on; the scanner refuses them earlier */
#define JSON_CASE_TEXT_MAX 4096 /* decoded bytes kept of a key or a model */

/* What is wrong with a text; all but OTHER are what lenient parsers let pass. */
enum json_flaw {
    JSON_FINE,
    JSON_FLAW_CONTROL, /* a control character in a string */
    JSON_FLAW_BLANK,   /* white space that is none of the four, or a byte order mark */
    JSON_FLAW_NUMBER,  /* 01, 1., -, 1e */
    JSON_FLAW_HEX,     /* \u without four hex digits */
    JSON_FLAW_DEPTH,   /* beyond JSON_CASE_DEPTH_MAX */
    JSON_FLAW_OTHER,
};

enum json_key { JSON_MODEL, JSON_STREAM, JSON_MAX_TOKENS, JSON_MAX_COMPLETION_TOKENS, JSON_KEYS };

struct json_truth {
    enum json_flaw flaw;
    bool is_object;
    unsigned depth;
    bool has_lone_surrogate;
    bool has_nul;         /* as an escape */
    bool has_long_number; /* more than 60 characters */
    unsigned count[JSON_KEYS];
    enum scan_found kind[JSON_KEYS]; /* of the last one */
    bool is_digits[JSON_KEYS];       /* a number of nothing but digits */
    double number[JSON_KEYS];
    uint8_t model[JSON_CASE_TEXT_MAX]; /* decoded, of the last one */
    size_t model_size;
};

void json_case_read(struct bytes text, struct json_truth *ret_truth);
/* Appends a valid text; mostly an object, mostly with a model. */
void json_case_generate(struct rng *rng, struct buf *text);
/* A few random changes; the result may still be valid. */
void json_case_mutate(struct rng *rng, struct buf *text);
/* What the scanner has to say of the text. Where several things are wrong any of them may be
 * found first: then *ret_other is the second answer that is right too. */
enum err json_case_expected(const struct json_truth *truth, enum err *ret_other);
/* CHECKs that the scanner says so, with the values that the text holds, for the whole text at once
 * and however it is cut. Returns its answer. */
enum err json_case_check(struct rng *rng, struct bytes text, const struct json_truth *truth);

#endif
