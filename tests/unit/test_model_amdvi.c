// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model by itself, programmed by hand and without the driver: that its caches hold what
 * they were given until a command with sufficient reach, that events say what happened, and that
 * what software must not do is recorded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "models/amdvi.h"
#include "models/dma_device.h"

#define RID   SLUICE_RID(0, 3, 0)
#define OTHER SLUICE_RID(0, 4, 0)
#define IOVA  ((uint64_t)0x40000000)
#define READ  ((uint64_t)1 << 61)
#define WRITE ((uint64_t)1 << 62)
#define ORDER 9u

struct rig {
    struct model_host *host;
    struct amdvi_model *unit;
    struct dma_device *device;
    struct sluice_pages table, commands, events, status, levels[4], pages[2];
    uint64_t base;
    unsigned tail;
};

static uint64_t get(struct rig *rig, unsigned offset)
{
    return model_host_mmio_read(rig->host, rig->base + offset, 8);
}

static void set(struct rig *rig, unsigned offset, uint64_t value)
{
    model_host_mmio_write(rig->host, rig->base + offset, 8, value);
}

static uint64_t *entry(struct rig *rig, uint16_t rid)
{
    return (uint64_t *)rig->table.virt + (size_t)rid * 4;
}

/* The leaf for IOVA, 4 KiB. */
static uint64_t *leaf(struct rig *rig)
{
    return (uint64_t *)rig->levels[3].virt + (IOVA >> 12 & 511);
}

static void command(struct rig *rig, uint64_t low, uint64_t high)
{
    uint64_t *at = (uint64_t *)rig->commands.virt + (size_t)rig->tail * 2;

    at[0] = low;
    at[1] = high;
    rig->tail = (rig->tail + 1) % 256;
    set(rig, 0x2008, rig->tail * 16);
}

static void rig_init(struct rig *rig, const struct amdvi_model_config *config)
{
    struct sluice_pages *all = &rig->table;

    memset(rig, 0, sizeof(*rig));
    rig->host = model_host_create(&(struct model_host_config){0});
    rig->unit = amdvi_model_create(rig->host, config);
    rig->device =
        dma_device_create_on(rig->host, &amdvi_model_ops, rig->unit, RID, config->device_tlb);
    rig->base = config->base;
    for (unsigned i = 0; i < 10; i++)
        all[i] = model_host_buffer(rig->host, i == 0 ? ORDER : 0, false);
    for (size_t i = 0; i < 65536; i++)
        entry(rig, (uint16_t)i)[0] = 3;
    for (unsigned i = 0; i < 3; i++)
        ((uint64_t *)rig->levels[i].virt)[IOVA >> (39 - 9 * i) & 511] =
            rig->levels[i + 1].phys | READ | WRITE | (uint64_t)(3 - i) << 9 | 1;
    for (unsigned i = 0; i < 2; i++)
        memset(rig->pages[i].virt, 0x11 * (int)(i + 1), 4096);
    *leaf(rig) = rig->pages[0].phys | READ | WRITE | 1;
    entry(rig, RID)[0] = rig->levels[0].phys | READ | WRITE | 4u << 9 | 3;
    entry(rig, RID)[1] = 5;
    set(rig, 0x00, rig->table.phys | 0x1ff);
    set(rig, 0x08, rig->commands.phys | (uint64_t)8 << 56);
    set(rig, 0x10, rig->events.phys | (uint64_t)8 << 56);
    set(rig, 0x18, 1u << 12 | 1u << 10 | 1u << 2 | 1);
    while ((get(rig, 0x2020) & 0x18) != 0x18)
        ;
    if (config->invalidate_all)
        command(rig, (uint64_t)8 << 60, 0);
}

static unsigned rig_finish(struct rig *rig)
{
    dma_device_destroy(rig->device);
    amdvi_model_destroy(rig->unit);
    return model_host_destroy(rig->host);
}

/* The byte that the device reads, or -1. */
static int reads(struct rig *rig, uint64_t address)
{
    uint8_t byte;

    return dma_device_read(rig->device, address, &byte, 1, NULL) ? byte : -1;
}

static uint64_t event_word(struct rig *rig, unsigned index, unsigned word)
{
    return ((uint64_t *)rig->events.virt)[(size_t)index * 2 + word];
}

/* ---- caches ---- */

#define PAGES(domain) ((uint64_t)3 << 60 | (uint64_t)(domain) << 32)
#define ENTRY(rid)    ((uint64_t)2 << 60 | (rid))

