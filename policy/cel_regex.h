/* Regular expressions in RE2's syntax, matched within a bound. The only door to PCRE2. Inside
 * policy/cel_* only. */
#ifndef POLICY_CEL_REGEX_H
#define POLICY_CEL_REGEX_H

#include "base/buf.h"

struct policy_cel_regex;   /* immutable, shared */
struct policy_cel_matcher; /* scratch of one vm */

/* INVALID: not an expression, *ret_why says why (a literal); NO_MEMORY. */
MUST_CHECK enum err policy_cel_regex_create(struct bytes pattern, struct policy_cel_regex **ret,
                                            const char **ret_why);
void policy_cel_regex_destroy(struct policy_cel_regex *regex);
/* NULL when there is no memory. */
struct policy_cel_matcher *policy_cel_matcher_create(void);
void policy_cel_matcher_destroy(struct policy_cel_matcher *matcher);
#define CEL_REGEX_STEPS_MAX 100000 /* a millisecond or two */
/* Is there a match anywhere in the text (UTF-8)? LIMIT: it takes more than so many steps, or more
 * memory than there may be, to say. */
MUST_CHECK enum err policy_cel_regex_search(const struct policy_cel_regex *regex,
                                            struct policy_cel_matcher *matcher, struct bytes text,
                                            uint32_t steps_max, bool *ret_found);
/* NULL when RE2 has everything that the pattern uses, else what it has not. Also bounds sizes and
 * repetitions. */
const char *policy_cel_regex_fault(struct bytes pattern);

#endif
