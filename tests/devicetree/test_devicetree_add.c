// SPDX-License-Identifier: MIT
/*
 * From a devicetree to DMA: the tree fills an instance, the instance starts the model of an SMMUv3
 * that the tree describes, and devices reach memory under the stream IDs that the tree gives them,
 * and under no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "builder.h"
#include "models/dma_device.h"
#include "models/host.h"
#include "models/smmu3.h"

#include <sluice/devicetree.h>
#include <sluice/sluice.h>

#define IOVA ((sluice_iova_t)0x40000000)
/** 01:02.0 of segment 1: the first map entry of the board. */
#define FUNCTION     SLUICE_RID(1, 2, 0)
#define FUNCTION_SID (0x1000u + FUNCTION)
/** 10:00.0: the second. */
#define FAR_FUNCTION     SLUICE_RID(0x10, 0, 0)
#define FAR_FUNCTION_SID (0x4000u + FAR_FUNCTION - 0x800u)

enum {
    NIC_0 = 0,
    NIC_1,
    USB_0,
    PCI_0,
    PCI_1,
    SAME_AS_RID,
    STREAMS
};

static const uint16_t stream_ids[STREAMS] = {0x300,   0x301, 0x320, FUNCTION_SID, FAR_FUNCTION_SID,
                                             FUNCTION};

struct world {
    struct model_host *host;
    struct smmu3_model *model;
    struct sluice *sluice;
    struct dma_device *streams[STREAMS];
    struct sluice_pages page;
    struct sluice_devicetree_summary summary;
    struct sluice_devicetree_error error;
    unsigned reports;
};

static struct tree tree;
static struct sluice_devicetree dt;

/** The board with the SMMUv3 alone: there is no model, and here no driver, of the others. */
static void smmu_alone(void)
{
    tree_board(&tree);
    tree_set_text(&tree, MMU500, "status", "disabled");
    tree_set_text(&tree, DMA, "status", "disabled");
    tree_set_text(&tree, PCIE2, "status", "disabled");
    tree_set_text(&tree, VMMIO, "status", "disabled");
    tree_set_text(&tree, DISK, "status", "disabled");
    /* In the RAM that the simulated host has: 16 MiB at 1 MiB. */
    tree_set(&tree, FRAMES, "reg", 4, 0, 0x180000, 0, 0x4000);
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x180000, 0x4000);
}

static void on_report(void *arg, const struct sluice_devicetree_error *error)
{
    struct world *world = arg;

    world->reports++;
    world->error = *error;
}

static enum sluice_status add_kinds(struct world *world, uint32_t kinds)
{
    const struct sluice_devicetree_config config = {on_report, world, kinds};

    return sluice_add_devicetree(world->sluice, tree.blob, tree.bytes, &dt, &config,
                                 &world->summary, NULL);
}

static enum sluice_status add(struct world *world)
{
    return add_kinds(world, 0);
}

static void begin(struct world *world)
{
    struct smmu3_model_config model = smmu3_model_defaults();
    struct sluice_config config = {0};

    memset(world, 0, sizeof(*world));
    model.base = SMMU_BASE;
    world->host = model_host_create(&(struct model_host_config){0});
    model_host_reserve(world->host, 0x180000, 0x4000);
    world->model = smmu3_model_create(world->host, &model);
    for (unsigned i = 0; i < STREAMS; i++)
        world->streams[i] =
            dma_device_create_on(world->host, &smmu3_model_ops, world->model, stream_ids[i], false);
    world->page = model_host_buffer(world->host, 0, false);
    memset(world->page.virt, 0x5c, SLUICE_PAGE_BYTES);
    model_host_configure(world->host, &config);
    assert_int_equal(sluice_create(&config, &world->sluice), SLUICE_OK);
}

