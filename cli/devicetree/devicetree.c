// SPDX-License-Identifier: MIT
// `sluice devicetree`: the command line, and the files it names.
#include "../file.h"
#include "view.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN_TREE "/sys/firmware/fdt"

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
    {"lint", OPTION_LINT, NULL, 0, "Check the trees, and tell what is wrong with them", 0},
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
    .doc = "Show what devicetrees say about IOMMUs: the units, the devices and PCI functions "
           "behind them, and memory that devices use already.\v"
           "FILE is a flattened devicetree (.dtb), or - for standard input. Without FILE this "
           "machine's own is read from " OWN_TREE ", which takes root.\n\n"
           "Exit status: 0 nothing wrong, 1 findings (with --lint: warnings or errors; without: "
           "places that could not be read), 2 the input could not be used.",
};

static void show_rules(const struct cli_out *out)
{
    enum sluice_lint_severity severity;
    const char *advice;
    const char *rule;

    for (unsigned int i = 0; sluice_devicetree_rule(i, &rule, &severity, &advice); i++) {
        char lead[64];

        (void)snprintf(lead, sizeof(lead), "%-26s %-8s ", rule,
                       sluice_lint_severity_text(severity));
        cli_put_wrapped(out, lead, advice);
    }
}

const char *dt_root_text(const struct dt_input *input, const char *property, size_t *out_bytes)
{
    int length = 0;
    const char *text = fdt_getprop(input->tree->fdt, 0, property, &length);

    *out_bytes = text == NULL || length < 0 ? 0 : strnlen(text, (size_t)length);
    return text;
}

const char *dt_unit_path(const struct dt_input *input, unsigned int unit)
{
    return unit < SLUICE_DEVICETREE_UNITS_MAX && input->units[unit] != NULL ? input->units[unit]
                                                                            : "?";
}

// Everything that refers to a unit names it by its path.
static bool name_units(struct dt_input *input)
{
    struct sluice_devicetree_cursor at = {0};
    struct sluice_devicetree_node node;

    while (sluice_devicetree_next(input->tree, &at, &node, NULL) != SLUICE_ERR_NOT_FOUND) {
        if ((node.roles & SLUICE_DEVICETREE_UNIT) == 0 ||
            node.unit >= SLUICE_DEVICETREE_UNITS_MAX || input->units[node.unit] != NULL)
            continue;
        input->units[node.unit] = strdup(node.path);
        if (input->units[node.unit] == NULL)
            return false;
    }
    return true;
}

// One tree in either form; what is no devicetree is an error of the input.
static bool show(struct dt_view *view, struct dt_input *input, json_t *trees)
{
    struct sluice_devicetree_error error;
    bool good = false;

    if (sluice_devicetree_open(input->data, input->size_bytes, input->tree, &error) != SLUICE_OK) {
        cli_error(input->name, "no devicetree: %s%s%s", error.path, error.path[0] ? ": " : "",
                  error.what);
        return false;
    }
    if (!name_units(input))
        cli_error(input->name, "out of memory");
    else if (trees != NULL)
        good = json_array_append_new(trees, dt_json(view, input)) == 0;
    else {
        dt_text(view, input);
        good = true;
    }
    for (unsigned int i = 0; i < SLUICE_DEVICETREE_UNITS_MAX; i++)
        free(input->units[i]);
    return good;
}

static bool show_file(struct dt_view *view, const char *path, json_t *trees)
{
    const bool is_stdin = path != NULL && strcmp(path, "-") == 0;
    const char *name = path == NULL ? OWN_TREE : is_stdin ? "standard input" : path;
    int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    struct dt_input input = {.name = name};
    const char *why = NULL;
    uint8_t *data = NULL;
    bool good = false;

    if (fd < 0 && path == NULL && errno == ENOENT) {
        cli_error(name, "this machine has no devicetree; one can be given as FILE");
        return false;
    }
    if (fd < 0)
        why = strerror(errno);
    else
        data = cli_read_whole(fd, &input.size_bytes, &why);
    if (fd >= 0 && !is_stdin)
        (void)close(fd);
    input.data = data;
    input.tree = malloc(sizeof(*input.tree));
    if (data == NULL)
        cli_error(name, "%s%s", why,
                  path == NULL ? "; only root may read it. A copy can be given as FILE by anybody"
                               : "");
    else if (input.tree == NULL)
        cli_error(name, "out of memory");
    else
        good = show(view, &input, trees);
    free(input.tree);
    free(data);
    return good;
}

static bool show_all(struct dt_view *view, const struct options *options)
{
    json_t *trees = options->json ? json_array() : NULL;
    bool good = true;

    if (options->json && trees == NULL)
        return false;
    if (options->file_count == 0)
        good = show_file(view, NULL, trees);
    for (int i = 0; i < options->file_count; i++)
        good = show_file(view, options->files[i], trees) && good;
    if (trees != NULL)
        good =
            cli_put_json(view->out.stream, json_pack("{s:i, s:s, s:o}", "schema", 1, "program",
                                                     "sluice " SLUICE_VERSION, "trees", trees)) &&
            good;
    return good && fflush(view->out.stream) == 0;
}

static int run(int argc, char **argv)
{
    struct options options = {.colour = CLI_COLOUR_AUTO};
    struct dt_view view = {0};

    cli_argp_setup();
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0)
        return CLI_EXIT_UNUSABLE;
    cli_out_init(&view.out, stdout, options.colour);
    view.lint = options.lint;
    if (options.rules) {
        show_rules(&view.out);
        return CLI_EXIT_CLEAN;
    }
    if (!show_all(&view, &options))
        return CLI_EXIT_UNUSABLE;
    if (view.malformed != 0 || view.findings[SLUICE_LINT_WARNING] != 0 ||
        view.findings[SLUICE_LINT_ERROR] != 0)
        return CLI_EXIT_FINDINGS;
    return CLI_EXIT_CLEAN;
}

const struct cli_command cli_devicetree = {
    .name = "devicetree",
    .summary = "Show and check what devicetrees say about IOMMUs",
    .run = run,
};
