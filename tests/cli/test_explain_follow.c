// SPDX-License-Identifier: MIT
// `sluice explain --follow` on a source that does what /dev/kmsg does: one record a read, EPIPE
// where records were overwritten, EINTR where it was told to stop, and errors.
#include "explain_helper.h"
#include "follow.h"

#include <errno.h>

struct reading_step {
    const char *record; // NULL: the error
    int error;
};

struct script {
    const struct reading_step *steps;
    unsigned int at;
};

#define FAULT(number, device)                                                                      \
    "4," number ",1000000,-;DMAR: [DMA Write NO_PASID] Request device [" device                    \
    "] fault addr 0x5000 [fault reason 0x05] PTE Write access is not set\n SUBSYSTEM=pci\n"

static ssize_t read_one(void *arg, char *buffer, size_t size_bytes)
{
    struct script *script = arg;
    const struct reading_step *step = &script->steps[script->at++];
    size_t bytes;

    if (step->record == NULL) {
        errno = step->error;
        return step->error == 0 ? 0 : -1;
    }
    bytes = strlen(step->record);
    assert_true(bytes <= size_bytes);
    memcpy(buffer, step->record, bytes);
    return (ssize_t)bytes;
}

// What it prints, which the caller frees.
static char *run(const struct reading_step *steps, bool good, unsigned int problems)
{
    struct knowledge knowledge = {0};
    struct engine *engine = engine_create();
    struct pci_names *names = pci_names_create(false);
    const struct report report = {engine, &knowledge, names, "log", true};
    struct script script = {steps, 0};
    const struct follow_source source = {"log", read_one, &script};
    struct cli_out out;
    unsigned int line;
    const char *why;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);

    assert_true(engine != NULL && names != NULL && stream != NULL);
    assert_true(knowledge_read(&knowledge, explanations_text, explanations_bytes, &line, &why));
    cli_out_init(&out, stream, CLI_COLOUR_NEVER);
    assert_int_equal(follow_source(engine, &report, &out, &source), good);
    assert_int_equal(engine->problems.count, problems);
    (void)fclose(stream);
    pci_names_destroy(names);
    engine_destroy(engine);
    knowledge_free(&knowledge);
    return text;
}

static void test_overrun(void **state)
{
    const struct reading_step steps[] = {{FAULT("7", "1b:00.0"), 0},
                                         {NULL, EPIPE},
                                         {FAULT("10", "1c:00.0"), 0},
                                         {FAULT("11", "1d:00.0"), 0},
                                         {NULL, EPIPE},
                                         {FAULT("13", "1e:00.0"), 0},
                                         {NULL, EINTR}};
    char *text = run(steps, true, 4);

    (void)state;
    assert_non_null(strstr(text, "1e:00.0"));
    assert_non_null(strstr(text, "4 distinct problems"));
    assert_non_null(strstr(text, "3 records were overwritten")); // 8, 9 and 12
    free(text);
}

// Numbers that are left out without EPIPE are no loss: the kernel's own, of records not for us.
static void test_gap(void **state)
{
    const struct reading_step steps[] = {
        {FAULT("7", "1b:00.0"), 0}, {FAULT("10", "1c:00.0"), 0}, {NULL, 0}};
    char *text = run(steps, true, 2);

    (void)state;
    assert_null(strstr(text, "overwritten"));
    free(text);
}

static void test_error(void **state)
{
    const struct reading_step steps[] = {{FAULT("7", "1b:00.0"), 0}, {NULL, EIO}};
    char *text = run(steps, false, 1);

    (void)state;
    assert_non_null(strstr(text, "1b:00.0")); // shown before
    assert_null(strstr(text, "distinct"));
    free(text);
}

// Longer than the buffer, without an end of line: taken in pieces, and what follows is found.
static void test_long_line(void **state)
{
    static char line[FOLLOW_BYTES / 3];
    const struct reading_step steps[] = {
        {line, 0},    {line, 0}, {line, 0}, {line, 0},
        {line, 0},    {line, 0}, {"\n", 0}, {FAULT("7", "1b:00.0"), 0},
        {NULL, EINTR}};
    char *text;

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    text = run(steps, true, 1);
    assert_non_null(strstr(text, "1b:00.0"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overrun),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_long_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