static void finish(struct world *world)
{
    if (sluice_unit_count(world->sluice) != 0)
        assert_int_equal(sluice_stop(world->sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(world->sluice), SLUICE_OK);
    assert_int_equal(model_host_pages_in_use(world->host), 0);
    assert_int_equal(model_host_objects_in_use(world->host), 0);
    assert_int_equal(model_host_violations_print(world->host), 0);
    model_host_buffer_free(world->host, world->page, 0);
    for (unsigned i = 0; i < STREAMS; i++)
        dma_device_destroy(world->streams[i]);
    smmu3_model_destroy(world->model);
    assert_int_equal(model_host_destroy(world->host), 0);
}

static bool reads(struct world *world, unsigned stream, sluice_iova_t iova)
{
    uint8_t byte = 0;

    return dma_device_read(world->streams[stream], iova, &byte, 1, NULL) && byte == 0x5c;
}

/** Which streams read the page, as a set. */
static unsigned reached(struct world *world)
{
    unsigned set = 0;

    for (unsigned i = 0; i < STREAMS; i++)
        set |= reads(world, i, IOVA) ? 1u << i : 0u;
    return set;
}

static struct sluice_domain *domain_with_page(struct world *world)
{
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_UNMANAGED};
    struct sluice_domain *domain;

    assert_int_equal(sluice_domain_create(world->sluice, &config, &domain), SLUICE_OK);
    assert_int_equal(
        sluice_domain_map(domain, IOVA, world->page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_OK);
    return domain;
}

/** The device, alone in a domain with the page, reaches it by these streams. */
static void reaches(struct world *world, const struct sluice_device_config *config, unsigned set)
{
    struct sluice_domain *domain = domain_with_page(world);
    struct sluice_device *device;

    assert_int_equal(sluice_device_add(world->sluice, config, &device), SLUICE_OK);
    assert_int_equal(reached(world), 0);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(reached(world), set);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(reached(world), 0);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
}

static void devices_get_their_streams(void **state)
{
    const struct sluice_device_config function = {.segment = 1, .rid = FUNCTION};
    const struct sluice_device_config far = {.segment = 1, .rid = FAR_FUNCTION};
    const struct sluice_device_config elsewhere = {.segment = 0, .rid = FUNCTION};
    const struct sluice_device_config beyond = {.segment = 1, .rid = SLUICE_RID(0x20, 0, 0)};
    const struct sluice_device_config nic = {.bus = SLUICE_BUS_PLATFORM, .path = NIC};
    const struct sluice_device_config usb = {.bus = SLUICE_BUS_PLATFORM, .registers = 0x10d000100};
    const struct sluice_device_config none = {.bus = SLUICE_BUS_PLATFORM, .path = DMA};
    struct sluice_device *device;
    struct world world;

    (void)state;
    begin(&world);
    smmu_alone();
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(world.reports, 0);
    assert_int_equal(world.summary.units, 1);
    assert_int_equal(world.summary.ranges, 2);
    assert_int_equal(world.summary.devices, 2);
    assert_int_equal(world.summary.regions, 1);
    assert_int_equal(world.summary.left_out, 0);
    memset(tree.blob, 0xa5, sizeof(tree.blob)); /* neither is needed any more */
    memset(&dt, 0xa5, sizeof(dt));
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_true(smmu3_model_translating(world.model));
    assert_int_equal(reached(&world), 0);
    reaches(&world, &function, 1u << PCI_0);
    reaches(&world, &far, 1u << PCI_1);
    reaches(&world, &nic, 1u << NIC_0 | 1u << NIC_1);
    reaches(&world, &usb, 1u << USB_0);
    assert_int_equal(sluice_device_add(world.sluice, &elsewhere, &device), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_add(world.sluice, &beyond, &device), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_add(world.sluice, &none, &device), SLUICE_ERR_NOT_FOUND);
    finish(&world);
}

static void reserved_memory_stays_mapped(void **state)
{
    struct world world;
    uint8_t *frames;
    uint8_t byte = 0;

    (void)state;
    begin(&world);
    smmu_alone();
    assert_int_equal(add(&world), SLUICE_OK);
    frames = model_host_virt(world.host, 0x180000);
    frames[0x3fff] = 0x77;
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    /* Both streams of the device, from the start on, without anybody who adds it. */
    assert_true(dma_device_read(world.streams[NIC_0], 0x183fff, &byte, 1, NULL) && byte == 0x77);
    assert_true(dma_device_read(world.streams[NIC_1], 0x180000, &byte, 1, NULL));
    assert_false(dma_device_read(world.streams[NIC_0], 0x184000, &byte, 1, NULL));
    assert_false(dma_device_read(world.streams[USB_0], 0x180000, &byte, 1, NULL));
    finish(&world);
}

static void limits_are_kept(void **state)
{
    const struct sluice_device_config usb = {.bus = SLUICE_BUS_PLATFORM, .path = USB};
    const struct sluice_domain_config kind = {.kind = SLUICE_DOMAIN_DMA};
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_dma *dma;
    struct sluice_pages buffer;
    struct world world;
    sluice_iova_t iova;

    (void)state;
    begin(&world);
    smmu_alone();
    tree_set(&tree, NARROW, "dma-coherent", 0);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world.sluice, &usb, &device), SLUICE_OK);
    assert_int_equal(sluice_domain_create(world.sluice, &kind, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    /* It would need hooks for caches, if the bus did not say that its DMA snoops. */
    assert_int_equal(
        sluice_dma_open(world.sluice,
                        &(struct sluice_dma_config){.device = device, .address_bits = 64}, &dma),
        SLUICE_OK);
    buffer = model_host_buffer(world.host, 0, false);
    /* "dma-ranges" of its bus lets 30 bits through. */
    assert_int_equal(
        sluice_dma_map(dma, buffer.phys, SLUICE_PAGE_BYTES, SLUICE_DMA_TO_DEVICE, NULL, &iova),
        SLUICE_OK);
    assert_true(iova + SLUICE_PAGE_BYTES <= (uint64_t)1 << 30);
    assert_int_equal(sluice_dma_unmap(dma, iova, SLUICE_PAGE_BYTES, SLUICE_DMA_TO_DEVICE, NULL),
                     SLUICE_OK);
    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    model_host_buffer_free(world.host, buffer, 0);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    finish(&world);
}

static void masks_of_requester_ids(void **state)
{
    const struct sluice_device_config function = {.segment = 1, .rid = FUNCTION};
    const struct sluice_device_config far = {.segment = 1, .rid = FAR_FUNCTION};
    const struct sluice_device_config beyond = {.segment = 1, .rid = SLUICE_RID(0x20, 0, 0)};
    struct sluice_device *device;
    struct world world;

    (void)state;
    /* A mask of 0: every function has one ID. */
    begin(&world);
    smmu_alone();
    tree_set(&tree, PCIE, "iommu-map-mask", 1, 0);
    tree_set(&tree, PCIE, "iommu-map", 4, 0, PH_SMMU, FUNCTION_SID, 0x1000);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(world.reports, 0);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    reaches(&world, &function, 1u << PCI_0);
    reaches(&world, &far, 1u << PCI_0);
    finish(&world);
    /* An entry for more than the host bridge's buses. */
    begin(&world);
    smmu_alone();
    tree_set(&tree, PCIE, "iommu-map", 4, 0, PH_SMMU, 0x1000, 0x10000);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    reaches(&world, &function, 1u << PCI_0);
    assert_int_equal(sluice_device_add(world.sluice, &beyond, &device), SLUICE_ERR_NOT_FOUND);
    finish(&world);
    /* Bits of a bus that count, and an entry that begins below what they can be. */
    begin(&world);
    smmu_alone();
    tree_set(&tree, PCIE, "iommu-map-mask", 1, 0xff00);
    tree_set(&tree, PCIE, "iommu-map", 4, 1, PH_SMMU, FUNCTION_SID - 0xff, 0x1ff);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    reaches(&world, &function, 1u << PCI_0);
    assert_int_equal(sluice_device_add(world.sluice, &far, &device), SLUICE_ERR_NOT_FOUND);
    finish(&world);
}

/** The board with one more wrong thing: it is reported, once, and the rest works. */
static void left_out(struct world *world, const char *path, const char *property, const char *what)
{
    assert_int_equal(add(world), SLUICE_OK);
    if (world->reports != 1 || world->summary.left_out != 1 ||
        strcmp(world->error.path, path) != 0 || world->error.property == NULL ||
        strcmp(world->error.property, property) != 0 || strstr(world->error.what, what) == NULL)
        fail_msg("%u reports, the last: %s \"%s\" %s", world->reports, world->error.path,
                 world->error.property != NULL ? world->error.property : "", world->error.what);
    assert_int_equal(sluice_start(world->sluice), SLUICE_OK);
    assert_int_equal(reached(world), 0);
    finish(world);
    begin(world);
    smmu_alone();
}

static void parts_are_left_out(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    smmu_alone();
    tree_set(&tree, NIC, "iommus", 4, PH_SMMU, 0x300, PH_NONE, 1);
    left_out(&world, NIC, "iommus", "leads to no node");
    tree_set(&tree, USB, "iommus", 3, PH_MMU500, 1, 0);
    left_out(&world, USB, "iommus", "that is disabled");
    tree_set_text(&tree, MMU500, "status", "okay");
    tree_set_text(&tree, MMU500, "compatible", "somebody,iommu");
    tree_set(&tree, USB, "iommus", 3, PH_MMU500, 1, 0);
    left_out(&world, USB, "iommus", "unknown kind");
    tree_set(&tree, PCIE, "iommu-map", 8, 0, PH_SMMU, 0x1000, 0x800, 0x7ff, PH_SMMU, 0x4000, 1);
    left_out(&world, PCIE, "iommu-map", "was said before");
    tree_set(&tree, PCIE, "iommu-map", 4, 0x10000, PH_SMMU, 0x1000, 1);
    left_out(&world, PCIE, "iommu-map", "no PCI function");
    tree_set(&tree, PCIE, "iommu-map", 4, 0, PH_SMMU, 0xffffffff, 2);
    left_out(&world, PCIE, "iommu-map", "no PCI function");
    tree_set(&tree, PCIE, "bus-range", 2, 1, 0);
    left_out(&world, PCIE, "bus-range", "no range");
    tree_set(&tree, NARROW, "iommu-map", 4, 0, PH_SMMU, 0x1000, 1);
    left_out(&world, NARROW, "iommu-map", "not PCI");
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x40000000, 0x8000);
    left_out(&world, FRAMES, "iommu-addresses", "not for as many bytes");
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x40000800, 0x4000);
    left_out(&world, FRAMES, "iommu-addresses", "otherwise in a page");
    tree_set(&tree, FRAMES, "iommu-addresses", 5, PH_GIC, 0, 0x180000, 0, 0x4000);
    left_out(&world, FRAMES, "iommu-addresses", "behind no IOMMU");
    tree_add(&tree, PCIE, "wifi@2,0");
    tree_set(&tree, PCIE "/wifi@2,0", "reg", 5, 0x1000, 0, 0, 0, 0);
    tree_set(&tree, PCIE "/wifi@2,0", "iommus", 2, PH_SMMU, 1);
    left_out(&world, PCIE "/wifi@2,0", "iommus", "of a PCI function");
    finish(&world);
}

