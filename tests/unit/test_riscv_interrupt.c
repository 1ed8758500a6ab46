// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping on a RISC-V IOMMU: MSI page tables, and what devices' messages become,
 * through the public API.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "interrupt/interrupt.h"
#include "models/riscv.h"
#include "scene.h"
#include "unit/riscv/riommu.h"

#define RID_A     SLUICE_RID(0, 3, 0)
#define RID_B     SLUICE_RID(0, 4, 0)
#define RID_PCI   SLUICE_RID(2, 5, 0)  /* behind a bridge, sends as 02:00.0 */
#define FILES     UINT64_C(0x28001000) /* interrupt files of harts 0 and 1 */
#define FILES_TOO UINT64_C(0x29000000) /* and of hart 2 */
#define WINDOW    UINT64_C(0x28000000) /* what the library makes of it */
#define HARTS     3u
#define ENTRIES   (RIOMMU_MESSAGES - 2) /* without the doorbells in the window */
#define NOT_VALID 262u
#define BAD       263u

struct rig {
    struct scene scene; /* first */
    struct sluice_host_ops ops;
    struct riscv_model_config unit;
    bool no_files;
    struct riscv_model *model;
    unsigned fired;
    sluice_phys_t address; /* of the last */
    uint32_t data;
};

static struct rig rig; /* the hook's context is the model's */

static bool extent(void *ctx, unsigned index, sluice_phys_t *out_first, sluice_phys_t *out_last)
{
    (void)ctx;
    *out_first = index == 0 ? FILES : FILES_TOO;
    *out_last = *out_first + (index == 0 ? 2 : 1) * SLUICE_PAGE_BYTES - 1;
    return index < 2;
}

static void configure(struct sluice_config *config, void *arg)
{
    (void)arg;
    rig.ops = *config->ops;
    rig.ops.doorbell_extent = rig.no_files ? NULL : extent;
    config->ops = &rig.ops;
    config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
}

static void arrived(void *arg, sluice_phys_t address, uint32_t data)
{
    (void)arg;
    rig.fired++;
    rig.address = address;
    rig.data = data;
}

static void rig_reset(void)
{
    memset(&rig, 0, sizeof(rig));
    rig.unit = riscv_model_defaults();
    rig.unit.reset_mode = 1;
}

static void rig_init(void)
{
    struct scene_config config = {.machine = machine_defaults_riscv(), .configure = configure};

    config.machine.kind_config = &rig.unit;
    scene_init(&rig.scene, &config);
    rig.model = rig.scene.machine->unit;
    riscv_model_set_message_sink(rig.model, arrived, NULL);
}

static void rig_start(void)
{
    rig_init();
    assert_int_equal(sluice_start(rig.scene.sluice), SLUICE_OK);
}

static struct sluice_domain *join(struct sluice_device *device)
{
    struct sluice_domain *domain = scene_domain(&rig.scene, SLUICE_DOMAIN_DMA);

    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    return domain;
}

static void leave(struct sluice_device *device, struct sluice_domain *domain)
{
    scene_forget(device);
    if (domain != NULL)
        assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
}

static enum sluice_status try_alloc(struct sluice_device *device, unsigned count,
                                    struct sluice_interrupt **out)
{
    const struct sluice_interrupt_config config = {
        .kind = SLUICE_INTERRUPT_MSIX, .device = device, .count = count, .name = "test"};

    return sluice_interrupt_alloc(rig.scene.sluice, &config, out);
}

static struct sluice_interrupt *take(struct sluice_device *device, unsigned count)
{
    struct sluice_interrupt *interrupt = NULL;

    assert_int_equal(try_alloc(device, count, &interrupt), SLUICE_OK);
    return interrupt;
}

static enum sluice_status route(struct sluice_interrupt *interrupt, unsigned index, uint32_t hart,
                                uint16_t identity)
{
    const struct sluice_interrupt_route to = {.destination = hart, .vector = identity};

    return sluice_interrupt_route(interrupt, index, &to);
}

static struct sluice_msi message(struct sluice_interrupt *interrupt, unsigned index)
{
    struct sluice_msi msi;

