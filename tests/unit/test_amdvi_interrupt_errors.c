// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping in the AMD-Vi driver where things go wrong or change: every reason to refuse
 * a message, shapes of units, sleep, takeover, hardware that does not answer, memory that is not
 * there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amd_interrupt_scene.h"

#define R_CONTROL UINT64_C(0x18)
#define R_STATUS  UINT64_C(0x2020)
#define C_EN      1u
#define C_GA      (UINT64_C(1) << 17)
#define C_XT      (UINT64_C(1) << 50)

static uint64_t reg(struct amd_scene *scene, uint64_t offset)
{
    return model_host_mmio_read(amd_host(scene), UNIT_BASE + offset, 8);
}

static void set_reg(struct amd_scene *scene, uint64_t offset, uint64_t value)
{
    model_host_mmio_write(amd_host(scene), UNIT_BASE + offset, 8, value);
}

/* The table that a requester's device entry leads to. */
static uint64_t *table_of(struct amd_scene *scene, uint16_t rid)
{
    return model_host_virt(amd_host(scene), *amd_fields(scene, rid) & UINT64_C(0xfffffffffffc0));
}

static struct sluice_interrupt *begin(struct amd_scene *scene, const struct scene_config *config)
{
    struct sluice_interrupt *interrupt;

    amd_scene_start(scene, config);
    interrupt = amd_alloc(scene, SLUICE_INTERRUPT_MSIX, RID_A, 4);
    assert_int_equal(amd_route(interrupt, 0, 0x40, 1), SLUICE_OK);
    amd_expect(scene, interrupt, 0, RID_A, 0x40, 1);
    return interrupt;
}

static void end(struct amd_scene *scene, struct sluice_interrupt *interrupt)
{
    amd_free(interrupt);
    scene_finish(&scene->scene);
}

/* ---- each reason to refuse ---- */

static void reasons(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;
    uint64_t *entry, *fields, kept;

    (void)state;
    interrupt = begin(&scene, &config);
    entry = table_of(&scene, RID_A) + 2;
    amd_expect_refused(&scene, RID_A, 4, PAGE_FAULT); /* beyond the table */
    amd_expect_refused(&scene, RID_A, 1, PAGE_FAULT); /* not routed */
    amdvi_model_inject(scene.unit,
                       &(struct amdvi_model_injection){.bad_fetch = *amd_fields(&scene, RID_A) &
                                                                    UINT64_C(0xffffffffff000)});
    amd_expect_refused(&scene, RID_A, 1, UNREADABLE);
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){0});
    /* Somebody scribbled over the table: reserved bits, and a guest's entry without such guests. */
    entry[0] = 1u | UINT64_C(1) << 40;
    amd_expect_refused(&scene, RID_A, 1, PAGE_FAULT);
    amdvi_model_evict(scene.unit);
    entry[0] = 1u | 1u << 7;
    amd_expect_refused(&scene, RID_A, 1, PAGE_FAULT);
    amdvi_model_evict(scene.unit);
    entry[0] = 0;
    /* Or over the device entry: a reserved way to treat interrupts, a table that is too long. */
    fields = amd_fields(&scene, RID_A);
    kept = *fields;
    *fields = kept | UINT64_C(3) << 60;
    amd_expect_refused(&scene, RID_A, 0, ILLEGAL_ENTRY);
    amdvi_model_evict(scene.unit);
    *fields = kept | 10u << 1;
    amd_expect_refused(&scene, RID_A, 0, ILLEGAL_ENTRY);
    amdvi_model_evict(scene.unit);
    *fields = kept;
    amd_expect(&scene, interrupt, 0, RID_A, 0x40, 1);
    end(&scene, interrupt);
}