/** A device that may not use an address, in whatever domain. */
static void keeps_out(struct world *world, sluice_iova_t iova)
{
    const struct sluice_device_config nic = {.bus = SLUICE_BUS_PLATFORM, .path = NIC};
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_UNMANAGED};
    struct sluice_device *device;
    struct sluice_domain *domain;

    assert_int_equal(sluice_device_add(world->sluice, &nic, &device), SLUICE_OK);
    assert_int_equal(sluice_domain_create(world->sluice, &config, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(
        sluice_domain_map(domain, iova, world->page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_ERR_DENIED);
    assert_int_equal(
        sluice_domain_map(domain, IOVA, world->page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_OK);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
}

/** Memory that the device uses at other addresses, and addresses without memory. */
static void reserved_elsewhere(void **state)
{
    struct world world;
    uint8_t byte = 0;

    (void)state;
    begin(&world);
    smmu_alone();
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x70000000, 0x4000);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(world.summary.regions, 1);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_true(dma_device_read(world.streams[NIC_0], 0x70003fff, &byte, 1, NULL));
    assert_false(dma_device_read(world.streams[NIC_0], 0x70004000, &byte, 1, NULL));
    assert_false(dma_device_read(world.streams[NIC_0], 0x180000, &byte, 1, NULL));
    finish(&world);

    begin(&world);
    smmu_alone();
    tree_drop(&tree, FRAMES, "reg");
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x70000000, 0x4000);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(world.summary.regions, 1);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_false(dma_device_read(world.streams[NIC_0], 0x70000000, &byte, 1, NULL));
    keeps_out(&world, 0x70000000);
    finish(&world);
}

static void reserved_for_functions(void **state)
{
    struct world world;
    uint8_t byte = 0;

    (void)state;
    begin(&world);
    smmu_alone();
    tree_set(&tree, PCIE, "iommu-map", 4, 0, PH_SMMU, 0x1000, 0x400);
    tree_set(&tree, FRAMES, "iommu-addresses", 5, PH_PCIE, 0, 0x180000, 0, 0x4000);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(world.summary.regions, 1);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_true(dma_device_read(world.streams[PCI_0], 0x180000, &byte, 1, NULL));
    assert_false(dma_device_read(world.streams[NIC_0], 0x180000, &byte, 1, NULL));
    finish(&world);
}

static void kinds_can_be_chosen(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    tree_board(&tree);
    tree_drop(&tree, FRAMES, "iommu-addresses");
    assert_int_equal(add_kinds(&world, 1u << SLUICE_UNIT_SMMU_V3), SLUICE_OK);
    assert_int_equal(world.summary.units, 1);
    /* three units, and who is behind them: two entries of a map, two devices */
    assert_int_equal(world.reports, 7);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    finish(&world);
    begin(&world);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(world.summary.units, 4);
    assert_int_equal(world.summary.ranges, 4);
    assert_int_equal(world.summary.devices, 4);
    assert_int_equal(world.reports, 0);
    finish(&world);
    begin(&world);
    assert_int_equal(add_kinds(&world, 1u << SLUICE_UNIT_RISCV), SLUICE_ERR_NOT_FOUND);
    finish(&world);
}

static void instances_refuse(void **state)
{
    struct sluice_devicetree_error error;
    struct world world;

    (void)state;
    begin(&world);
    smmu_alone();
    assert_int_equal(sluice_add_devicetree(world.sluice, tree.blob, 100, &dt, NULL, NULL, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, "");
    assert_int_equal(add(&world), SLUICE_OK);
    /* Once more: everything was said before. */
    assert_int_equal(add(&world), SLUICE_ERR_NOT_FOUND);
    assert_true(world.reports > 1);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_int_equal(add(&world), SLUICE_ERR_STATE);
    finish(&world);
}

/** Memory that runs out at every place: an error, and nothing left behind. */
static void memory_runs_out(void **state)
{
    bool whole = false;

    (void)state;
    for (unsigned after = 0; after < 200 && !whole; after++) {
        struct world world;
        enum sluice_status status;

        begin(&world);
        smmu_alone();
        model_host_fail_allocation(world.host, after, true);
        status = add(&world);
        model_host_fail_no_more(world.host);
        whole = status == SLUICE_OK;
        assert_true(whole || status == SLUICE_ERR_NO_MEMORY);
        finish(&world);
    }
    assert_true(whole);
}

/* ---- messages ---- */

#define ITS    "/its@8080000"
#define PH_ITS 0x50

/** The board with an ITS that knows everybody behind the SMMU: functions, and the USB controller.
 */
static void board_with_its(void)
{
    smmu_alone();
    tree_set_text(&tree, NIC, "status", "disabled"); /* has two stream IDs */
    tree_add(&tree, "/", "its@8080000");
    tree_set_text(&tree, ITS, "compatible", "arm,gic-v3-its");
    tree_set(&tree, ITS, "reg", 4, 0, 0x8080000, 0, 0x20000);
    tree_set(&tree, ITS, "phandle", 1, PH_ITS);
    tree_set(&tree, ITS, "#msi-cells", 1, 1);
    tree_set(&tree, PCIE, "msi-map", 4, 0, PH_ITS, 0, 0x10000);
    tree_set(&tree, USB, "msi-parent", 2, PH_ITS, 0x10020);
}

/** Level standard with the tree as it is; `words` are in the log where it cannot be had. */
static void rests_on_its(const char *words)
{
    struct world world;
    enum sluice_status status;

    begin(&world);
    assert_int_equal(add(&world), SLUICE_OK);
    assert_int_equal(sluice_protection_set(world.sluice, SLUICE_PROTECTION_STANDARD), SLUICE_OK);
    status = sluice_start(world.sluice);
    assert_int_equal(status, words == NULL ? SLUICE_OK : SLUICE_ERR_UNSUPPORTED);
    if (words != NULL && !model_host_logged(world.host, words))
        fail_msg("'%s' is not said", words);
    finish(&world);
}

static void messages_are_known(void **state)
{
    const char *unknown = "knows messages of 0001:";

    (void)state;
    board_with_its();
    rests_on_its(NULL);
    tree_set(&tree, USB, "msi-parent", 2, PH_ITS, 0x20);
    rests_on_its("two devices are one sender");
    tree_drop(&tree, USB, "msi-parent");
    rests_on_its("nobody says that the interrupt controller knows messages of '" USB);
    board_with_its();
    tree_set(&tree, PCIE, "msi-map", 4, 0, PH_ITS, 0, 0x800);
    rests_on_its(unknown);
    tree_drop(&tree, PCIE, "msi-map");
    tree_set(&tree, PCIE, "msi-parent", 1, PH_ITS);
    rests_on_its(unknown);
    board_with_its();
    tree_set(&tree, PCIE, "msi-map-mask", 1, 0xfff8); /* functions of a device are one sender */
    rests_on_its(unknown);
    board_with_its();
    tree_set_text(&tree, ITS, "compatible", "arm,gic-v2m-frame");
    rests_on_its("no interrupt controller is said to know");
    board_with_its();
    tree_set_text(&tree, ITS, "status", "disabled");
    rests_on_its("no interrupt controller is said to know");
    board_with_its();
    tree_set(&tree, ITS, "#msi-cells", 1, 2);
    rests_on_its("no interrupt controller is said to know");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_get_their_streams), cmocka_unit_test(reserved_memory_stays_mapped),
        cmocka_unit_test(limits_are_kept),           cmocka_unit_test(masks_of_requester_ids),
        cmocka_unit_test(parts_are_left_out),        cmocka_unit_test(reserved_elsewhere),
        cmocka_unit_test(reserved_for_functions),    cmocka_unit_test(kinds_can_be_chosen),
        cmocka_unit_test(instances_refuse),          cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(messages_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
