// SPDX-License-Identifier: MIT
// Error messages of the command, all in one form. Called by main.c and every subcommand.
#include "cli.h"
#include "output.h"

#include <argp.h>
#include <stdarg.h>

static const char *command_name = "sluice";

void cli_error_set_command(const char *name)
{
    command_name = name;
}

void cli_error(const char *subject, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    (void)fprintf(stderr, "%s: ", command_name);
    if (subject != NULL) {
        cli_put_escaped(stderr, subject, strlen(subject));
        (void)fputs(": ", stderr);
    }
    cli_put_escaped(stderr, text, strlen(text));
    (void)fputc('\n', stderr);
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    (void)fprintf(stream, "sluice %s\n", SLUICE_VERSION);
}

void cli_argp_setup(void)
{
    argp_program_version_hook = print_version;
    argp_err_exit_status = CLI_EXIT_UNUSABLE;
}
