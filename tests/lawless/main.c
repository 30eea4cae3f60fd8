/* A node that keeps no law of residency, as if its owner had tampered with it: every region is
 * allowed to it, when it sends as when it receives. All else is the product's own code, in which
 * nothing is prepared for this: the linker is told to take the first of two definitions, and this
 * one is first. For scenarios that look at what others do about it (testnet/chaos). */
#include "node/cli/cli.h"
#include "registry/registry.h"

bool registry_region_is_allowed(const struct bytes *regions, size_t count, struct bytes region)
{
    (void)regions;
    (void)count;
    (void)region;
    return true;
}

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
