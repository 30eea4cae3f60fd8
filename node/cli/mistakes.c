/* See mistakes.h. */
#include "node/cli/mistakes.h"

size_t mistakes_print(FILE *out, const char *prefix, const struct policy_mistakes *mistakes,
                      const struct mistakes_place *places, size_t count)
{
    size_t printed = 0;
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct policy_mistake *m = &mistakes->items[i];
        if (mistakes->source[i] >= count)
            continue;
        const struct mistakes_place *place = &places[mistakes->source[i]];
        fprintf(out, "%s%s:%u:%u: %s\n", prefix, place->path, m->line + place->line_offset,
                m->column, m->text);
        printed++;
    }
    return printed;
}

size_t mistakes_print_failed(FILE *out, const char *prefix, const struct policy_rule *rule,
                             const struct policy_tests *tests, const struct mistakes_place *place)
{
    for (size_t i = 0; i < tests->count; i++)
        if (!tests->items[i].passed)
            fprintf(out, "%s%s:%u:%u: %.*s: test \"%s\" fails: %s\n", prefix, place->path,
                    tests->items[i].line + place->line_offset, tests->items[i].column,
                    (int)rule->name.size, (const char *)rule->name.data, tests->items[i].name,
                    tests->items[i].why);
    return tests->failed;
}

void mistakes_put(struct json *j, const struct policy_mistakes *mistakes,
                  const struct mistakes_place *places)
{
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct policy_mistake *m = &mistakes->items[i];
        const struct mistakes_place *place = &places[mistakes->source[i]];
        json_open(j, '{');
        json_put_str(j, "file", place->path);
        json_put_uint(j, "line", m->line + place->line_offset);
        json_put_uint(j, "column", m->column);
        json_put_str(j, "text", m->text);
        json_close(j, '}');
    }
}
