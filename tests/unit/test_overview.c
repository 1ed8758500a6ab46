// SPDX-License-Identifier: MIT
/*
 * The whole picture: as numbers, as JSON that a parser takes, and as metrics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "dma_world.h"

#define ODD_NAME "a \"b\" \\ \x01\xc3"

struct text {
    char buffer[16384];
    size_t length;
    unsigned lines;
};

static void collect(void *arg, const char *line)
{
    struct text *text = arg;
    size_t length = strlen(line);

    assert_true(text->length + length + 2 < sizeof(text->buffer));
    memcpy(text->buffer + text->length, line, length);
    text->buffer[text->length + length] = '\n';
    text->length += length + 1;
    text->lines++;
}

static json_t *json_of(struct sluice *sluice)
{
    struct text text = {.length = 0};
    json_error_t error;
    json_t *root;

    sluice_overview_json(sluice, collect, &text);
    root = json_loads(text.buffer, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("line %d: %s: %s", error.line, error.text, text.buffer);
    return root;
}

static uint64_t number(json_t *root, const char *key)
{
    json_t *value = json_object_get(root, key);

    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

static uint64_t metric(const struct text *text, const char *name)
{
    char wanted[128];
    const char *at;

    (void)snprintf(wanted, sizeof(wanted), "\n%s ", name);
    at = strstr(text->buffer, wanted);
    if (at == NULL)
        fail_msg("no metric %s", name);
    return strtoull(at + strlen(wanted), NULL, 10);
}

/** Each line is a comment of two kinds, or a name with labels and a number. */
static void check_form(const struct text *text)
{
    const char *line = text->buffer;

    for (unsigned i = 0; i < text->lines; i++) {
        const char *end = strchr(line, '\n');
        const char *space;

        assert_non_null(end);
        if (line[0] == '#') {
            assert_true(strncmp(line, "# HELP sluice_", 14) == 0 ||
                        strncmp(line, "# TYPE sluice_", 14) == 0);
        } else {
            assert_int_equal(strncmp(line, "sluice_", 7), 0);
            space = end;
            while (space > line && space[-1] >= '0' && space[-1] <= '9')
                space--;
            assert_true(space < end && space[-1] == ' ');
            assert_true(space[-2] == '}' || memchr(line, '{', (size_t)(space - line)) == NULL);
        }
        line = end + 1;
    }
}

static struct sluice_device *add_odd(struct dma_world *world)
{
    const struct sluice_device_config config = {
        .rid = DMA_RID_2, .name = ODD_NAME, .untrusted = true};
    struct sluice_device *device;

    assert_int_equal(sluice_device_add(world->scene.sluice, &config, &device), SLUICE_OK);
    return device;
}

static void check_devices(json_t *root)
{
    json_t *devices = json_object_get(root, "devices");
    json_t *odd = json_array_get(devices, 1);

    assert_int_equal(json_array_size(devices), 2);
    assert_string_equal(json_string_value(json_object_get(odd, "device")), "0000:00:04.0");
    /* Bytes above 7Fh come as the code points of the same number. */
    assert_string_equal(json_string_value(json_object_get(odd, "name")), "a \"b\" \\ \x01\xc3\x83");
    assert_string_equal(json_string_value(json_object_get(odd, "state")), "quarantined");
    assert_string_equal(json_string_value(json_object_get(odd, "domain")), "");
    assert_true(json_is_true(json_object_get(odd, "untrusted")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(devices, 0), "domain")),
                        "dma");
}

