/* Is a pattern within RE2's syntax? PCRE2 knows much that RE2 refuses because it cannot be matched
 * in linear time: references back, looking around, atomic groups, recursion. A pattern that uses
 * them here would work in no other CEL. One pass over the pattern; PCRE2 checks the rest. */
#include "policy/cel_regex.h"

#define REPEAT_MAX 1000 /* RE2's own bound */

static bool is_one_of(uint8_t c, const char *set)
{
    return c && strchr(set, c);
}

/* What may follow a backslash, digits apart. Not \v, which is one character in RE2 and many in
 * PCRE2. */
static const char *escape_fault(struct bytes rest, bool in_class)
{
    uint8_t c = rest.size ? rest.data[0] : 0;
    if (c >= '1' && c <= '9')
        return rest.size >= 3 && rest.data[1] >= '0' && rest.data[1] <= '7' &&
                       rest.data[2] >= '0' && rest.data[2] <= '7'
                   ? NULL
                   : "references back are not part of RE2";
    if (c == '0' || is_one_of(c, "aftnrdDsSwWpPx"))
        return NULL;
    if (!in_class && is_one_of(c, "AbBzQE"))
        return NULL;
    bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    return !c || is_letter || c >= 0x80 ? "an escape that is not part of RE2" : NULL;
}

/* "(?:", "(?i)", "(?is-m:", "(?P<name>", "(?<name>" and nothing else after "(?" or "(*". */
static const char *group_fault(struct bytes rest)
{
    if (rest.size && rest.data[0] == '*')
        return "verbs are not part of RE2";
    if (rest.size < 2 || rest.data[0] != '?')
        return NULL;
    rest = bytes_skip(rest, 1);
    if (rest.data[0] == 'P')
        rest = bytes_skip(rest, 1);
    if (rest.size > 1 && rest.data[0] == '<' && rest.data[1] != '=' && rest.data[1] != '!')
        return NULL;
    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] == ')' || rest.data[i] == ':')
            return NULL;
        if (!is_one_of(rest.data[i], "imsU-"))
            break;
    }
    return "a group that is not part of RE2";
}

/* The size of "{n}", "{n,}" or "{n,m}" at the start of `rest`; 0: it is text. */
static size_t counted(struct bytes rest, unsigned *ret_most)
{
    size_t at = 1;
    unsigned number = 0, digits = 0;
    *ret_most = 0;
    for (; at < rest.size && rest.data[at] != '}'; at++) {
        uint8_t c = rest.data[at];
        if (c == ',' && digits) {
            number = 0;
        } else if (c >= '0' && c <= '9' && number <= REPEAT_MAX) {
            number = number * 10 + (c - '0');
            digits++;
        } else if (c < '0' || c > '9') {
            return 0;
        }
        if (number > *ret_most)
            *ret_most = number;
    }
    return at < rest.size && digits ? at + 1 : 0;
}

/* A repetition at `rest`, and what may not stand behind it. *ret_size: 0 where there is none. */
static const char *repetition_fault(struct bytes rest, size_t *ret_size)
{
    unsigned most = 0;
    *ret_size = is_one_of(rest.data[0], "*+?") ? 1 : rest.data[0] == '{' ? counted(rest, &most) : 0;
    if (!*ret_size)
        return NULL;
    if (most > REPEAT_MAX)
        return "a repetition of more than 1000";
    rest = bytes_skip(rest, *ret_size);
    if (rest.size && rest.data[0] == '?') {
        rest = bytes_skip(rest, 1);
        *ret_size += 1;
    }
    if (rest.size &&
        (is_one_of(rest.data[0], "*+?") || (rest.data[0] == '{' && counted(rest, &most))))
        return "a repetition of a repetition is not part of RE2";
    return NULL;
}

/* What stands in a class "[…]" at the start of `rest`; *ret_size: its length. */
static const char *class_fault(struct bytes rest, size_t *ret_size)
{
    size_t at = 1;
    at += at < rest.size && rest.data[at] == '^';
    at += at < rest.size && rest.data[at] == ']';
    while (at < rest.size && rest.data[at] != ']') {
        if (rest.data[at] == '\\') {
            const char *fault = escape_fault(bytes_skip(rest, at + 1), true);
            if (fault)
                return fault;
            at++;
        } else if (rest.data[at] == '[' && at + 1 < rest.size && rest.data[at + 1] == ':') {
            at += bytes_find(bytes_skip(rest, at), ']');
        } else if (rest.data[at] == '[' && at + 1 < rest.size &&
                   (rest.data[at + 1] == '.' || rest.data[at + 1] == '=')) {
            return "collating elements are not part of RE2";
        }
        at++;
    }
    *ret_size = at < rest.size ? at + 1 : rest.size;
    return NULL;
}

const char *policy_cel_regex_fault(struct bytes pattern)
{
    while (pattern.size) {
        const char *fault = NULL;
        size_t size = 1, repeats;
        uint8_t c = pattern.data[0];
        if (c == '\\') {
            fault = escape_fault(bytes_skip(pattern, 1), false);
            size = 2;
        } else if (c == '(') {
            fault = group_fault(bytes_skip(pattern, 1));
            size += pattern.size > 1 && pattern.data[1] == '?'; /* which repeats nothing */
        } else if (c == '[') {
            fault = class_fault(pattern, &size);
        } else {
            fault = repetition_fault(pattern, &repeats);
            size = repeats ? repeats : 1;
        }
        if (fault)
            return fault;
        pattern = bytes_skip(pattern, size);
    }
    return NULL;
}