static void translations_stay(void **state)
{
    static const struct {
        uint64_t low, high;
        bool drops;
    } rows[] = {
        {PAGES(5), IOVA, true},
        {PAGES(5), IOVA + 0x1000, false},
        {PAGES(6), IOVA, false},
        {PAGES(5), (IOVA + 0x1000) | 1, true},  /* two pages */
        {PAGES(5), (IOVA + 0x2000) | 1, false}, /* the two behind */
        {PAGES(5), 0x7ffffffffffff003, true},   /* everything */
        {ENTRY(RID), 0, false},                 /* of the device, not of its domain */
        {(uint64_t)8 << 60, 0, true},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct amdvi_model_config config = amdvi_model_defaults();
        struct rig rig;

        rig_init(&rig, &config);
        assert_int_equal(reads(&rig, IOVA), 0x11);
        *leaf(&rig) = rig.pages[1].phys | READ | WRITE | 1;
        assert_int_equal(reads(&rig, IOVA), 0x11); /* cached */
        command(&rig, rows[i].low, rows[i].high);
        assert_int_equal(reads(&rig, IOVA), rows[i].drops ? 0x22 : 0x11);
        assert_int_equal(rig_finish(&rig), 0);
    }
}

/* PDE clear drops leaves only: the pointer to a table that is gone stays. */
static void tables_stay(void **state)
{
    struct amdvi_model_config config = amdvi_model_defaults();
    struct rig rig;
    uint64_t *upper;

    (void)state;
    rig_init(&rig, &config);
    upper = (uint64_t *)rig.levels[2].virt + (IOVA >> 21 & 511);
    assert_int_equal(reads(&rig, IOVA), 0x11);
    *upper = 0;
    command(&rig, PAGES(5), IOVA);
    assert_int_equal(reads(&rig, IOVA), 0x11);
    command(&rig, PAGES(5), IOVA | 2);
    assert_int_equal(reads(&rig, IOVA), -1);
    assert_int_equal(rig_finish(&rig), 0);
}

static void entries_stay(void **state)
{
    struct amdvi_model_config config = amdvi_model_defaults();
    struct rig rig;

    (void)state;
    rig_init(&rig, &config);
    assert_int_equal(reads(&rig, IOVA), 0x11);
    entry(&rig, RID)[0] = 3;
    command(&rig, PAGES(5), 0x7ffffffffffff003);
    command(&rig, ENTRY(OTHER), 0);
    assert_int_equal(reads(&rig, IOVA), 0x11);
    command(&rig, ENTRY(RID), 0);
    assert_int_equal(reads(&rig, IOVA), -1);
    assert_int_equal(rig_finish(&rig), 0);
}

/* NpCache: what was not there stays not there. */
static void absence_stays(void **state)
{
    (void)state;
    for (unsigned np = 0; np < 2; np++) {
        struct amdvi_model_config config = amdvi_model_defaults();
        struct rig rig;

        config.np_cache = np != 0;
        rig_init(&rig, &config);
        *leaf(&rig) = 0;
        assert_int_equal(reads(&rig, IOVA), -1);
        *leaf(&rig) = rig.pages[1].phys | READ | 1;
        assert_int_equal(reads(&rig, IOVA), np != 0 ? -1 : 0x22);
        command(&rig, PAGES(5), IOVA);
        assert_int_equal(reads(&rig, IOVA), 0x22);
        assert_int_equal(rig_finish(&rig), 0);
    }
}

/* ---- translation ---- */

static void events_and_permissions(void **state)
{
    struct amdvi_model_config config = amdvi_model_defaults();
    struct model_dma_result result;
    struct rig rig;
    uint8_t byte = 0;

    (void)state;
    rig_init(&rig, &config);
    *leaf(&rig) = rig.pages[0].phys | READ | 1;
    assert_int_equal(reads(&rig, IOVA), 0x11);
    assert_false(dma_device_write(rig.device, IOVA, &byte, 1, &result));
    assert_int_equal(result.reason, 2);
    assert_int_equal(event_word(&rig, 0, 0),
                     (uint64_t)2 << 60 | (uint64_t)0x70 << 48 | (uint64_t)5 << 32 | RID);
    assert_int_equal(event_word(&rig, 0, 1), IOVA);
    assert_int_equal(reads(&rig, IOVA + 0x1000), -1);
    assert_int_equal(event_word(&rig, 1, 0), (uint64_t)2 << 60 | (uint64_t)5 << 32 | RID);
    assert_int_equal(get(&rig, 0x2018), 32);
    assert_int_equal(get(&rig, 0x2020) & 2, 2);
    /* Large page, and an entry with reserved bits. */
    ((uint64_t *)rig.levels[2].virt)[(IOVA >> 21 & 511) + 1] =
        (rig.pages[0].phys & ~0x1fffffull) | READ | 1;
    ((uint64_t *)rig.levels[2].virt)[(IOVA >> 21 & 511) + 2] =
        rig.pages[0].phys | 0x1000 | READ | 1;
    assert_int_equal(reads(&rig, IOVA + 0x200000 + (rig.pages[0].phys & 0x1fffff)), 0x11);
    assert_int_equal(reads(&rig, IOVA + 0x400000), -1);
    assert_int_equal(event_word(&rig, 2, 0) >> 52 & 0xf, 9); /* PR and RZ */
    /* A requester behind the table, and one whose entry is nonsense. */
    set(&rig, 0x2010, get(&rig, 0x2018));
    entry(&rig, RID)[0] |= (uint64_t)1 << 63;
    command(&rig, ENTRY(RID), 0);
    assert_int_equal(reads(&rig, IOVA), -1);
    assert_int_equal(event_word(&rig, 3, 0) >> 60, 1);
    assert_int_equal(rig_finish(&rig), 0);
}

