// SPDX-License-Identifier: MIT
// `sluice acpi`: the command line.
#include "tables.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>

enum {
    OPTION_COLOUR = 0x100,
    OPTION_JSON,
    OPTION_LINT,
    OPTION_RULES,
};

struct options {
    char **files;
    int file_count;
    enum cli_colour colour;
    bool json;
    bool lint;
    bool rules;
};

static const struct argp_option argp_options[] = {
    {"lint", OPTION_LINT, NULL, 0, "Check the tables, and tell what is wrong with them", 0},
    {"rules", OPTION_RULES, NULL, 0, "List the rules of --lint", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON for programs", 0},
    {"colour", OPTION_COLOUR, "WHEN", 0, "auto (on a terminal, the default), always or never", 0},
    {"color", OPTION_COLOUR, "WHEN", OPTION_ALIAS, NULL, 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case OPTION_LINT:
        options->lint = true;
        return 0;
    case OPTION_RULES:
        options->rules = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_COLOUR:
        if (!cli_colour_parse(arg, &options->colour))
            argp_error(state, "--colour takes auto, always or never");
        return 0;
    case ARGP_KEY_ARGS:
        options->files = state->argv + state->next;
        options->file_count = state->argc - state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse_option,
    .args_doc = "[FILE...]",
    .doc = "Show the firmware tables that describe IOMMUs: DMAR, IVRS, IORT, "
           "RIMT, VIOT, MCFG.\v"
           "FILE is a table as firmware has it, the text of acpidump, a directory of either, or - "
           "for standard input. Without FILE this machine's own tables are read, which takes "
           "root.\n\nExit status: 0 nothing wrong, 1 findings (with --lint: warnings or errors; "
           "without: places that could not be read), 2 the input could not be used.",
};

static void show_rules(const struct cli_out *out)
{
    enum sluice_lint_severity severity;
    const char *advice;
    const char *rule;

    for (unsigned int i = 0; sluice_lint_rule(i, &rule, &severity, &advice); i++) {
        char lead[64];

        (void)snprintf(lead, sizeof(lead), "%-26s %-8s ", rule,
                       sluice_lint_severity_text(severity));
        cli_put_wrapped(out, lead, advice);
    }
}

// One table in either form; what cannot even be opened is an error of the input.
static bool show(struct acpi_view *view, const struct acpi_input *input, json_t *tables)
{
    struct sluice_acpi_table table;
    struct sluice_acpi_error error;

    if (sluice_acpi_open(input->data, input->size_bytes, &table, &error) != SLUICE_OK) {
        cli_error(input->name, "no ACPI table: offset 0x%x: %s", error.offset, error.what);
        return false;
    }
    if (tables == NULL)
        acpi_text(view, input, &table);
    else if (json_array_append_new(tables, acpi_json(view, input, &table)) != 0)
        return false;
    return true;
}

static bool show_all(struct acpi_view *view, const struct acpi_inputs *inputs, bool json)
{
    json_t *tables = json ? json_array() : NULL;
    bool good = !inputs->failed;

    for (size_t i = 0; i < inputs->count; i++)
        good = show(view, &inputs->items[i], tables) && good;
    if (json)
        good =
            cli_put_json(view->out.stream, json_pack("{s:i, s:s, s:i, s:o}", "schema", 1, "program",
                                                     "sluice " SLUICE_VERSION, "skipped",
                                                     (int)inputs->skipped, "tables", tables)) &&
            good;
    else if (inputs->skipped != 0)
        (void)fprintf(view->out.stream, "(%u other files or tables were passed over)\n",
                      inputs->skipped);
    if (inputs->count == 0 && good) {
        cli_error(NULL, "there is no table about IOMMUs in what was given");
        good = false;
    }
    return good && fflush(view->out.stream) == 0;
}

static int run(int argc, char **argv)
{
    struct options options = {.colour = CLI_COLOUR_AUTO};
    struct acpi_inputs inputs = {0};
    struct acpi_view view = {0};
    bool good;

    cli_argp_setup();
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0)
        return CLI_EXIT_UNUSABLE;
    cli_out_init(&view.out, stdout, options.colour);
    view.lint = options.lint;
    if (options.rules) {
        show_rules(&view.out);
        return CLI_EXIT_CLEAN;
    }
    if (options.file_count == 0)
        acpi_read(&inputs, NULL);
    for (int i = 0; i < options.file_count; i++)
        acpi_read(&inputs, options.files[i]);
    good = show_all(&view, &inputs, options.json);
    acpi_inputs_free(&inputs);
    if (!good)
        return CLI_EXIT_UNUSABLE;
    if (view.malformed != 0 || view.findings[SLUICE_LINT_WARNING] != 0 ||
        view.findings[SLUICE_LINT_ERROR] != 0)
        return CLI_EXIT_FINDINGS;
    return CLI_EXIT_CLEAN;
}

const struct cli_command cli_acpi = {
    .name = "acpi",
    .summary = "Show and check the firmware tables that describe IOMMUs",
    .run = run,
};
