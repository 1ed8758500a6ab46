// SPDX-License-Identifier: MIT
/*
 * The life of a RISC-V IOMMU: what is refused, allocations that fail, PCI, and that no window is
 * open while it is turned on and off or taken over from firmware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_world.h"

#define FIRST_NONE  (config.model.sv39 = config.model.sv48 = config.model.sv57 = false)
#define SECOND_NONE (config.model.sv39x4 = config.model.sv48x4 = config.model.sv57x4 = false)

/* ---- what is refused ---- */

static void refused(const struct world_config *config, enum sluice_status want, const char *says)
{
    struct world world;

    world_init(&world, config);
    assert_int_equal(riommu_unit_ops.probe(&world.sluice, &world.desc, &world.unit), want);
    assert_true(model_host_logged(world.host, says));
    assert_int_equal(model_host_objects_in_use(world.host), 0);
    assert_int_equal(model_host_pages_in_use(world.host), 0);
    assert_int_equal(model_host_mmio_maps(world.host), 0);
    world_abandon(&world);
}

static void refusals(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    FIRST_NONE;
    SECOND_NONE;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "no 64-bit tables");
    config = world_defaults();
    config.model.version = 0x20;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "not known");
    config = world_defaults();
    config.model.pas = 20;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "unknown width");
    config = world_defaults();
    config.model.big_endian = true;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "byte order");
    config = world_defaults();
    config.model.pas = 32; /* and the host's memory is beyond */
    config.host.extents[0] = (struct model_extent){(sluice_phys_t)1 << 36, 16 << 20};
    refused(&config, SLUICE_ERR_NO_MEMORY, "beyond 32 address bits");
    config = world_defaults();
    world_init(&world, &config);
    world.desc.register_bytes = 0x800;
    assert_int_equal(riommu_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_FIRMWARE);
    world.desc.register_bytes = 0x1000;
    world.desc.base++;
    assert_int_equal(riommu_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_FIRMWARE);
    world_abandon(&world);
}

/* Not there at all, not an IOMMU, no memory BAR, no address. */
static void refused_on_pci(void **state)
{
    struct world_config config = world_defaults();

    (void)state;
    config.model.pci = true;
    for (unsigned what = 0; what < 5; what++) {
        struct model_pci_function *function;
        struct world world;
        uint8_t *pci;

        world_init(&world, &config);
        function = model_pci_add(world.host, 0, 0x50, 1, 2);
        pci = model_pci_config(function);
        world.desc.rid = what == 0 ? 0x58 : 0x50;
        pci[0x0b] = 0x08;
        pci[0x0a] = what == 1 ? 0x05 : 0x06;
        pci[0x10] = what == 2 ? 1 : what == 3 ? 2 : 4;
        pci[0x13] = what == 4 ? 0 : 0x40;
        assert_int_equal(riommu_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                         SLUICE_ERR_FIRMWARE);
        assert_int_equal(pci[4], 0); /* untouched */
        assert_int_equal(model_host_objects_in_use(world.host), 0);
        world_abandon(&world);
    }
}

/* Memory space for the probe, bus mastering and MSI-X for the start, all as before at the end. */
static void pci_command(void **state)
{
    static const char *const path = "riommu0: translation on";
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.pci = true;
    world_init(&world, &config);
    /* The model keeps its own function: find it through the host's hook. */
    assert_int_equal(world.sluice.ops->pci_read(world.sluice.config.ctx, 0, config.model.rid, 4, 2),
                     0);
    world_probe(&world);
    assert_int_equal(world.sluice.ops->pci_read(world.sluice.config.ctx, 0, config.model.rid, 4, 2),
                     2);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_true(model_host_logged(world.host, path));
    assert_int_equal(world.sluice.ops->pci_read(world.sluice.config.ctx, 0, config.model.rid, 4, 2),
                     6);
    assert_int_equal(
        world.sluice.ops->pci_read(world.sluice.config.ctx, 0, config.model.rid, 0x42, 2) & 0xc000,
        0x8000);
    world_finish(&world);
}

/* No allocation that fails leaves anything behind. */
static void allocations(void **state)
{
    (void)state;
    for (unsigned nth = 0;; nth++) {
        struct world_config config = world_defaults();
        struct world world;
        enum sluice_status status;

        config.model.ats = true;
        world_init(&world, &config);
        model_host_fail_allocation(world.host, nth, false);
        status = riommu_unit_ops.probe(&world.sluice, &world.desc, &world.unit);
        model_host_fail_no_more(world.host);
        if (status == SLUICE_OK) {
            assert_true(nth >= 9);
            world.unit->ops->release(world.unit);
        }
        assert_int_equal(model_host_objects_in_use(world.host), 0);
        assert_int_equal(model_host_pages_in_use(world.host), 0);
        world_abandon(&world);
        if (status == SLUICE_OK)
            return;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
    }
}

/* Nor one while a device is attached whose directory tables are not there yet. */
static void attach_allocations(void **state)
{
    struct world_config config = world_defaults();
    struct source far = {.id = 0x7f8123};
    struct world world;

    (void)state;
    world_begin(&world, &config);
    far.unit = world.unit;
    for (unsigned nth = 0; nth < 2; nth++) {
        model_host_fail_allocation(world.host, nth, false);
        assert_int_equal(
            world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[1].link),
            SLUICE_ERR_NO_MEMORY);
        model_host_fail_no_more(world.host);
    }
    assert_int_equal(
        world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[1].link),
        SLUICE_OK);
    far.link = &world.domains[1].link;
    assert_int_equal(world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, NULL), SLUICE_OK);
    world_finish(&world);
}

