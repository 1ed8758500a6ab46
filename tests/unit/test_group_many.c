// SPDX-License-Identifier: MIT
/*
 * Groups of thousands of devices: who is with whom, against every pair looked at singly, and lists
 * that agree with one another. And the sort beneath, which no order makes slow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/sort.h"
#include "models/host.h"
#include "models/smmu3.h"

#include <sluice/sluice.h>

#define DEVICES 4000u

/** What is said of a device; `path` is a number of its own, or another's. */
struct said {
    unsigned path;
    sluice_phys_t registers;
    uint32_t first_id, id_count;
};

static struct said devices[DEVICES];
static unsigned groups[DEVICES]; /* the lowest device that each belongs with */
static uint64_t state_of_random = 1;

static unsigned draw(unsigned below)
{
    state_of_random = state_of_random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((state_of_random >> 33) % below);
}

/* Most are alone; some share IDs in chains, some a path or registers with one far away. */
static void make_up(void)
{
    uint32_t id = 0;

    for (unsigned i = 0; i < DEVICES; i++) {
        struct said *device = &devices[i];

        *device = (struct said){.path = i, .registers = 0x10000000u + 0x1000ull * i};
        device->id_count = 1 + draw(8);
        device->first_id = draw(4) == 0 && id > 40 ? id - draw(40) : id;
        id += draw(16);
        if (i > 0 && draw(40) == 0)
            device->path = devices[draw(i)].path;
        if (i > 0 && draw(40) == 0)
            device->registers = devices[draw(i)].registers;
    }
}

static bool are_tied(const struct said *a, const struct said *b)
{
    return a->path == b->path || a->registers == b->registers ||
           (a->first_id < b->first_id + b->id_count && b->first_id < a->first_id + a->id_count);
}

/* Every pair, again and again until nothing changes. */
static void make_oracle(void)
{
    bool changed = true;

    for (unsigned i = 0; i < DEVICES; i++)
        groups[i] = i;
    while (changed) {
        changed = false;
        for (unsigned i = 0; i < DEVICES; i++) {
            for (unsigned j = 0; j < i; j++) {
                unsigned least = groups[i] < groups[j] ? groups[i] : groups[j];

                if (groups[i] == groups[j] || !are_tied(&devices[i], &devices[j]))
                    continue;
                groups[i] = groups[j] = least;
                changed = true;
            }
        }
    }
}

static void describe(struct sluice *sluice, unsigned unit, const struct said *said)
{
    char path[32];
    const struct sluice_device_sources sources = {.unit = unit,
                                                  .path = path,
                                                  .registers = said->registers,
                                                  .first_id = said->first_id,
                                                  .id_count = said->id_count};

    (void)snprintf(path, sizeof(path), "/soc/device-%05u", said->path);
    assert_int_equal(sluice_describe_device_sources(sluice, &sources), SLUICE_OK);
}

/* As a host lists them: one call a thing. Returns how many groups. */
static unsigned list_all(struct sluice *sluice)
{
    struct sluice_group_info info;
    struct sluice_group_member member;
    struct sluice_group_reason reason;
    unsigned count = 0;

    while (sluice_group_info(sluice, count, &info) == SLUICE_OK) {
        for (unsigned i = 0; i < info.members; i++)
            assert_int_equal(sluice_group_member(sluice, info.id, i, &member), SLUICE_OK);
        for (unsigned i = 0; i < info.reasons; i++)
            assert_int_equal(sluice_group_reason(sluice, info.id, i, &reason), SLUICE_OK);
        count++;
    }
    return count;
}