/* A device's own DMA engine writes the message: it is judged like any other. */
static void forged_by_dma(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;
    struct sluice_msi msi;
    unsigned fired;

    (void)state;
    interrupt = begin(&scene, &config);
    fired = scene.fired;
    assert_int_equal(sluice_interrupt_message(interrupt, 0, &msi), SLUICE_OK);
    assert_false(
        dma_device_msi(scene.scene.machine->devices[MACHINE_DEV_B], msi.address, msi.data));
    assert_int_equal(scene.scene.fault.source, RID_B);
    assert_int_equal(scene.scene.fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_int_equal(scene.fired, fired);
    assert_true(dma_device_msi(scene.scene.machine->devices[MACHINE_DEV_A], msi.address, msi.data));
    assert_int_equal(scene.fired, fired + 1);
    end(&scene, interrupt);
}

/* ---- shapes of units ---- */

static void walk_through(const struct scene_config *config)
{
    struct amd_scene scene;
    struct sluice_interrupt *interrupt = begin(&scene, config);

    amd_expect_refused(&scene, RID_A, amd_index(interrupt, 3), PAGE_FAULT); /* may be cached */
    assert_int_equal(amd_route(interrupt, 3, 0x43, 0), SLUICE_OK);
    amd_expect(&scene, interrupt, 3, RID_A, 0x43, 0);
    assert_int_equal(amd_route(interrupt, 3, 0x44, 2), SLUICE_OK);
    amd_expect(&scene, interrupt, 3, RID_A, 0x44, 2);
    assert_int_equal(sluice_interrupt_mask(interrupt, 3), SLUICE_OK);
    assert_int_equal(amd_send(&scene, interrupt, 3, RID_A), PAGE_FAULT);
    assert_int_equal(amd_route(interrupt, 3, 0x45, 0), SLUICE_OK);
    amd_expect(&scene, interrupt, 3, RID_A, 0x45, 0);
    assert_int_equal(sluice_suspend(scene.scene.sluice), SLUICE_OK);
    assert_int_equal(amd_route(interrupt, 3, 0x46, 0), SLUICE_ERR_STATE);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_ERR_STATE);
    amdvi_model_reset(scene.unit, false);
    assert_int_equal(sluice_resume(scene.scene.sluice), SLUICE_OK);
    amd_expect(&scene, interrupt, 3, RID_A, 0x45, 0);
    amd_expect_refused(&scene, RID_B, 0x40, PAGE_FAULT);
    amd_free(interrupt);
    assert_int_equal(sluice_stop(scene.scene.sluice), SLUICE_OK);
    assert_int_equal(reg(&scene, R_CONTROL) & (C_EN | C_GA | C_XT), 0);
    amdvi_model_check_settled(scene.unit);
    scene_finish(&scene.scene);
}

#define SHAPE(name, ...)                                                                           \
    static void shape_##name(void **state)                                                         \
    {                                                                                              \
        struct scene_config config = amd_defaults();                                               \
                                                                                                   \
        (void)state;                                                                               \
        __VA_ARGS__;                                                                               \
        walk_through(&config);                                                                     \
    }

SHAPE(wide, (void)config)
SHAPE(narrow, config.machine.amd_unit.guest_apic = config.machine.amd_unit.x2apic = false)
SHAPE(no_features, config.machine.amd_unit.guest_apic = config.machine.amd_unit.x2apic = false;
      config.machine.amd_unit.has_efr = config.machine.amd_unit.invalidate_all = false)
SHAPE(x2apic, config.configure = amd_configure_x2apic)
SHAPE(many, config.machine.amd_unit.many_interrupts = true)
SHAPE(np_cache, config.machine.amd_unit.np_cache = true)
SHAPE(slow_queue, config.machine.amd_unit.queue_mode = AMDVI_MODEL_AT_TICK)

/* ---- the order of a start, takeover ---- */

struct watch {
    struct amd_scene *scene;
    uint64_t passed;  /**< messages that came through as they were sent */
    uint64_t foreign; /**< through entries, but not firmware's */
};

static void look(void *arg, const struct amdvi_model_interrupt *interrupt)
{
    struct watch *watch = arg;

    if (!interrupt->remapped)
        watch->passed++;
    else if (interrupt->vector != 0x99 || interrupt->destination != 0x17)
        watch->foreign++;
}