/* ---- no open window ---- */

struct watch {
    struct world *world;
    sluice_phys_t secret;
    bool outside;
};

/* Around each register write, nobody reaches memory untranslated. */
static void watch_on_write(void *arg, const struct model_mmio_event *event)
{
    struct watch *watch = arg;
    uint8_t byte = 0;

    (void)event;
    for (unsigned i = 0; i < WORLD_DEVICES; i++) {
        if (dma_device_read(watch->world->devices[i], watch->secret, &byte, 1, NULL))
            watch->outside = true;
    }
}

static void no_window(void **state)
{
    (void)state;
    for (unsigned bare = 0; bare < 2; bare++) {
        struct world_config config = world_defaults();
        struct watch watch;
        struct world world;

        config.host.no_events = true;
        config.model.reset_mode = bare;
        world_init(&world, &config);
        world_probe(&world);
        watch = (struct watch){&world, world.domains[0].page.phys, false};
        assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
        assert_int_equal(dma_device_read(world.devices[1], watch.secret, &(uint8_t){0}, 1, NULL),
                         bare != 0);
        if (bare == 0)
            model_host_set_mmio_hook(world.host, watch_on_write, &watch);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        model_host_set_mmio_hook(world.host, watch_on_write, &watch);
        assert_int_equal(world_attach(&world, 1, &world.domains[1]), SLUICE_OK);
        assert_int_equal(world_attach(&world, 1, &world.domains[0]), SLUICE_OK);
        assert_int_equal(world_attach(&world, 1, NULL), SLUICE_OK);
        assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
        assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
        assert_false(watch.outside);
        model_host_set_mmio_hook(world.host, NULL, NULL);
        /* A stop gives back what was found. */
        assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
        assert_int_equal(dma_device_read(world.devices[1], watch.secret, &(uint8_t){0}, 1, NULL),
                         bare != 0);
        world_finish(&world);
    }
}

/* Another mode is not tried while the unit is bare. */
static void bare_on_write(void *arg, const struct model_mmio_event *event)
{
    struct watch *watch = arg;

    if (event->phys == watch->world->desc.base + 0x10 && !event->after && (event->value & 15) > 1 &&
        riscv_model_mode(watch->world->model) == 1)
        watch->outside = true;
}

/* A mode that DDTP turns into bare does not stay for longer than it takes to see it. */
static void odd_mode_closes(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct watch watch = {&world, 0, false};

    (void)state;
    config.model.modes = 0;
    config.model.odd_mode = 1;
    world_init(&world, &config);
    world_probe(&world);
    model_host_set_mmio_hook(world.host, bare_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_UNSUPPORTED);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    assert_false(watch.outside);
    assert_int_equal(riscv_model_mode(world.model), 0);
    assert_false(world.unit->exposed);
    world_finish(&world);
}

static void firmware_register(struct world *world, uint32_t offset, unsigned width, uint64_t value)
{
    model_host_mmio_write(world->host, world->desc.base + offset, width, value);
    for (unsigned i = 0; i < 10; i++)
        (void)model_host_mmio_read(world->host, world->desc.base, 8);
}

/*
 * Firmware's own directory, with contexts that pass, is in the way, and the unit has cached them:
 * taken over, blocked meanwhile, and nothing of it counts any more.
 */
static void takeover(void **state)
{
    struct world_config config = world_defaults();
    struct sluice_pages table, leaf;
    struct watch watch;
    struct world world;
    uint8_t byte = 0;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    world_probe(&world);
    watch = (struct watch){&world, world.domains[1].page.phys, false};
    table = model_host_buffer(world.host, 0, false);
    leaf = model_host_buffer(world.host, 0, false);
    *(uint64_t *)table.virt = leaf.phys >> 2 | 1;
    for (unsigned i = 0; i < 64; i++)
        ((uint64_t *)leaf.virt)[i * 8] = 1; /* everybody passes */
    firmware_register(&world, 0x10, 8, table.phys >> 2 | 3);
    assert_int_equal(riscv_model_mode(world.model), 3);
    for (unsigned i = 0; i < WORLD_DEVICES; i++)
        assert_true(dma_device_read(world.devices[i], watch.secret, &byte, 1, NULL));
    assert_int_equal(riscv_model_contexts_cached(world.model), WORLD_DEVICES);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_true(model_host_logged(world.host, "firmware left translation on"));
    assert_int_equal(world_reaches(&world, 0), 0);
    for (unsigned i = 0; i < WORLD_DEVICES; i++)
        assert_false(dma_device_read(world.devices[i], watch.secret, &byte, 1, NULL));
    /* It does not come back. */
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_int_equal(riscv_model_mode(world.model), 0);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),           cmocka_unit_test(refused_on_pci),
        cmocka_unit_test(pci_command),        cmocka_unit_test(allocations),
        cmocka_unit_test(attach_allocations), cmocka_unit_test(no_window),
        cmocka_unit_test(odd_mode_closes),    cmocka_unit_test(takeover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
