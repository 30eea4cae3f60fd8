/* See fdlimit.h. */
#include "node/cli/life/fdlimit.h"

#include <sys/resource.h>

#define FDS_OF_OUR_OWN 64 /* files, listeners, links */

void fdlimit_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* as it was, then */
}

void fdlimit_bound(struct config *config, const struct log *log)
{
    struct rlimit limit;
    uint64_t reserve = FDS_OF_OUR_OWN;
    for (size_t i = 0; i < config->backend_count; i++)
        reserve += config->backends[i].concurrency;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    uint64_t room = limit.rlim_cur > 2 * reserve ? limit.rlim_cur - reserve : limit.rlim_cur / 2;
    if (config->limits.connections <= room)
        return;
    LOG(log, LOG_WARN, "connections_bounded", LOG_UINT("wanted", config->limits.connections),
        LOG_UINT("connections", room), LOG_UINT("file_descriptors", limit.rlim_cur),
        LOG_STR("advice", "raise the limit of open files (ulimit -n, LimitNOFILE=)"));
    config->limits.connections = (uint32_t)room;
}
