// SPDX-License-Identifier: MIT
// `sluice explain`: the command line, the reading of the input, and following the kernel's log.
#include "../cli.h"
#include "engine.h"
#include "follow.h"
#include "knowledge.h"
#include "report.h"
#include "reserved.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024, // a block; a line longer than this is taken in pieces
    MOST_EXPLANATIONS_BYTES = 4 * 1024 * 1024,
    OPTION_COLOUR = 0x100,
    OPTION_JSON,
    OPTION_ACPI,
    OPTION_EXPLANATIONS,
    OPTION_BRIEF,
};

struct options {
    const char *file;
    const char *acpi;
    const char *explanations;
    enum cli_colour colour;
    bool json;
    const char *follow; // NULL: the whole input first
    bool brief;
};

static const struct argp_option argp_options[] = {
    {"follow", 'f', "FILE", OPTION_ARG_OPTIONAL,
     "Go on with what comes in the kernel's own log, or in FILE, a pipe (- is standard input)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON for programs", 0},
    {"brief", OPTION_BRIEF, NULL, 0, "Leave out causes and advice", 0},
    {"acpi", OPTION_ACPI, "DIR", 0,
     "Compare addresses with the reserved regions of the firmware tables in DIR", 0},
    {"explanations", OPTION_EXPLANATIONS, "FILE", 0, "Use FILE instead of the built-in texts", 0},
    {"colour", OPTION_COLOUR, "WHEN", 0, "auto (on a terminal, the default), always or never", 0},
    {"color", OPTION_COLOUR, "WHEN", OPTION_ALIAS, NULL, 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'f':
        options->follow = arg != NULL ? arg : FOLLOW_KERNEL;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_BRIEF:
        options->brief = true;
        return 0;
    case OPTION_ACPI:
        options->acpi = arg;
        return 0;
    case OPTION_EXPLANATIONS:
        options->explanations = arg;
        return 0;
    case OPTION_COLOUR:
        if (!cli_colour_parse(arg, &options->colour))
            argp_error(state, "--colour takes auto, always or never");
        return 0;
    case ARGP_KEY_ARG:
        if (options->file != NULL)
            argp_error(state, "one FILE at a time");
        options->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (options->follow != NULL && (options->json || options->file != NULL))
            argp_error(state, "--follow goes with neither a log file nor --json");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse_option,
    .args_doc = "[FILE]",
    .doc = "Explain what a kernel log says about IOMMUs: each distinct problem once, what the "
           "hardware said, what usually causes it, how to tell which, and what to do.\v"
           "FILE is a log as dmesg, the journal or syslog give it; without FILE, or with -, "
           "standard input is read.\n\nExit status: 0 nothing found, 1 problems found, 2 the "
           "input could not be used.",
};

// Whole lines go to the engine; what is left of a block moves to its start.
static bool read_all(struct engine *engine, int fd, const char *name)
{
    char *buffer = malloc(READ_BYTES);
    size_t held = 0;
    bool good = false;

    while (buffer != NULL) {
        ssize_t got = read(fd, buffer + held, READ_BYTES - held);
        const char *end;
        size_t whole;

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            good = got == 0;
            break;
        }
        held += (size_t)got;
        end = memrchr(buffer, '\n', held);
        whole = end == NULL ? 0 : (size_t)(end - buffer) + 1;
        if (whole == 0 && held == READ_BYTES)
            whole = held;
        engine_feed(engine, buffer, whole);
        memmove(buffer, buffer + whole, held - whole);
        held -= whole;
    }
    if (good) {
        engine_feed(engine, buffer, held);
        engine_finish(engine);
    } else {
        cli_error(name, "%s", buffer == NULL ? "out of memory" : strerror(errno));
    }
    free(buffer);
    return good;
}

static bool read_input(struct engine *engine, const struct options *options)
{
    struct stat status;
    bool good;
    int fd;

    if (options->file == NULL || strcmp(options->file, "-") == 0) {
        if (isatty(STDIN_FILENO) == 1)
            cli_error(NULL, "reading from the terminal; end with Ctrl-D");
        return read_all(engine, STDIN_FILENO, "standard input");
    }
    fd = open(options->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_error(options->file, "%s%s", strerror(errno),
                  errno == EACCES ? "; a copy that you may read, or `dmesg`, does as well" : "");
        return false;
    }
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        cli_error(options->file, "is a directory; a log file is needed");
        (void)close(fd);
        return false;
    }
    good = read_all(engine, fd, options->file);
    (void)close(fd);
    return good;
}

