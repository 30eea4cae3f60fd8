/* What the writers of metrics share. */
#include "testnet/engine/say/metrics.h"

enum err metrics_about(struct buf *out, const char *name, const char *type, const char *help)
{
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}