static void check_group(struct sluice *sluice, unsigned index, unsigned leader)
{
    struct sluice_group_info info;
    struct sluice_group_member member;
    struct sluice_group_reason reason;
    unsigned members = 0, reasons = 0;

    assert_int_equal(sluice_group_info(sluice, index, &info), SLUICE_OK);
    assert_int_equal((uint32_t)info.id, leader);
    for (unsigned i = leader; i < DEVICES; i++) {
        if (groups[i] != leader)
            continue;
        assert_int_equal(sluice_group_member(sluice, info.id, members++, &member), SLUICE_OK);
        assert_int_equal(member.registers, devices[i].registers);
    }
    assert_int_equal(sluice_group_member(sluice, info.id, members, &member), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(info.members, members);
    assert_int_equal(info.devices, members);
    while (sluice_group_reason(sluice, info.id, reasons, &reason) == SLUICE_OK) {
        assert_int_equal(reason.cause, SLUICE_GROUP_SHARED_ID);
        reasons++;
    }
    assert_int_equal(info.reasons, reasons);
    assert_true(reasons < members);
}

static void thousands(void **state)
{
    const struct smmu3_model_config model_config = smmu3_model_defaults();
    struct model_host *host = model_host_create(&(struct model_host_config){0});
    struct smmu3_model *model = smmu3_model_create(host, &model_config);
    const struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3,
                                                 .base = model_config.base};
    struct sluice_config config = {0};
    struct sluice *sluice;
    unsigned number, count = 0;
    clock_t from;

    (void)state;
    make_up();
    make_oracle();
    model_host_configure(host, &config);
    assert_int_equal(sluice_create(&config, &sluice), SLUICE_OK);
    assert_int_equal(sluice_describe_unit(sluice, &unit, &number), SLUICE_OK);
    for (unsigned i = 0; i < DEVICES; i++)
        describe(sluice, number, &devices[i]);
    assert_int_equal(sluice_start(sluice), SLUICE_OK);
    for (unsigned i = 0; i < DEVICES; i++) {
        if (groups[i] == i)
            check_group(sluice, count++, i);
    }
    assert_int_equal(sluice_group_count(sluice), count);
    from = clock();
    assert_int_equal(list_all(sluice), count);
    print_message("# %u devices in %u groups, listed in %ld us\n", DEVICES, count,
                  (long)((clock() - from) * 1000000 / CLOCKS_PER_SEC));
    from = clock();
    assert_int_equal(sluice_group_rescan(sluice), SLUICE_OK);
    print_message("# looked at again in %ld us\n",
                  (long)((clock() - from) * 1000000 / CLOCKS_PER_SEC));
    assert_int_equal(sluice_stop(sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(sluice), SLUICE_OK);
    smmu3_model_destroy(model);
    assert_int_equal(model_host_destroy(host), 0);
}

/* ---- a member's device ---- */

static struct sluice_device *device_of_first_member(struct sluice *sluice, uint64_t group)
{
    struct sluice_group_member member;

    assert_int_equal(sluice_group_member(sluice, group, 0, &member), SLUICE_OK);
    return member.device;
}

/* It is there from its adding to its removal, whatever is looked at again meanwhile. */
static void devices_come_and_go(void **state)
{
    const struct smmu3_model_config model_config = smmu3_model_defaults();
    struct model_host *host = model_host_create(&(struct model_host_config){0});
    struct smmu3_model *model = smmu3_model_create(host, &model_config);
    const struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3,
                                                 .base = model_config.base};
    const struct said said = {.path = 7, .registers = 0xfe000000, .first_id = 3, .id_count = 2};
    const struct sluice_device_config device_config = {
        .bus = SLUICE_BUS_PLATFORM, .path = "/soc/device-00007", .name = "it"};
    struct sluice_config config = {0};
    struct sluice_device *device;
    struct sluice *sluice;
    unsigned number;
    uint64_t group;

    (void)state;
    model_host_configure(host, &config);
    assert_int_equal(sluice_create(&config, &sluice), SLUICE_OK);
    assert_int_equal(sluice_describe_unit(sluice, &unit, &number), SLUICE_OK);
    describe(sluice, number, &said);
    assert_int_equal(sluice_start(sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(sluice, &device_config, &device), SLUICE_OK);
    assert_int_equal(sluice_device_group(device, &group), SLUICE_OK);
    assert_ptr_equal(device_of_first_member(sluice, group), device);
    assert_int_equal(sluice_group_rescan(sluice), SLUICE_OK);
    assert_ptr_equal(device_of_first_member(sluice, group), device);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_null(device_of_first_member(sluice, group));
    assert_int_equal(sluice_group_rescan(sluice), SLUICE_OK);
    assert_null(device_of_first_member(sluice, group));
    assert_int_equal(sluice_stop(sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(sluice), SLUICE_OK);
    smmu3_model_destroy(model);
    assert_int_equal(model_host_destroy(host), 0);
}

/* ---- the sort ---- */

#define NUMBERS 4096u /* 1 << 12 */

static uint32_t values[NUMBERS], order[NUMBERS];
static uint64_t comparisons;

static bool value_before(const void *arg, uint32_t a, uint32_t b)
{
    const uint32_t *of = arg;

    comparisons++;
    return of[a] < of[b];
}

static void check_sort(uint32_t count)
{
    static bool seen[NUMBERS];

    memset(seen, 0, sizeof(seen));
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    comparisons = 0;
    sort_indexes(order, count, value_before, values);
    for (uint32_t i = 0; i < count; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        assert_true(i == 0 || values[order[i - 1]] <= values[order[i]]);
    }
    assert_true(comparisons <= 2ull * count * 13); /* 2 n log n, and making the heap */
}

static void sorts(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NUMBERS; i++)
        values[i] = draw(1000);
    for (uint32_t count = 0; count < 70; count++)
        check_sort(count);
    check_sort(NUMBERS);
    for (uint32_t i = 0; i < NUMBERS; i++)
        values[i] = i;
    check_sort(NUMBERS);
    for (uint32_t i = 0; i < NUMBERS; i++)
        values[i] = NUMBERS - i;
    check_sort(NUMBERS);
    memset(values, 0, sizeof(values));
    check_sort(NUMBERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands),
        cmocka_unit_test(devices_come_and_go),
        cmocka_unit_test(sorts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
