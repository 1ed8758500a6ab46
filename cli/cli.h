// SPDX-License-Identifier: MIT
// What every subcommand of `sluice` shares: the table entry that names it, the exit statuses,
// and how an error reaches the user. To add a subcommand: write `cli/NAME/`, define a
// `const struct cli_command cli_NAME`, declare it at the end of this file and add its address
// to the table in main.c. Called by main.c and by each subcommand.
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

// Exit statuses of every subcommand (a shell script may rely on them).
enum cli_exit {
    CLI_EXIT_CLEAN = 0,    // read everything, nothing to report
    CLI_EXIT_FINDINGS = 1, // read everything, something to report
    CLI_EXIT_UNUSABLE = 2, // the input or the command line could not be used
};

struct cli_command {
    const char *name;    // the word on the command line
    const char *summary; // one line for `sluice --help`
    // Runs the subcommand; argv[0] is "sluice NAME", fit for a usage message.
    int (*run)(int argc, char **argv);
};

// Ends with NULL; defined in main.c.
extern const struct cli_command *const cli_commands[];

// Print "sluice NAME: message" on the error stream; `subject` (a file name, may be NULL) goes
// before the message. Control characters in the result are shown escaped.
__attribute__((format(printf, 2, 3))) void cli_error(const char *subject, const char *format, ...);

// Name the running subcommand for cli_error; `name` is not copied.
void cli_error_set_command(const char *name);

// Let `sluice NAME --version` print what `sluice --version` prints (an argp hook; called by
// each subcommand before argp_parse).
void cli_argp_setup(void);

// The subcommands.
extern const struct cli_command cli_acpi;       // acpi/acpi.c
extern const struct cli_command cli_devicetree; // devicetree/devicetree.c; needs libfdt
extern const struct cli_command cli_explain;    // explain/explain.c

#endif
