// SPDX-License-Identifier: MIT
/*
 * The evidence of self-tests where it is told: as numbers, as JSON that a parser takes, as metrics,
 * and to people.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "selftest_world.h"

struct text {
    char buffer[32768];
    size_t length;
};

static void collect(void *arg, const char *line)
{
    struct text *text = arg;
    size_t length = strlen(line);

    assert_true(text->length + length + 2 < sizeof(text->buffer));
    memcpy(text->buffer + text->length, line, length);
    text->length += length;
    text->buffer[text->length++] = '\n';
    text->buffer[text->length] = '\0';
}

/** The one element of the array, owned by *out_root. */
static json_t *selftest_of(struct sluice *sluice, json_t **out_root)
{
    struct text text = {.length = 0};
    json_error_t error;
    json_t *array;

    sluice_overview_json(sluice, collect, &text);
    *out_root = json_loads(text.buffer, JSON_REJECT_DUPLICATES, &error);
    if (*out_root == NULL)
        fail_msg("line %d: %s: %s", error.line, error.text, text.buffer);
    array = json_object_get(*out_root, "selftests");
    assert_int_equal(json_array_size(array), 1);
    return json_array_get(array, 0);
}

static const char *word(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    assert_non_null(text);
    return text;
}

static void expect_counts(struct sluice *sluice, unsigned ok, unsigned bad, unsigned none)
{
    struct sluice_overview overview;

    assert_int_equal(sluice_overview(sluice, &overview), SLUICE_OK);
    assert_int_equal(overview.selftest_ok, ok);
    assert_int_equal(overview.selftest_bad, bad);
    assert_int_equal(overview.selftest_none, none);
}

static void expect_told(struct sluice *sluice, const char *metrics, const char *report)
{
    struct text text = {.length = 0};

    sluice_overview_prometheus(sluice, collect, &text);
    if (strstr(text.buffer, metrics) == NULL)
        fail_msg("no %s in %s", metrics, text.buffer);
    text.length = 0;
    sluice_report(sluice, collect, &text);
    if (strstr(text.buffer, report) == NULL)
        fail_msg("no %s in %s", report, text.buffer);
}

static void test_none(struct sluice *sluice)
{
    json_t *root, *element = selftest_of(sluice, &root);

    assert_string_equal(word(element, "unit"), "vtd0");
    assert_string_equal(word(element, "verdict"), "none");
    assert_int_equal(json_array_size(json_object_get(element, "steps")), 0);
    json_decref(root);
    expect_counts(sluice, 0, 0, 1);
    expect_told(sluice, "sluice_selftest_step{unit=\"vtd0\",step=\"revoked read\"} 0\n",
                "  no self-test was made\n");
}

static void test_passed(struct sluice *sluice)
{
    json_t *root, *element = selftest_of(sluice, &root);
    json_t *steps = json_object_get(element, "steps");
    json_t *step = json_array_get(steps, SLUICE_SELFTEST_REVOKED_READ);

    assert_string_equal(word(element, "verdict"), "passed");
    assert_string_equal(word(element, "device"), "0000:00:03.0");
    assert_string_equal(word(element, "name"), "device");
    assert_true(json_integer_value(json_object_get(element, "time_ns")) > 0);
    assert_int_equal(json_array_size(steps), SLUICE_SELFTEST_STEPS);
    assert_string_equal(word(step, "step"), "revoked read");
    assert_string_equal(word(step, "outcome"), "passed");
    assert_int_equal(json_integer_value(json_object_get(step, "faults")), 2);
    step = json_array_get(steps, SLUICE_SELFTEST_INTERRUPT_ENTRY);
    assert_string_equal(word(step, "outcome"), "not tested");
    json_decref(root);
    expect_counts(sluice, 1, 0, 0);
    expect_told(sluice, "sluice_selftest_step{unit=\"vtd0\",step=\"revoked read\"} 1\n",
                "  self-test with 0000:00:03.0 'device': passed, 9 of 11 steps passed\n");
}

static void test_failed(struct sluice *sluice)
{
    json_t *root, *element = selftest_of(sluice, &root);
    json_t *step = json_array_get(json_object_get(element, "steps"), SLUICE_SELFTEST_READ_ONLY);

    assert_string_equal(word(element, "verdict"), "failed");
    assert_string_equal(word(step, "outcome"), "failed");
    assert_string_equal(word(step, "seen"), "the write arrived in memory");
    json_decref(root);
    expect_counts(sluice, 0, 1, 0);
    expect_told(sluice, "sluice_selftest_step{unit=\"vtd0\",step=\"write to read-only\"} 3\n",
                "  write to read-only: failed: the write arrived in memory\n");
}

static void test_told(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct sluice_overview overview;
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    test_none(world.scene.sluice);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    test_passed(world.scene.sluice);
    world.flaw = FLAW_READ_ONLY;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    test_failed(world.scene.sluice);
    assert_int_equal(sluice_overview(world.scene.sluice, &overview), SLUICE_OK);
    selftest_world_finish(&world, overview.withheld_pages);
}

static void test_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= SLUICE_SELFTEST_STEPS; i++) {
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(sluice_selftest_step_text((enum sluice_selftest_step)i),
                                    sluice_selftest_step_text((enum sluice_selftest_step)j));
    }
    assert_string_equal(sluice_selftest_outcome_text(SLUICE_SELFTEST_INCONCLUSIVE), "inconclusive");
    assert_string_equal(sluice_selftest_outcome_text((enum sluice_selftest_outcome)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told), cmocka_unit_test(test_words)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
