/* One trace line: virtual time, node, event, fields. The simulators compare and replay these, so a
 * line depends on nothing but its arguments. */
#include "base/trace.h"

#include "base/log_fields.h"

void trace_write(const struct trace *trace, const char *node, const char *event,
                 const struct log_field *fields, size_t count)
{
    if (!trace)
        return;
    struct log_fields f;
    log_fields_begin(&f);
    log_fields_json(&f, &LOG_UINT("t_us", trace->now_us(trace->ctx)), 1);
    if (node)
        log_fields_json(&f, &LOG_STR("node", node), 1);
    log_fields_json(&f, &LOG_STR("event", event), 1);
    log_fields_json(&f, fields, count);
    trace->sink(trace->ctx, log_fields_json_end(&f));
}
