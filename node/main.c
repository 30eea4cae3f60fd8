/* The program `grapevine`. Everything it does is a command of node/cli. */
#include "node/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