    assert_int_equal(sluice_interrupt_message(interrupt, index, &msi), SLUICE_OK);
    return msi;
}

static sluice_phys_t file_of(uint32_t hart)
{
    return hart < 2 ? FILES + hart * SLUICE_PAGE_BYTES : FILES_TOO;
}

static void expect_from(unsigned device, struct sluice_msi msi, uint32_t hart, uint32_t identity)
{
    unsigned before = rig.fired;

    assert_true(dma_device_msi(rig.scene.machine->devices[device], msi.address, msi.data));
    assert_int_equal(rig.fired, before + 1);
    assert_true(rig.address == file_of(hart));
    assert_int_equal(rig.data, identity);
}

static void expect(struct sluice_interrupt *interrupt, unsigned index, uint32_t hart,
                   uint32_t identity)
{
    expect_from(MACHINE_DEV_A, message(interrupt, index), hart, identity);
}

/* It goes nowhere, and the unit says why. */
static void expect_refused(unsigned device, sluice_iova_t address, uint32_t data, unsigned cause)
{
    unsigned before = rig.fired, faults = rig.scene.faults;

    assert_false(dma_device_msi(rig.scene.machine->devices[device], address, data));
    (void)sluice_fault_poll(rig.scene.sluice);
    assert_int_equal(rig.fired, before);
    assert_int_equal(rig.scene.faults, faults + 1);
    assert_int_equal(rig.scene.fault.hardware_code, cause);
}

static struct sluice_interrupt_info info(void)
{
    struct sluice_interrupt_info out;

    sluice_interrupt_info(rig.scene.sluice, &out);
    return out;
}

static void give(struct sluice_interrupt *interrupt)
{
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
}

/* ---- where messages go ---- */