static char *read_file(const char *name, size_t *out_bytes)
{
    FILE *stream = fopen(name, "re");
    char *text = malloc(MOST_EXPLANATIONS_BYTES);

    if (stream == NULL || text == NULL) {
        cli_error(name, "%s", strerror(errno));
        if (stream != NULL)
            (void)fclose(stream);
        free(text);
        return NULL;
    }
    *out_bytes = fread(text, 1, MOST_EXPLANATIONS_BYTES, stream);
    if (ferror(stream) != 0 || fgetc(stream) != EOF) {
        cli_error(name, "could not be read, or is larger than 4 MiB");
        free(text);
        text = NULL;
    }
    (void)fclose(stream);
    return text;
}

static bool load_knowledge(struct knowledge *knowledge, const struct options *options)
{
    const char *text = explanations_text;
    size_t bytes = explanations_bytes;
    char *own = NULL;
    const char *why;
    unsigned int line;
    bool good;

    if (options->explanations != NULL) {
        own = read_file(options->explanations, &bytes);
        text = own;
        if (own == NULL)
            return false;
    }
    good = knowledge_read(knowledge, text, bytes, &line, &why);
    if (!good)
        cli_error(options->explanations != NULL ? options->explanations : "built-in explanations",
                  "line %u: %s", line, why);
    free(own);
    return good;
}

// The machine's tables, or a copy: raw tables, one a file.
static bool load_tables(struct engine *engine, const char *folder)
{
    unsigned int denied;
    int tables = reserved_read_folder(&engine->context, folder, &denied);

    if (tables < 0) {
        cli_error(folder, "%s", strerror(errno));
        return false;
    }
    if (denied > 0)
        cli_error(folder,
                  "%u files may not be read (the kernel's own take root); the log is "
                  "explained without them",
                  denied);
    else if (tables == 0)
        cli_error(folder, "no DMAR, IVRS or IORT table in it");
    return tables > 0 || denied > 0;
}

static enum cli_exit run(struct engine *engine, const struct options *options,
                         const struct report *report)
{
    struct cli_out out;
    bool good;

    cli_out_init(&out, stdout, options->colour);
    if (options->follow != NULL) {
        good = follow(engine, report, &out, options->follow);
    } else {
        if (!read_input(engine, options))
            return CLI_EXIT_UNUSABLE;
        good = options->json ? report_json(report, stdout) : report_text(report, &out);
        if (!good)
            cli_error("standard output", "could not be written");
    }
    if (!good)
        return CLI_EXIT_UNUSABLE;
    return engine->problems.count > 0 ? CLI_EXIT_FINDINGS : CLI_EXIT_CLEAN;
}

static const char *source_name(const struct options *options)
{
    const char *file = options->follow != NULL ? options->follow : options->file;

    return file == NULL || strcmp(file, "-") == 0 ? "standard input" : file;
}

static int explain_main(int argc, char **argv)
{
    struct options options = {0};
    struct knowledge knowledge = {0};
    struct pci_names *names = NULL;
    struct engine *engine = NULL;
    int status = CLI_EXIT_UNUSABLE;

    cli_argp_setup();
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0)
        return CLI_EXIT_UNUSABLE;
    if (!load_knowledge(&knowledge, &options))
        return CLI_EXIT_UNUSABLE;
    engine = engine_create();
    names = pci_names_create(options.follow != NULL);
    if (engine == NULL || names == NULL) {
        cli_error(NULL, "out of memory");
    } else {
        const struct report report = {
            .engine = engine,
            .knowledge = &knowledge,
            .names = names,
            .source = source_name(&options),
            .brief = options.brief,
        };

        if (options.acpi == NULL || load_tables(engine, options.acpi))
            status = (int)run(engine, &options, &report);
    }
    pci_names_destroy(names);
    engine_destroy(engine);
    knowledge_free(&knowledge);
    return status;
}

const struct cli_command cli_explain = {
    .name = "explain",
    .summary = "say what a kernel log's IOMMU messages mean",
    .run = explain_main,
};