static void on_write(void *arg, const struct model_mmio_event *event)
{
    struct watch *watch = arg;

    (void)event;
    for (uint32_t index = 0; index < 4; index++) {
        (void)amdvi_model_message(watch->scene->unit, RID_A, 0xfee00000, index);
        (void)amdvi_model_message(watch->scene->unit, RID_B, 0xfee00000, index);
    }
}

struct firmware {
    struct sluice_pages devices, entries;
};

/* What firmware leaves: every device blocked, entry 2 of one in a format of its own. */
static void firmware_remaps(struct amd_scene *scene, struct firmware *firmware, bool wide)
{
    uint64_t *devices, *entries;

    firmware->devices = model_host_buffer(amd_host(scene), 9, false);
    firmware->entries = model_host_buffer(amd_host(scene), 0, false);
    devices = firmware->devices.virt;
    entries = firmware->entries.virt;
    for (size_t i = 0; i < 65536; i++) {
        devices[4 * i] = 3;
        devices[4 * i + 2] = 1;
    }
    devices[4 * RID_A + 2] = UINT64_C(2) << 60 | firmware->entries.phys | 2u << 1 | 1u;
    if (wide) {
        entries[4] = 1u | 0x17u << 8;
        entries[5] = 0x99;
    } else {
        entries[1] = 1u | 0x17u << 8 | 0x99u << 16;
    }
    set_reg(scene, 0, firmware->devices.phys | 0x1ff);
    if (wide)
        set_reg(scene, R_CONTROL, C_GA);
    set_reg(scene, R_CONTROL, (wide ? C_GA : 0) | 1u << 10 | C_EN);
    amdvi_model_evict(scene->unit);
    assert_int_equal(amdvi_model_message(scene->unit, RID_A, 0xfee00000, 2), 0);
}

static void firmware_free(struct amd_scene *scene, struct firmware *firmware)
{
    model_host_buffer_free(amd_host(scene), firmware->devices, 9);
    model_host_buffer_free(amd_host(scene), firmware->entries, 0);
}

/* From firmware's table to ours: no message goes round both, none is read in the wrong format. */
static void take_over(const struct scene_config *config, bool wide)
{
    struct amd_scene scene;
    struct watch watch = {.scene = &scene};
    struct firmware firmware;

    amd_scene_init(&scene, config);
    amdvi_model_set_interrupt_sink(scene.unit, look, &watch);
    firmware_remaps(&scene, &firmware, wide);
    model_host_set_mmio_hook(amd_host(&scene), on_write, &watch);
    assert_int_equal(sluice_start(scene.scene.sluice), SLUICE_OK);
    model_host_set_mmio_hook(amd_host(&scene), NULL, NULL);
    assert_int_equal(watch.passed, 0);
    assert_int_equal(watch.foreign, 0);
    assert_int_equal(amdvi_model_message(scene.unit, RID_A, 0xfee00000, 2), PAGE_FAULT);
    firmware_free(&scene, &firmware);
    scene_finish(&scene.scene);
}

static void takeover(void **state)
{
    struct scene_config config = amd_defaults();

    (void)state;
    take_over(&config, true);
    take_over(&config, false); /* narrow to wide */
    config.configure = amd_configure_x2apic;
    take_over(&config, true);
    take_over(&config, false);
}

static void set_nothing(struct sluice_config *config, void *arg)
{
    (void)config;
    (void)arg;
}

/* Not asked for: what firmware remapped is no longer, and that is said. */
static void takeover_without(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct firmware firmware;

    (void)state;
    config.configure = set_nothing;
    amd_scene_init(&scene, &config);
    firmware_remaps(&scene, &firmware, true);
    assert_int_equal(sluice_start(scene.scene.sluice), SLUICE_OK);
    assert_true(model_host_logged(amd_host(&scene), "interrupts that firmware may have remapped"));
    assert_int_equal(amdvi_model_message(scene.unit, RID_A, 0xfee00000, 0x42), 0);
    assert_false(scene.last.remapped);
    firmware_free(&scene, &firmware);
    scene_finish(&scene.scene);
}

