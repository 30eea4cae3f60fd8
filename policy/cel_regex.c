/* The door to PCRE2. What it does beyond RE2 is refused before (cel_regex_syntax.c); what remains
 * means the same in both, but PCRE2 backtracks, so that steps, depth and memory of a match are
 * bounded. No JIT, whose matches have no such bounds. */
#include "policy/cel_regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_DEPTH_MAX 10000
#define MATCH_HEAP_KIB_MAX 4096
#define PATTERN_SIZE_MAX 4096
#define PATTERN_PARENTHESES_MAX 100

struct policy_cel_regex {
    pcre2_code *code;
};

struct policy_cel_matcher {
    pcre2_match_context *context;
    pcre2_match_data *data;
};

/* Options that make PCRE2 read a pattern as RE2 would. */
static pcre2_compile_context *compile_context(void)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
        pcre2_set_parens_nest_limit(context, PATTERN_PARENTHESES_MAX);
        pcre2_set_max_pattern_length(context, PATTERN_SIZE_MAX);
    }
    return context;
}

enum err policy_cel_regex_create(struct bytes pattern, struct policy_cel_regex **ret,
                                 const char **ret_why)
{
    const uint32_t options =
        PCRE2_UTF | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
    int code;
    size_t offset;
    *ret_why = policy_cel_regex_fault(pattern);
    if (*ret_why)
        return ERR_INVALID;
    struct policy_cel_regex *regex = malloc(sizeof(*regex));
    pcre2_compile_context *context = compile_context();
    if (!regex || !context) {
        free(regex);
        pcre2_compile_context_free(context);
        return ERR_NO_MEMORY;
    }
    regex->code = pcre2_compile(pattern.size ? pattern.data : (const uint8_t *)"", pattern.size,
                                options, &code, &offset, context);
    pcre2_compile_context_free(context);
    if (!regex->code) {
        free(regex);
        *ret_why = "malformed regular expression";
        return code == PCRE2_ERROR_HEAP_FAILED ? ERR_NO_MEMORY : ERR_INVALID;
    }
    *ret = regex;
    return ERR_OK;
}

void policy_cel_regex_destroy(struct policy_cel_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    free(regex);
}

struct policy_cel_matcher *policy_cel_matcher_create(void)
{
    struct policy_cel_matcher *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->context = pcre2_match_context_create(NULL);
    m->data = pcre2_match_data_create(1, NULL);
    if (!m->context || !m->data) {
        policy_cel_matcher_destroy(m);
        return NULL;
    }
    pcre2_set_depth_limit(m->context, MATCH_DEPTH_MAX);
    pcre2_set_heap_limit(m->context, MATCH_HEAP_KIB_MAX);
    return m;
}

void policy_cel_matcher_destroy(struct policy_cel_matcher *matcher)
{
    if (!matcher)
        return;
    pcre2_match_context_free(matcher->context);
    pcre2_match_data_free(matcher->data);
    free(matcher);
}

enum err policy_cel_regex_search(const struct policy_cel_regex *regex,
                                 struct policy_cel_matcher *matcher, struct bytes text,
                                 uint32_t steps_max, bool *ret_found)
{
    pcre2_set_match_limit(matcher->context, steps_max);
    int code = pcre2_match(regex->code, text.size ? text.data : (const uint8_t *)"", text.size, 0,
                           0, matcher->data, matcher->context);
    if (code < 0 && code != PCRE2_ERROR_NOMATCH)
        return ERR_LIMIT;
    *ret_found = code >= 0;
    return ERR_OK;
}
