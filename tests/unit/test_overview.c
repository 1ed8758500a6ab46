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
#include "prometheus.h"
#include "unit/unit.h"

#define ODD_NAME "a \"b\" \\ \x01\xc3"

struct text {
    char buffer[65536];
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
    bool found;
    double value = prometheus_value(text->buffer, name, &found);

    if (!found)
        fail_msg("no metric %s", name);
    return (uint64_t)value;
}

static void check_form(const struct text *text)
{
    char why[1200];

    if (prometheus_check(text->buffer, why, sizeof(why)) != NULL)
        fail_msg("%s", why);
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

/** As many invalidations as in the structure, in buckets that rise. */
static void check_unit(json_t *root, const struct sluice_overview *overview)
{
    json_t *unit = json_array_get(json_object_get(root, "units"), 0);
    json_t *invalidations = json_object_get(unit, "invalidations");
    json_t *buckets = json_object_get(invalidations, "buckets");
    uint64_t sum = 0, most = 0;

    assert_string_equal(json_string_value(json_object_get(root, "level")), "basic");
    assert_true(number(unit, "iova_bits") >= 32);
    assert_true(json_is_boolean(json_object_get(unit, "coherent")));
    assert_int_equal(json_integer_value(json_array_get(json_object_get(unit, "page_sizes_lg2"), 0)),
                     SLUICE_PAGE_LG2);
    assert_int_equal(json_array_size(buckets), SLUICE_LATENCY_BUCKETS);
    for (size_t i = 0; i < SLUICE_LATENCY_BUCKETS; i++) {
        json_t *bucket = json_array_get(buckets, i);

        sum += number(bucket, "count");
        if (i + 1 == SLUICE_LATENCY_BUCKETS)
            break;
        assert_true(number(bucket, "most_ns") > most);
        most = number(bucket, "most_ns");
    }
    assert_int_equal(sum, overview->invalidations.count);
    assert_int_equal(number(invalidations, "count"), sum);
    assert_int_equal(number(invalidations, "sum_ns"), overview->invalidations.sum_ns);
}

static void check_domains(json_t *root)
{
    json_t *domains = json_object_get(root, "domain_list");
    json_t *domain = json_array_get(domains, 0);

    assert_int_equal(json_array_size(domains), 1);
    assert_string_equal(json_string_value(json_object_get(domain, "kind")), "DMA");
    assert_int_equal(number(domain, "mappings"), 1);
    assert_int_equal(number(domain, "mapped_bytes"), 100);
    assert_int_equal(number(domain, "devices"), 1);
}

/** Each device's group has it; what is behind the conventional bridge is with it, and why. */
static void check_groups(json_t *root)
{
    json_t *groups = json_object_get(root, "group_list"), *group, *member;
    unsigned with_reason = 0, found = 0;
    size_t at, inner;

    assert_int_equal(json_array_size(groups), number(root, "groups"));
    json_array_foreach(groups, at, group)
    {
        json_t *members = json_object_get(group, "members");
        json_t *reasons = json_object_get(group, "reasons");

        assert_true((json_array_size(members) > 1) == (json_array_size(reasons) > 0));
        json_array_foreach(members, inner, member)
        {
            if (strcmp(json_string_value(json_object_get(member, "device")), "0000:00:04.0") != 0)
                continue;
            found++;
            assert_int_equal(number(json_array_get(json_object_get(root, "devices"), 1), "group"),
                             number(group, "id"));
        }
        json_array_foreach(reasons, inner, member) with_reason +=
            strstr(json_string_value(member), "conventional PCI") != NULL;
    }
    assert_int_equal(found, 1);
    assert_int_equal(with_reason, 1);
}

static void check_latency(struct sluice *sluice, const struct sluice_overview *overview)
{
    struct sluice_unit_info info;
    uint64_t sum = 0;

    assert_int_equal(sluice_unit_info(sluice, 0, &info), SLUICE_OK);
    assert_memory_equal(&info.invalidations, &overview->invalidations, sizeof(info.invalidations));
    for (unsigned i = 0; i < SLUICE_LATENCY_BUCKETS; i++)
        sum += info.invalidations.buckets[i];
    assert_int_equal(sum, info.invalidations.count);
    assert_true(sum > 0);
}

static void check_report(struct sluice *sluice)
{
    struct text report = {.length = 0};

    sluice_report(sluice, collect, &report);
    assert_non_null(strstr(report.buffer, "protection level basic"));
    assert_non_null(strstr(report.buffer, "1 faults, 1 devices cut off"));
    assert_non_null(strstr(report.buffer, " invalidations, "));
    assert_non_null(strstr(report.buffer, "0000:00:04.0, alone"));
    assert_non_null(strstr(report.buffer, "  with 0000:02:05.0"));
    assert_non_null(strstr(report.buffer, "  since bridge 0000:00:1e.0"));
    assert_non_null(strstr(report.buffer, "quarantined, untrusted"));
    assert_non_null(strstr(report.buffer, "  1 mappings of 100 bytes"));
}

static void test_picture(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_overview overview;
    struct text metrics = {.length = 0};
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
    assert_int_equal(overview.level, SLUICE_PROTECTION_BASIC);
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
    check_unit(root, &overview);
    check_domains(root);
    check_groups(root);
    json_decref(root);
    check_latency(world.scene.sluice, &overview);
    check_report(world.scene.sluice);

    sluice_overview_prometheus(world.scene.sluice, collect, &metrics);
    assert_int_equal(metric(&metrics, "sluice_enabled"), 1);
    assert_int_equal(metric(&metrics, "sluice_dma_mapped_bytes"), 100);
    assert_int_equal(metric(&metrics, "sluice_devices_quarantined"), 1);
    assert_int_equal(
        metric(&metrics,
               "sluice_device_state{device=\"0000:00:04.0\",name=\"a \\\"b\\\" \\\\   \"}"),
        SLUICE_DEVICE_QUARANTINED);
    check_form(&metrics);

    dma_unmap(&world, address, 100, BOTH);
    scene_forget(odd);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

#define SUM_AND_COUNT "h_sum 1\nh_count 1\n"

/** The checker takes what is right, and finds each thing that is wrong. */
static void test_metrics_checker(void **state)
{
    static const char right[] = "# HELP h x.\n# TYPE h histogram\nh_bucket{a=\"\\\\\",le=\"1\"} 1\n"
                                "h_bucket{a=\"\\\\\",le=\"+Inf\"} 2\nh_sum{a=\"\\\\\"} 0.5\n"
                                "h_count{a=\"\\\\\"} 2\n";
    static const char *const wrong[] = {
        "# TYPE a gauge\na 1\n",
        "# HELP a x.\n# TYPE a gauge\na 1\na 1\n",
        "# HELP a x.\n# TYPE a gauge\nb 1\n",
        "# HELP a x.\n# TYPE a counter\na 1\n",
        "# HELP a x.\n# TYPE a gauge\na{b=\"\\x\"} 1\n",
        "# HELP a x.\n# TYPE a gauge\na{b=\"1\"\n",
        "# HELP a x.\n# TYPE a gauge\na{0b=\"1\"} 1\n",
        "# HELP a x.\n# TYPE a gauge\na one\n",
        "# HELP h x.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} "
        "1\n" SUM_AND_COUNT,
        "# HELP h x.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
        "# HELP h x.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
    };
    char why[1200];

    (void)state;
    assert_null(prometheus_check(right, why, sizeof(why)));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(prometheus_check(wrong[i], why, sizeof(why)));
}

/** Each time in the bucket whose bound is the first that is not below it. */
static void test_latency_buckets(void **state)
{
    static const struct {
        uint64_t ns;
        unsigned bucket;
    } times[] = {{0, 0},
                 {128, 0},
                 {129, 1},
                 {256, 1},
                 {257, 2},
                 {1u << 30, SLUICE_LATENCY_BUCKETS - 2},
                 {(1u << 30) + 1u, SLUICE_LATENCY_BUCKETS - 1},
                 {UINT64_MAX - 1000, SLUICE_LATENCY_BUCKETS - 1}};
    struct unit unit = {.started = true};

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        const struct unit_wait wait = {
            .unit = &unit, .since_ns = 1000, .now_ns = 1000 + times[i].ns};
        struct sluice_latency before = {0}, after = {0};

        unit_latency_add(&unit, &before);
        unit_note_wait_locked(&wait);
        unit_latency_add(&unit, &after);
        assert_int_equal(after.count, before.count + 1);
        assert_true(after.sum_ns - before.sum_ns == times[i].ns);
        assert_int_equal(after.buckets[times[i].bucket], before.buckets[times[i].bucket] + 1);
    }
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture), cmocka_unit_test(test_not_started),
        cmocka_unit_test(test_metrics_checker), cmocka_unit_test(test_latency_buckets),
        cmocka_unit_test(test_disabled)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