/* A start that fails puts firmware's table and format back. */
static void failed_takeover(void **state)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct scene_config config = amd_defaults();
        struct amd_scene scene;
        struct watch watch = {.scene = &scene};
        struct firmware firmware;

        (void)state;
        amd_scene_init(&scene, &config);
        amdvi_model_set_interrupt_sink(scene.unit, look, &watch);
        firmware_remaps(&scene, &firmware, wide != 0);
        /* Where the format has to change, after it did. */
        amdvi_model_inject(scene.unit,
                           &(struct amdvi_model_injection){.silent_at = wide != 0 ? 1 : 3});
        assert_int_not_equal(sluice_start(scene.scene.sluice), SLUICE_OK);
        amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){0});
        assert_int_equal((reg(&scene, R_CONTROL) & C_GA) != 0, wide);
        amdvi_model_evict(scene.unit);
        assert_int_equal(amdvi_model_message(scene.unit, RID_A, 0xfee00000, 2), 0);
        assert_int_equal(watch.passed, 0);
        assert_int_equal(watch.foreign, 0);
        firmware_free(&scene, &firmware);
        scene_finish(&scene.scene);
    }
}

/* Something used the unit during sleep, in another format: ours comes back only when none is read.
 */
static void resume_from_another_format(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;
    uint64_t table;

    (void)state;
    interrupt = begin(&scene, &config);
    table = reg(&scene, 0);
    assert_int_equal(sluice_suspend(scene.scene.sluice), SLUICE_OK);
    amdvi_model_reset(scene.unit, false);
    set_reg(&scene, 0, table);
    set_reg(&scene, R_CONTROL, 1u << 10 | C_EN); /* narrow entries */
    amdvi_model_evict(scene.unit);
    assert_int_equal(sluice_resume(scene.scene.sluice), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_A, 0x40, 1);
    end(&scene, interrupt);
}

/* ---- hardware that does not answer ---- */

/* The unit does not confirm that it let go: entries are withheld, the caller is told. */
static void unconfirmed(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt, *other;
    struct sluice_unit_info unit;

    (void)state;
    interrupt = begin(&scene, &config);
    other = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_B, 2);
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){.queue_stuck = true});
    assert_int_equal(amd_route(interrupt, 0, 0x50, 1), SLUICE_ERR_TIMEOUT);
    assert_true(sluice_interrupt_free(interrupt) != SLUICE_OK);
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){0});
    assert_int_equal(sluice_unit_info(scene.scene.sluice, 0, &unit), SLUICE_OK);
    assert_true(unit.degraded);
    assert_int_equal(amd_info(&scene).withheld, 4);
    assert_int_equal(amd_info(&scene).used, 2);
    assert_true(model_host_logged(amd_host(&scene), "are withheld"));
    /* Nothing is given out that the unit would not confirm either. */
    assert_true(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_A, 1, &interrupt) != SLUICE_OK);
    assert_true(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_BELOW, 1, &interrupt) != SLUICE_OK);
    assert_int_equal(amd_info(&scene).used, 2);
    assert_true(sluice_interrupt_free(other) != SLUICE_OK);
    assert_int_equal(sluice_stop(scene.scene.sluice), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* An error of the ring that recovery survives: what failed stays withheld, the rest goes on. */
static void withheld_by(const struct amdvi_model_injection *injection)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *old, *heir;
    uint32_t first;

    old = begin(&scene, &config);
    first = amd_index(old, 0);
    amdvi_model_inject(scene.unit, injection);
    assert_int_equal(sluice_interrupt_free(old), SLUICE_ERR_HARDWARE);
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){0});
    assert_int_equal(amd_info(&scene).withheld, 4);
    heir = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 4);
    assert_true(amd_index(heir, 0) >= first + 4);
    assert_int_equal(amd_route(heir, 0, 0x61, 3), SLUICE_OK);
    amd_expect(&scene, heir, 0, RID_A, 0x61, 3);
    amd_free(heir);
    assert_int_equal(amd_info(&scene).entries, 8); /* its table stays too */
    assert_int_equal(sluice_stop(scene.scene.sluice), SLUICE_OK);
    scene_finish(&scene.scene);
}