static void test_picture(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_overview overview;
    struct text metrics = {.length = 1, .buffer = "\n"};
    struct sluice_device *odd;
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;
    json_t *root;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x11);
    odd = add_odd(&world);
    address = dma_map(&world, memory.phys, 100, BOTH);
    dma_unmap(&world, dma_map(&world, memory.phys, 64, BOTH), 64, BOTH);
    assert_int_equal(dma_reads(&world, address + SLUICE_PAGE_BYTES), -1);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(sluice_device_quarantine(odd), SLUICE_OK);

    assert_int_equal(sluice_overview(world.scene.sluice, &overview), SLUICE_OK);
    assert_true(overview.enabled);
    assert_int_equal(overview.units, 1);
    assert_int_equal(overview.degraded, 0);
    assert_int_equal(overview.devices, 2);
    assert_int_equal(overview.attached, 1);
    assert_int_equal(overview.untrusted, 1);
    assert_int_equal(overview.troubled, 1);
    assert_int_equal(overview.quarantined, 1);
    assert_int_equal(overview.domains, 1);
    assert_true(overview.groups >= 2);
    assert_int_equal(overview.mappings, 1);
    assert_int_equal(overview.mapped_bytes, 100);
    assert_true(overview.table_bytes >= 4 * SLUICE_PAGE_BYTES);
    assert_int_equal(overview.strict_flushes, 1);
    assert_int_equal(overview.faults.faults, 1);
    assert_int_equal(overview.faults.quarantines, 1);

    root = json_of(world.scene.sluice);
    assert_true(json_is_true(json_object_get(root, "enabled")));
    assert_int_equal(json_array_size(json_object_get(root, "units")), 1);
    assert_int_equal(number(root, "mapped_bytes"), 100);
    assert_int_equal(number(root, "table_bytes"), overview.table_bytes);
    assert_int_equal(number(root, "faults"), 1);
    check_devices(root);
    json_decref(root);

    sluice_overview_prometheus(world.scene.sluice, collect, &metrics);
    assert_int_equal(metric(&metrics, "sluice_enabled"), 1);
    assert_int_equal(metric(&metrics, "sluice_dma_mapped_bytes"), 100);
    assert_int_equal(metric(&metrics, "sluice_devices_quarantined"), 1);
    assert_int_equal(
        metric(&metrics,
               "sluice_device_state{device=\"0000:00:04.0\",name=\"a \\\"b\\\" \\\\   \"}"),
        SLUICE_DEVICE_QUARANTINED);
    memmove(metrics.buffer, metrics.buffer + 1, metrics.length - 1);
    check_form(&metrics);

    dma_unmap(&world, address, 100, BOTH);
    scene_forget(odd);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

static void test_not_started(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_overview overview;
    struct scene scene;
    json_t *root;

    (void)state;
    scene_init(&scene, &config);
    assert_int_equal(sluice_overview(scene.sluice, &overview), SLUICE_OK);
    assert_false(overview.enabled);
    assert_int_equal(overview.units + overview.devices + overview.domains, 0);
    root = json_of(scene.sluice);
    assert_true(json_is_false(json_object_get(root, "enabled")));
    assert_int_equal(json_array_size(json_object_get(root, "devices")), 0);
    json_decref(root);
    assert_int_equal(sluice_overview(NULL, &overview), SLUICE_ERR_INVALID);
    scene_finish(&scene);
}

static void only_one(void *arg, const char *line)
{
    struct text *text = arg;

    assert_int_equal(text->lines, 0);
    collect(arg, line);
}

static void configure_disabled(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->protection = SLUICE_PROTECTION_DISABLED;
}

/** Started, and nothing is confined: said as such, and not as "not started". */
static void test_disabled(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_overview overview;
    struct text report = {.length = 0};
    struct scene scene;

    (void)state;
    config.configure = configure_disabled;
    scene_start(&scene, &config);
    assert_int_equal(sluice_overview(scene.sluice, &overview), SLUICE_OK);
    assert_false(overview.enabled);
    assert_int_equal(overview.units + overview.devices + overview.groups, 0);
    sluice_report(scene.sluice, only_one, &report);
    assert_non_null(strstr(report.buffer, "level disabled"));
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    report = (struct text){.length = 0};
    sluice_report(scene.sluice, only_one, &report);
    assert_non_null(strstr(report.buffer, "not started"));
    scene_finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_picture),
                                       cmocka_unit_test(test_not_started),
                                       cmocka_unit_test(test_disabled)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
