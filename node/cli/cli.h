/* The command line: everything that main() does. */
#ifndef NODE_CLI_CLI_H
#define NODE_CLI_CLI_H

/* Runs one command and returns the exit status (contract.md section 2). */
int cli_main(int argc, char **argv);

#endif
