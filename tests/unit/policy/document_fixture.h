/* Sets out of texts, and mistakes as "line:column: what", for the tests of policy/document*. */
#ifndef TESTS_UNIT_POLICY_DOCUMENT_FIXTURE_H
#define TESTS_UNIT_POLICY_DOCUMENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/policy.h"

#define HEAD "apiVersion: grapevine/v1\nkind: RoutePolicy\nmetadata: {name: p}\n"

static inline struct policy_set *set_of_sources(const struct policy_source *sources, size_t count)
{
    struct policy_set *set;
    struct policy_mistakes mistakes;
    enum err e = policy_set_create(sources, count, &set, &mistakes);
    if (e != ERR_OK)
        fail_msg("%s: %u:%u: %s", err_word(e), mistakes.items[0].line, mistakes.items[0].column,
                 mistakes.count ? mistakes.items[0].text : "");
    return set;
}

static inline struct policy_set *set_of(const char *text)
{
    const struct policy_source source = {.text = bytes_from_str(text)};
    return set_of_sources(&source, 1);
}

/* The text is refused, and the mistakes are these lines: "4:10: match: this is never true". */
static inline void assert_mistakes(const char *text, const char *expected)
{
    const struct policy_source source = {.text = bytes_from_str(text)};
    struct policy_set *set;
    static struct policy_mistakes mistakes;
    char found[16384] = "";
    enum err e = policy_set_create(&source, 1, &set, &mistakes);
    for (size_t i = 0; i < mistakes.count; i++) {
        size_t size = strlen(found);
        snprintf(found + size, sizeof found - size, "%s%u:%u: %s", i ? "\n" : "",
                 mistakes.items[i].line, mistakes.items[i].column, mistakes.items[i].text);
    }
    if (e == ERR_INVALID && strcmp(found, expected) == 0)
        return;
    fprintf(stderr, "%s\ngives %s:\n%s\n--- not:\n%s\n", text, err_word(e), found, expected);
    fail_msg("other mistakes than expected");
}

#endif