/* The log fills, stops, and is started again by hand. */
static void log_overflow(void **state)
{
    struct amdvi_model_config config = amdvi_model_defaults();
    struct amdvi_model_stats stats;
    struct rig rig;

    (void)state;
    rig_init(&rig, &config);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(reads(&rig, 0x1000), -1);
    amdvi_model_stats(rig.unit, &stats);
    assert_int_equal(stats.events_logged, 255);
    assert_int_equal(get(&rig, 0x2020) & 9, 1); /* overflow, not running */
    set(&rig, 0x2010, get(&rig, 0x2018));
    assert_int_equal(reads(&rig, 0x1000), -1); /* still stopped */
    set(&rig, 0x18, 1u << 12 | 1u << 10 | 1);
    set(&rig, 0x2020, 1);
    set(&rig, 0x18, 1u << 12 | 1u << 10 | 1u << 2 | 1);
    while ((get(&rig, 0x2020) & 8) == 0)
        ;
    assert_int_equal(reads(&rig, 0x1000), -1);
    amdvi_model_stats(rig.unit, &stats);
    assert_int_equal(stats.events_logged, 256);
    assert_int_equal(rig_finish(&rig), 0);
}

/* ---- what software must not do ---- */

static void violated(struct rig *rig, const char *text)
{
    assert_true(model_host_violated(rig->host, text));
    model_host_violations_clear(rig->host);
}

static void violations(void **state)
{
    struct amdvi_model_config config = amdvi_model_defaults();
    struct rig rig;

    (void)state;
    config.device_tlb = true;
    rig_init(&rig, &config);
    set(&rig, 0x08, rig.commands.phys | (uint64_t)8 << 56);
    violated(&rig, "base of a ring written while it runs");
    set(&rig, 0x2000, 0);
    violated(&rig, "of hardware's written");
    rig.tail = 0;
    set(&rig, 0x18, 1u << 20 | 1);
    violated(&rig, "CONTROL");
    set(&rig, 0x18, 1u << 10 | 1);
    while ((get(&rig, 0x2020) & 0x18) != 0)
        ;
    set(&rig, 0x08, rig.commands.phys | (uint64_t)7 << 56);
    violated(&rig, "length below 256");
    set(&rig, 0x08, rig.commands.phys | (uint64_t)8 << 56);
    set(&rig, 0x18, 1u << 12 | 1u << 10 | 1u << 2 | 1);
    while ((get(&rig, 0x2020) & 0x18) != 0x18)
        ;
    set(&rig, 0x2008, 0x1000);
    violated(&rig, "beyond the ring");
    set(&rig, 0x30, 0);
    violated(&rig, "read-only");
    command(&rig, PAGES(5), IOVA);
    command(&rig, (uint64_t)4 << 60 | (uint64_t)32 << 24 | RID, IOVA);
    violated(&rig, "nothing keeps it behind");
    command(&rig, (uint64_t)1 << 60 | 4, 0);
    command(&rig, (uint64_t)4 << 60 | (uint64_t)32 << 24 | RID, IOVA);
    assert_int_equal(model_host_violations(rig.host), 0);
    set(&rig, 0x00, rig.table.phys | 0x1ff);
    amdvi_model_check_settled(rig.unit);
    violated(&rig, "was not followed");
    entry(&rig, RID)[0] = 0;
    command(&rig, ENTRY(RID), 0);
    assert_int_equal(reads(&rig, rig.pages[0].phys), 0x11);
    violated(&rig, "lets everything pass");
    command(&rig, (uint64_t)9 << 60, 0);
    violated(&rig, "is illegal");
    assert_int_equal(get(&rig, 0x2020) & 0x10, 0); /* and the buffer has stopped */
    assert_int_equal(rig_finish(&rig), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(translations_stay),
        cmocka_unit_test(tables_stay),
        cmocka_unit_test(entries_stay),
        cmocka_unit_test(absence_stays),
        cmocka_unit_test(events_and_permissions),
        cmocka_unit_test(log_overflow),
        cmocka_unit_test(violations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
