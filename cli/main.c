// SPDX-License-Identifier: MIT
// The `sluice` command: picks the subcommand and hands it the rest of the command line.
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Add a subcommand here; the help text and the dispatch follow from this table.
const struct cli_command *const cli_commands[] = {
    &cli_acpi,
#ifdef SLUICE_CLI_DEVICETREE
    &cli_devicetree,
#endif
    &cli_explain,
    NULL,
};

static const struct cli_command *find_command(const char *name)
{
    for (unsigned int i = 0; cli_commands[i] != NULL; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

static char *help_filter(int key, const char *text, void *input)
{
    char *help = NULL;
    size_t size = 0;
    FILE *stream;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    stream = open_memstream(&help, &size);
    if (stream == NULL)
        return NULL;
    (void)fputs("Commands:\n", stream);
    for (unsigned int i = 0; cli_commands[i] != NULL; i++)
        (void)fprintf(stream, "  %-11s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    (void)fputs("\n`sluice COMMAND --help` says more about a command.", stream);
    if (fclose(stream) != 0)
        return NULL;
    return help;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    int *first = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        *first = state->next - 1;
        state->next = state->argc; // the rest belongs to the subcommand
        (void)arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    char name[64];
    int status;

    (void)snprintf(name, sizeof(name), "sluice %s", command->name);
    argv[0] = name; // usage and option errors then name the whole command
    cli_error_set_command(name);
    status = command->run(argc, argv);
    cli_error_set_command("sluice");
    return status;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse_option,
        .args_doc = "COMMAND [ARGUMENT...]",
        .doc = "Look at IOMMUs: firmware tables, devicetrees and kernel logs.\v ",
        .help_filter = help_filter,
    };
    const struct cli_command *command;
    int first = 0;

    cli_argp_setup();
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &first) != 0)
        return CLI_EXIT_UNUSABLE;
    command = find_command(argv[first]);
    if (command == NULL) {
        cli_error(argv[first], "no such command; `sluice --help` lists the commands");
        return CLI_EXIT_UNUSABLE;
    }
    return run_command(command, argc - first, argv + first);
}