/* From allocation to the end, with every entry leading somewhere else. */
static void life(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi first;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    domain = join(device);
    assert_true(info().remapped);
    assert_int_equal(info().entries, 0);
    expect_refused(MACHINE_DEV_A, WINDOW, 1, NOT_VALID); /* it has no entries yet */
    interrupt = take(device, 3);
    assert_int_equal(info().entries, ENTRIES);
    assert_int_equal(info().used, 3);
    first = message(interrupt, 0);
    expect_refused(MACHINE_DEV_A, first.address, first.data, NOT_VALID); /* not routed yet */
    assert_int_equal(rig.scene.fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_int_equal(rig.scene.fault.source, RID_A);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(route(interrupt, i, i, (uint16_t)(0x40 + 500 * i)), SLUICE_OK);
    for (unsigned i = 0; i < 3; i++)
        expect(interrupt, i, i, 0x40 + 500 * i);
    /* Its data has no say, as long as it is an identity. */
    expect_from(MACHINE_DEV_A, (struct sluice_msi){first.address, 77}, 0, 0x40);
    expect_refused(MACHINE_DEV_A, first.address, 2048, BAD);
    assert_int_equal(sluice_device_remove(device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_stop(rig.scene.sluice), SLUICE_ERR_BUSY);
    give(interrupt);
    expect_refused(MACHINE_DEV_A, first.address, first.data, NOT_VALID);
    assert_int_equal(info().used, 0);
    assert_int_equal(info().entries, 0);
    leave(device, domain);
    scene_finish(&rig.scene);
}

/* Neither the files themselves nor pages that nobody was given, wherever they are. */
static void nothing_else_is_reached(void **state)
{
    struct sluice_interrupt *interrupt, *other, *third;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_mapping mapping;
    struct sluice_reserved_region region;
    unsigned listed = 0;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    domain = join(device);
    interrupt = take(device, ENTRIES - 1);
    other = take(device, 1); /* below the doorbells */
    assert_true(message(other, 0).address == WINDOW);
    assert_int_equal(try_alloc(device, 1, &third), SLUICE_ERR_NO_SPACE);
    for (unsigned i = 0; i < ENTRIES - 1; i++) {
        assert_int_equal(route(interrupt, i, i % HARTS, 9), SLUICE_OK);
        assert_true(message(interrupt, i).address != FILES);
        assert_true(message(interrupt, i).address != FILES + SLUICE_PAGE_BYTES);
        expect(interrupt, i, i % HARTS, 9);
    }
    expect_refused(MACHINE_DEV_A, FILES, 9, NOT_VALID);
    expect_refused(MACHINE_DEV_A, FILES + SLUICE_PAGE_BYTES, 9, NOT_VALID);
    expect_refused(MACHINE_DEV_A, FILES_TOO, 9, 23);
    assert_int_equal(sluice_domain_lookup(domain, FILES_TOO, &mapping), SLUICE_ERR_NOT_FOUND);
    for (unsigned i = 0; sluice_device_reserved(device, i, &region) == SLUICE_OK; i++)
        listed += region.kind == SLUICE_RESERVED_INTERRUPT && region.first == WINDOW &&
                  region.last == WINDOW + RIOMMU_MESSAGES * SLUICE_PAGE_BYTES - 1;
    assert_int_equal(listed, 1);
    assert_int_equal(
        sluice_domain_map(domain, WINDOW + 0x7000, 0x4000, SLUICE_PAGE_BYTES, SCENE_READWRITE),
        SLUICE_ERR_DENIED);
    give(interrupt);
    give(other);
    leave(device, domain);
    scene_finish(&rig.scene);
}

/* The same number is another entry for each device, also in one domain. */
static void tables_are_apart(void **state)
{
    struct sluice_interrupt *a, *b;
    struct sluice_device *device_a, *device_b;
    struct sluice_domain *domain;

    (void)state;
    rig_reset();
    rig_start();
    device_a = scene_device(&rig.scene, RID_A);
    device_b = scene_device(&rig.scene, RID_B);
    domain = join(device_a);
    assert_int_equal(sluice_domain_attach(domain, device_b), SLUICE_OK);
    a = take(device_a, 1);
    assert_int_equal(route(a, 0, 0, 0x40), SLUICE_OK);
    expect_refused(MACHINE_DEV_B, message(a, 0).address, 1, NOT_VALID);
    b = take(device_b, 1);
    assert_true(message(a, 0).address == message(b, 0).address);
    assert_int_equal(route(b, 0, 1, 0x80), SLUICE_OK);
    expect_from(MACHINE_DEV_A, message(a, 0), 0, 0x40);
    expect_from(MACHINE_DEV_B, message(a, 0), 1, 0x80);
    expect_refused(MACHINE_DEV_A, WINDOW + 0x7000, 1, NOT_VALID);
    give(a);
    expect_from(MACHINE_DEV_B, message(b, 0), 1, 0x80);
    give(b);
    leave(device_b, NULL);
    leave(device_a, domain);
    scene_finish(&rig.scene);
}

/* While its device has others, too. */
static void freed(void **state)
{
    struct sluice_interrupt *goes, *stays;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    domain = join(device);
    goes = take(device, 1);
    stays = take(device, 1);
    assert_int_equal(route(goes, 0, 0, 5), SLUICE_OK);
    assert_int_equal(route(stays, 0, 1, 6), SLUICE_OK);
    expect(goes, 0, 0, 5);
    msi = message(goes, 0);
    give(goes);
    expect_refused(MACHINE_DEV_A, msi.address, msi.data, NOT_VALID);
    goes = take(device, 1); /* the same number */
    assert_true(message(goes, 0).address == msi.address);
    expect_refused(MACHINE_DEV_A, msi.address, msi.data, NOT_VALID);
    expect(stays, 0, 1, 6);
    give(goes);
    give(stays);
    leave(device, domain);
    scene_finish(&rig.scene);
}

/* One store, and the unit's copy is gone: the very next message goes to the new place. */
static void moved(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi before;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    domain = join(device);
    interrupt = take(device, 2);
    before = message(interrupt, 1);
    assert_int_equal(route(interrupt, 0, 0, 5), SLUICE_OK);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(route(interrupt, 1, i % HARTS, (uint16_t)(100 + i)), SLUICE_OK);
        expect_from(MACHINE_DEV_A, before, i % HARTS, 100 + i);
        expect(interrupt, 0, 0, 5);
    }
    assert_true(message(interrupt, 1).address == before.address);
    assert_int_equal(message(interrupt, 1).data, before.data);
    give(interrupt);
    leave(device, domain);
    scene_finish(&rig.scene);
}

/* A masked entry is silent, and its message is nobody's. */
static void masked(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    for (unsigned mrif = 0; mrif < 2; mrif++) {
        unsigned fired;

        rig_reset();
        rig.unit.mrif = mrif == 1;
        rig_start();
        device = scene_device(&rig.scene, RID_A);
        domain = join(device);
        interrupt = take(device, 1);
        assert_int_equal(route(interrupt, 0, 1, 44), SLUICE_OK);
        msi = message(interrupt, 0);
        expect(interrupt, 0, 1, 44);
        fired = rig.fired;
        assert_int_equal(sluice_interrupt_mask(interrupt, 0), SLUICE_OK);
        assert_true(dma_device_msi(rig.scene.machine->devices[MACHINE_DEV_A], msi.address, 44));
        assert_int_equal(sluice_fault_poll(rig.scene.sluice), 0);
        assert_int_equal(rig.fired, fired);
        assert_int_equal(message(interrupt, 0).data, msi.data);
        assert_int_equal(route(interrupt, 0, 2, 44), SLUICE_OK);
        expect(interrupt, 0, 2, 44);
        give(interrupt);
        leave(device, domain);
        scene_finish(&rig.scene);
    }
}

/* Entries stay while their device moves; while it is in no domain, nothing comes. */
static void across_domains(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *first, *second;
    struct sluice_pages page;
    struct sluice_msi msi;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    interrupt = take(device, 1); /* before it is anywhere */
    assert_int_equal(route(interrupt, 0, 0, 7), SLUICE_OK);
    msi = message(interrupt, 0);
    expect_refused(MACHINE_DEV_A, msi.address, msi.data, 258);
    first = join(device);
    expect(interrupt, 0, 0, 7);
    page = scene_page(&rig.scene, 0x11);
    scene_map(first, SCENE_IOVA, &page);
    assert_int_equal(scene_reads(&rig.scene, MACHINE_DEV_A, SCENE_IOVA), 0x11);
    second = join(device);
    expect(interrupt, 0, 0, 7);
    /* What was walked under its tag in the other domain is gone. */
    assert_int_equal(scene_reads(&rig.scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    (void)sluice_fault_poll(rig.scene.sluice);
    assert_int_equal(route(interrupt, 0, 1, 8), SLUICE_OK);
    expect(interrupt, 0, 1, 8);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    expect_refused(MACHINE_DEV_A, msi.address, msi.data, 258);
    assert_int_equal(route(interrupt, 0, 2, 9), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(first, device), SLUICE_OK);
    expect(interrupt, 0, 2, 9);
    assert_int_equal(scene_reads(&rig.scene, MACHINE_DEV_A, SCENE_IOVA), 0x11);
    give(interrupt);
    assert_int_equal(sluice_domain_destroy(second), SLUICE_OK);
    assert_int_equal(sluice_domain_unmap(first, SCENE_IOVA, SLUICE_PAGE_BYTES, NULL), SLUICE_OK);
    assert_int_equal(scene_reads(&rig.scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    leave(device, first);
    scene_page_free(&rig.scene, page);
    scene_finish(&rig.scene);
}

/* Each device of a domain has a tag of its own, and an unmap reaches all of them. */
static void an_unmap_reaches_every_tag(void **state)
{
    static const uint16_t rids[] = {RID_A, RID_B, SLUICE_RID(1, 0, 0)};
    static const unsigned numbers[] = {MACHINE_DEV_A, MACHINE_DEV_B, MACHINE_DEV_BELOW};
    struct sluice_device *devices[3];
    struct sluice_domain *domain;
    struct sluice_pages page;

    (void)state;
    rig_reset();
    rig_start();
    devices[0] = scene_device(&rig.scene, rids[0]);
    domain = join(devices[0]);
    for (unsigned i = 1; i < 3; i++) {
        devices[i] = scene_device(&rig.scene, rids[i]);
        assert_int_equal(sluice_domain_attach(domain, devices[i]), SLUICE_OK);
    }
    page = scene_page(&rig.scene, 0x22);
    for (unsigned round = 0; round < 2; round++) {
        scene_map(domain, SCENE_IOVA, &page);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(scene_reads(&rig.scene, numbers[i], SCENE_IOVA), 0x22);
        assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, SLUICE_PAGE_BYTES, NULL),
                         SLUICE_OK);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(scene_reads(&rig.scene, numbers[i], SCENE_IOVA), -1);
    }
    for (unsigned i = 3; i-- > 0;)
        leave(devices[i], i == 0 ? domain : NULL);
    scene_page_free(&rig.scene, page);
    scene_finish(&rig.scene);
}

/* Identity goes by tables then: memory, and no interrupt file but what was granted. */
static void identity(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_pages page;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    domain = scene_domain(&rig.scene, SLUICE_DOMAIN_IDENTITY);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    interrupt = take(device, 1);
    assert_int_equal(route(interrupt, 0, 2, 3), SLUICE_OK);
    page = scene_page(&rig.scene, 0x33);
    assert_int_equal(scene_reads(&rig.scene, MACHINE_DEV_A, page.phys), 0x33);
    expect(interrupt, 0, 2, 3);
    expect_refused(MACHINE_DEV_A, FILES, 3, NOT_VALID);
    expect_refused(MACHINE_DEV_A, FILES_TOO, 3, 23);
    give(interrupt);
    leave(device, domain);
    scene_page_free(&rig.scene, page);
    scene_finish(&rig.scene);
}

/* A device behind a bridge sends under the bridge's ID, and its block is for both. */
static void behind_a_bridge(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_PCI);
    domain = join(device);
    interrupt = take(device, 2);
    assert_int_equal(info().entries, ENTRIES);
    assert_int_equal(route(interrupt, 1, 1, 12), SLUICE_OK);
    expect_from(MACHINE_DEV_PCI, message(interrupt, 1), 1, 12);
    give(interrupt);
    leave(device, domain);
    scene_finish(&rig.scene);
}

/* Without interrupt files in memory the message says the identity, and changes with it. */
static void basic_entries(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    rig_reset();
    rig.unit.mrif = false;
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    domain = join(device);
    interrupt = take(device, 2);
    assert_int_equal(sluice_interrupt_message(interrupt, 0, &msi), SLUICE_ERR_STATE);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(route(interrupt, i % 2, i % HARTS, (uint16_t)(10 + i)), SLUICE_OK);
        assert_int_equal(message(interrupt, i % 2).data, 10 + i);
        expect(interrupt, i % 2, i % HARTS, 10 + i);
    }
    expect_refused(MACHINE_DEV_A, FILES, 10, NOT_VALID);
    give(interrupt);
    leave(device, domain);
    scene_finish(&rig.scene);
}

/* ---- what is refused ---- */

static void bad_routes(void **state)
{
    struct sluice_interrupt_route bad[] = {
        {.destination = 0, .vector = 0},
        {.destination = 0, .vector = 2048},
        {.destination = HARTS, .vector = 1},
        {.destination = 0, .vector = 1, .logical = true},
        {.destination = 0, .vector = 1, .level = true},
        {.destination = 0, .vector = 1, .delivery = SLUICE_INTERRUPT_LOWEST_PRIORITY},
    };
    struct sluice_interrupt_config config = {.kind = SLUICE_INTERRUPT_MSI, .count = 2};
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    config.device = device;
    assert_int_equal(sluice_interrupt_alloc(rig.scene.sluice, &config, &interrupt),
                     SLUICE_ERR_UNSUPPORTED);
    interrupt = take(device, 1);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(sluice_interrupt_route(interrupt, 0, &bad[i]), SLUICE_ERR_INVALID);
    assert_int_equal(route(interrupt, 1, 0, 1), SLUICE_ERR_RANGE);
    assert_int_equal(route(interrupt, 0, 0, 2047), SLUICE_OK);
    give(interrupt);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_finish(&rig.scene);
}

static void no_start(const char *why)
{
    rig_init();
    assert_int_equal(sluice_start(rig.scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_true(model_host_logged(rig.scene.machine->host, why));
    scene_finish(&rig.scene);
}

/* Asked for and not to be had: the start fails, and the log says why. */
static void fails_closed(void **state)
{
    (void)state;
    rig_reset();
    rig.unit.extended = false;
    no_start("CAP.MSI_FLAT is 0");
    rig_reset();
    rig.unit.sv39x4 = rig.unit.sv48x4 = rig.unit.sv57x4 = false;
    no_start("has none");
    rig_reset();
    rig.no_files = true;
    no_start("names no interrupt files");
    rig_reset();
    rig.unit.sv48x4 = rig.unit.sv57x4 = false;
    rig_start(); /* 41 bits do */
    scene_finish(&rig.scene);
}

/* ---- hardware that does not answer ---- */

static void inject(struct riscv_model_injection injection)
{
    riscv_model_inject(rig.model, &injection);
}

/* What may still be in the unit is not given out again; the next block is served as before. */
static void lost_confirmations(void **state)
{
    struct sluice_interrupt *interrupt, *next;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    domain = join(device);
    interrupt = take(device, 4);
    msi = message(interrupt, 0);
    inject((struct riscv_model_injection){.illegal_at = 1});
    assert_int_equal(route(interrupt, 0, 1, 5), SLUICE_ERR_HARDWARE);
    expect(interrupt, 0, 1, 5); /* written all the same */
    inject((struct riscv_model_injection){.illegal_at = 1});
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_ERR_HARDWARE);
    assert_int_equal(info().used, 0);
    assert_int_equal(info().withheld, 4);
    next = take(device, 1);
    assert_true(message(next, 0).address != msi.address);
    assert_int_equal(route(next, 0, 2, 6), SLUICE_OK);
    expect(next, 0, 2, 6);
    give(next);
    leave(device, domain);
    scene_finish(&rig.scene);
}

/* A table that the unit may still read is not freed, and serves the next block. */
static void lost_tables(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;

    (void)state;
    for (unsigned nth = 0; nth <= 2; nth++) {
        rig_reset();
        rig_start();
        device = scene_device(&rig.scene, RID_A);
        domain = join(device);
        if (nth > 0) {
            inject((struct riscv_model_injection){.illegal_at = nth});
            assert_int_equal(try_alloc(device, 1, &interrupt), SLUICE_ERR_HARDWARE);
            assert_int_equal(info().used, 0);
        }
        interrupt = take(device, 1);
        assert_int_equal(route(interrupt, 0, 2, 6), SLUICE_OK);
        expect(interrupt, 0, 2, 6);
        /* The entry's invalidation and its fence pass, the context's does not. */
        if (nth == 0)
            inject((struct riscv_model_injection){.illegal_at = 3});
        give(interrupt);
        assert_int_equal(info().entries, ENTRIES);
        leave(device, domain);
        scene_finish(&rig.scene);
    }
}

/* Memory fails at every point: nothing is left of what was begun. */
static void no_memory(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    unsigned failures = 0;

    (void)state;
    rig_reset();
    rig_start();
    device = scene_device(&rig.scene, RID_A);
    for (uint64_t nth = 1;; nth++) {
        enum sluice_status status;

        model_host_fail_allocation(rig.scene.machine->host, nth, true);
        status = try_alloc(device, 1, &interrupt);
        model_host_fail_no_more(rig.scene.machine->host);
        if (status == SLUICE_OK)
            break;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(info().entries, 0);
        failures++;
    }
    assert_true(failures >= 4);
    give(interrupt);
    domain = join(device);
    leave(device, domain);
    scene_finish(&rig.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life),
        cmocka_unit_test(nothing_else_is_reached),
        cmocka_unit_test(tables_are_apart),
        cmocka_unit_test(freed),
        cmocka_unit_test(moved),
        cmocka_unit_test(masked),
        cmocka_unit_test(across_domains),
        cmocka_unit_test(an_unmap_reaches_every_tag),
        cmocka_unit_test(identity),
        cmocka_unit_test(behind_a_bridge),
        cmocka_unit_test(basic_entries),
        cmocka_unit_test(bad_routes),
        cmocka_unit_test(fails_closed),
        cmocka_unit_test(lost_confirmations),
        cmocka_unit_test(lost_tables),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