static void withheld_for_good(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 3; nth++) { /* device entry, table, wait */
        withheld_by(&(struct amdvi_model_injection){.silent_at = nth});
        withheld_by(&(struct amdvi_model_injection){.illegal_at = nth});
        withheld_by(&(struct amdvi_model_injection){.hardware_at = nth});
    }
}

/* A table that grew, which the unit did not confirm: the old memory is never used again. */
static void unconfirmed_growth(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt, *none;
    struct sluice_unit_info unit;

    (void)state;
    interrupt = begin(&scene, &config);
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){.silent_at = 1});
    assert_int_equal(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 400, &none),
                     SLUICE_ERR_HARDWARE);
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){0});
    assert_int_equal(sluice_unit_info(scene.scene.sluice, 0, &unit), SLUICE_OK);
    assert_int_equal(unit.withheld_pages, 1);
    assert_int_equal(amd_info(&scene).used, 4);
    amd_expect(&scene, interrupt, 0, RID_A, 0x40, 1); /* by the old table or the new */
    amdvi_model_evict(scene.unit);
    amd_expect(&scene, interrupt, 0, RID_A, 0x40, 1); /* by the new */
    amd_free(interrupt);
    scene_finish_withheld(&scene.scene, 1);
}

/* The model sees a missing invalidation: so would these tests. */
static void lost_invalidation_is_seen(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;

    (void)state;
    interrupt = begin(&scene, &config);
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){.lost_invalidations = true});
    assert_int_equal(amd_route(interrupt, 0, 0x50, 2), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_A, 0x40, 1); /* the old place */
    amdvi_model_inject(scene.unit, &(struct amdvi_model_injection){0});
    assert_int_equal(amd_route(interrupt, 0, 0x50, 2), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_A, 0x50, 2);
    end(&scene, interrupt);
}

/* ---- memory that is not there ---- */

/* Every allocation of a block, of a first one and of one that makes a table grow, fails once. */
static void no_memory(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt, *big = NULL;
    unsigned failed = 0;

    (void)state;
    interrupt = begin(&scene, &config);
    (void)scene_device(&scene.scene, RID_PCI);
    for (unsigned kind = 0; kind < 2; kind++) {
        enum sluice_status status = SLUICE_ERR_NO_MEMORY;

        for (unsigned nth = 0; status != SLUICE_OK; nth++) {
            model_host_fail_allocation(amd_host(&scene), nth, true);
            status = amd_try_alloc(&scene, SLUICE_INTERRUPT_MSIX, kind == 0 ? RID_PCI : RID_A, 400,
                                   &big);
            model_host_fail_no_more(amd_host(&scene));
            failed += status == SLUICE_ERR_NO_MEMORY;
            assert_true(status == SLUICE_OK || status == SLUICE_ERR_NO_MEMORY);
            assert_int_equal(amd_info(&scene).entries, status != SLUICE_OK ? 4
                                                       : kind == 0         ? 516
                                                                           : 512);
            amd_expect(&scene, interrupt, 0, RID_A, 0x40, 1);
        }
        amd_free(big);
        assert_int_equal(amd_info(&scene).entries, kind == 0 ? 4 : 512);
    }
    assert_true(failed >= 7);
    end(&scene, interrupt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons),
        cmocka_unit_test(forged_by_dma),
        cmocka_unit_test(shape_wide),
        cmocka_unit_test(shape_narrow),
        cmocka_unit_test(shape_no_features),
        cmocka_unit_test(shape_x2apic),
        cmocka_unit_test(shape_many),
        cmocka_unit_test(shape_np_cache),
        cmocka_unit_test(shape_slow_queue),
        cmocka_unit_test(takeover),
        cmocka_unit_test(takeover_without),
        cmocka_unit_test(failed_takeover),
        cmocka_unit_test(resume_from_another_format),
        cmocka_unit_test(unconfirmed),
        cmocka_unit_test(withheld_for_good),
        cmocka_unit_test(unconfirmed_growth),
        cmocka_unit_test(lost_invalidation_is_seen),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
