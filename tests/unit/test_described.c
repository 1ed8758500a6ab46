// SPDX-License-Identifier: MIT
/*
 * A platform described by hand, and devices found in it: on a model of an SMMUv3, whose streams
 * are other numbers than requester IDs, judged by what devices reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "models/dma_device.h"
#include "models/host.h"
#include "models/smmu3.h"

#include <sluice/sluice.h>

#define RID   SLUICE_RID(0, 3, 0)
#define SID   0x2018u /* what it gets */
#define IOVA  ((sluice_iova_t)0x40000000)
#define MOVED ((sluice_iova_t)0x70000000)
#define NAME  "/soc/dma-controller@fe000000"

struct world {
    struct model_host *host;
    struct smmu3_model *model;
    struct sluice *sluice;
    unsigned unit;
    struct dma_device *streams[3];
    struct sluice_pages page;
    struct sluice_device *limited;
};

static const uint16_t stream_ids[3] = {SID, 0x300, 0x301};

static void world_begin_on(struct world *world, bool non_coherent)
{
    struct smmu3_model_config model = smmu3_model_defaults();
    const struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3, .base = model.base};
    struct sluice_config config = {0};

    memset(world, 0, sizeof(*world));
    model.coherent = !non_coherent;
    world->host = model_host_create(&(struct model_host_config){.non_coherent = non_coherent});
    world->model = smmu3_model_create(world->host, &model);
    for (unsigned i = 0; i < 3; i++)
        world->streams[i] =
            dma_device_create_on(world->host, &smmu3_model_ops, world->model, stream_ids[i], false);
    world->page = model_host_buffer(world->host, 0, false);
    memset(world->page.virt, 0x5c, SLUICE_PAGE_BYTES);
    model_host_configure(world->host, &config);
    assert_int_equal(sluice_create(&config, &world->sluice), SLUICE_OK);
    assert_int_equal(sluice_describe_unit(world->sluice, &unit, &world->unit), SLUICE_OK);
}

static void world_begin(struct world *world)
{
    world_begin_on(world, false);
}

static void world_end(struct world *world)
{
    if (sluice_unit_count(world->sluice) != 0)
        assert_int_equal(sluice_stop(world->sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(world->sluice), SLUICE_OK);
    assert_int_equal(model_host_pages_in_use(world->host), 0);
    assert_int_equal(model_host_objects_in_use(world->host), 0);
    assert_int_equal(model_host_violations_print(world->host), 0);
    model_host_buffer_free(world->host, world->page, 0);
    for (unsigned i = 0; i < 3; i++)
        dma_device_destroy(world->streams[i]);
    smmu3_model_destroy(world->model);
    assert_int_equal(model_host_destroy(world->host), 0);
}

static bool reads(struct world *world, unsigned stream, sluice_iova_t iova)
{
    uint8_t byte = 0;

    return dma_device_read(world->streams[stream], iova, &byte, 1, NULL) && byte == 0x5c;
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

static void function_gets_its_stream(void **state)
{
    const struct sluice_device_config config = {.rid = RID, .name = "nic"};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct world world;

    (void)state;
    world_begin(&world);
    /* Bits 7:3 count: functions of a device share a stream. */
    assert_int_equal(
        sluice_describe_pci_sources(world.sluice, &(struct sluice_pci_sources){.unit = world.unit,
                                                                               .rid_ignored = 0x7,
                                                                               .first_rid = 0,
                                                                               .last_rid = 0xf8,
                                                                               .first_id = 0x2000}),
        SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world.sluice, &config, &device), SLUICE_OK);
    domain = domain_with_page(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(reads(&world, 0, IOVA));
    assert_false(reads(&world, 1, IOVA));
    /* Another function of it, with the same stream: only into the same domain. */
    struct sluice_device *sibling;
    const struct sluice_device_config other = {.rid = RID + 1};

    assert_int_equal(sluice_device_add(world.sluice, &other, &sibling), SLUICE_OK);
    struct sluice_domain *second = domain_with_page(&world);
    assert_int_equal(sluice_domain_attach(second, sibling), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_attach(domain, sibling), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_true(reads(&world, 0, IOVA));
    assert_int_equal(sluice_device_remove(sibling), SLUICE_OK);
    assert_false(reads(&world, 0, IOVA));
    /* Nobody says what stream this one has. */
    const struct sluice_device_config far = {.rid = SLUICE_RID(1, 0, 0)};

    assert_int_equal(sluice_device_add(world.sluice, &far, &device), SLUICE_ERR_NOT_FOUND);
    assert_true(model_host_logged(world.host, "its DMA is not protected"));
    world_end(&world);
}

static void describe_named(struct world *world, const char *path, uint32_t first, uint32_t count)
{
    assert_int_equal(sluice_describe_device_sources(
                         world->sluice, &(struct sluice_device_sources){.unit = world->unit,
                                                                        .path = path,
                                                                        .first_id = first,
                                                                        .id_count = count}),
                     SLUICE_OK);
}

/* Each device is a group, unless the unit cannot tell it from another. */
static void one_id_is_one_group(void **state)
{
    const struct sluice_device_config names[] = {
        {.bus = SLUICE_BUS_PLATFORM, .path = "/one"},
        {.bus = SLUICE_BUS_PLATFORM, .path = "/two"},
        {.bus = SLUICE_BUS_PLATFORM, .path = "/three"},
        {.rid = RID},
    };
    struct sluice_group_reason reason;
    struct sluice_group_member member;
    struct sluice_device *device;
    struct world world;
    uint64_t groups[4];

    (void)state;
    world_begin(&world);
    assert_int_equal(
        sluice_describe_pci_sources(world.sluice, &(struct sluice_pci_sources){.unit = world.unit,
                                                                               .first_rid = 0,
                                                                               .last_rid = 0xff,
                                                                               .first_id = 0x100}),
        SLUICE_OK);
    describe_named(&world, "/one", 0x10, 4);
    describe_named(&world, "/two", 0x13, 2);
    describe_named(&world, "/three", 0x15, 1);
    describe_named(&world, "/three", 0x100 + RID, 1);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(sluice_device_add(world.sluice, &names[i], &device), SLUICE_OK);
        assert_int_equal(sluice_device_group(device, &groups[i]), SLUICE_OK);
    }
    assert_int_equal(sluice_device_group(device, &groups[3]), SLUICE_OK);
    assert_true(groups[0] == groups[1]);
    assert_true(groups[1] != groups[2]);
    assert_int_equal(sluice_group_count(world.sluice), 2);
    assert_int_equal(sluice_group_reason(world.sluice, groups[0], 0, &reason), SLUICE_OK);
    assert_int_equal(reason.cause, SLUICE_GROUP_SHARED_ID);
    assert_int_equal(reason.shared_id, 0x13);
    assert_int_equal(sluice_group_member(world.sluice, groups[0], 1, &member), SLUICE_OK);
    assert_true(member.is_platform && member.device != NULL);
    assert_int_equal(member.name_bytes, strlen("/two"));
    assert_memory_equal(member.name, "/two", member.name_bytes);
    assert_int_equal(sluice_group_member(world.sluice, groups[3], 0, &member), SLUICE_OK);
    assert_false(member.is_platform);
    assert_int_equal(sluice_group_member(world.sluice, groups[3], 2, &member), SLUICE_OK);
    assert_true(member.is_platform);
    world_end(&world);
}

static void device_by_name(void **state)
{
    const struct sluice_device_config by_path = {.bus = SLUICE_BUS_PLATFORM, .path = NAME};
    const struct sluice_device_config by_registers = {.bus = SLUICE_BUS_PLATFORM,
                                                      .registers = 0xfe000000};
    const struct sluice_device_config unknown = {.bus = SLUICE_BUS_PLATFORM, .path = NAME "0"};
    const struct sluice_device_config shorter = {.bus = SLUICE_BUS_PLATFORM, .path = "/soc"};
    char path[] = NAME;
    struct sluice_device_sources sources = {.path = path,
                                            .registers = 0xfe000000,
                                            .first_id = 0x300,
                                            .id_count = 2,
                                            .address_bits = 32};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct world world;

    (void)state;
    world_begin(&world);
    sources.unit = world.unit;
    assert_int_equal(sluice_describe_device_sources(world.sluice, &sources), SLUICE_OK);
    path[0] = 'X'; /* it was copied */
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world.sluice, &unknown, &device), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_add(world.sluice, &shorter, &device), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_add(world.sluice, &by_path, &device), SLUICE_OK);
    assert_int_equal(sluice_device_add(world.sluice, &by_registers, &device), SLUICE_ERR_EXISTS);
    domain = domain_with_page(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_false(reads(&world, 0, IOVA));
    assert_true(reads(&world, 1, IOVA));
    assert_true(reads(&world, 2, IOVA));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_false(reads(&world, 1, IOVA));
    assert_false(reads(&world, 2, IOVA));
    assert_int_equal(sluice_device_add(world.sluice, &by_registers, &device), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    world_end(&world);
}

/** Memory that firmware keeps for streams: theirs from the start, whoever is added or not. */
static void reserved_by_stream(void **state)
{
    struct sluice_reserved_memory memory = {.first_id = 0x300, .id_count = 2, .prot = 3};
    const struct sluice_device_sources sources = {.path = NAME, .first_id = 0x301, .id_count = 1};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = NAME};
    struct sluice_reserved_region region;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct world world;

    (void)state;
    world_begin(&world);
    memory.first = world.page.phys;
    memory.last = world.page.phys + SLUICE_PAGE_BYTES - 1;
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_OK);
    assert_int_equal(sluice_describe_device_sources(world.sluice, &sources), SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_false(reads(&world, 0, world.page.phys));
    assert_true(reads(&world, 1, world.page.phys));
    assert_true(reads(&world, 2, world.page.phys));
    assert_false(reads(&world, 1, world.page.phys + SLUICE_PAGE_BYTES));
    assert_int_equal(sluice_device_add(world.sluice, &config, &device), SLUICE_OK);
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_OK);
    assert_int_equal(region.kind, SLUICE_RESERVED_FIRMWARE);
    assert_int_equal(region.first, world.page.phys);
    domain = domain_with_page(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(reads(&world, 2, IOVA));
    assert_true(reads(&world, 2, world.page.phys));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_true(reads(&world, 2, world.page.phys));
    assert_false(reads(&world, 2, IOVA));
    world_end(&world);
}

/** A device of two streams, and memory that firmware says it uses elsewhere than where it is. */
static struct sluice_device *device_with_moved(struct world *world, sluice_phys_t phys)
{
    const struct sluice_reserved_memory memory = {.first_id = 0x300,
                                                  .id_count = 1,
                                                  .first = MOVED,
                                                  .last = MOVED + SLUICE_PAGE_BYTES - 1,
                                                  .prot = SLUICE_PROT_READ,
                                                  .moved = true,
                                                  .phys = phys};
    const struct sluice_device_sources sources = {.path = NAME, .first_id = 0x300, .id_count = 1};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = NAME};
    struct sluice_device *device;

    assert_int_equal(sluice_describe_reserved(world->sluice, &memory), SLUICE_OK);
    assert_int_equal(sluice_describe_device_sources(world->sluice, &sources), SLUICE_OK);
    assert_int_equal(sluice_start(world->sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world->sluice, &config, &device), SLUICE_OK);
    return device;
}

/** Memory in use at other addresses: there from the start and in each domain, and only there. */
static void moved_memory(void **state)
{
    const struct sluice_domain_config open = {.kind = SLUICE_DOMAIN_IDENTITY};
    struct sluice_reserved_region region;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct world world;

    (void)state;
    world_begin(&world);
    device = device_with_moved(&world, world.page.phys);
    assert_true(reads(&world, 1, MOVED));
    assert_false(reads(&world, 1, MOVED + SLUICE_PAGE_BYTES));
    assert_false(reads(&world, 1, world.page.phys));
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_OK);
    assert_int_equal(region.kind, SLUICE_RESERVED_FIRMWARE);
    assert_int_equal(region.first, MOVED);
    domain = domain_with_page(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(reads(&world, 1, IOVA));
    assert_true(reads(&world, 1, MOVED));
    assert_int_equal(
        sluice_domain_map(domain, MOVED, world.page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_create(world.sluice, &open, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_ERR_DENIED);
    assert_true(reads(&world, 1, MOVED));
    assert_false(reads(&world, 1, world.page.phys));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    world_end(&world);
}

/** Describes addresses that stream 0x300 keeps free, and adds the device that has it. */
static struct sluice_device *device_keeping_free(struct world *world, sluice_iova_t first,
                                                 sluice_iova_t last)
{
    const struct sluice_reserved_memory memory = {
        .first_id = 0x300, .id_count = 1, .first = first, .last = last};
    const struct sluice_device_sources sources = {.path = NAME, .first_id = 0x300, .id_count = 1};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = NAME};
    struct sluice_device *device;

    assert_int_equal(sluice_describe_reserved(world->sluice, &memory), SLUICE_OK);
    assert_int_equal(sluice_describe_device_sources(world->sluice, &sources), SLUICE_OK);
    assert_int_equal(sluice_start(world->sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world->sluice, &config, &device), SLUICE_OK);
    return device;
}

/** Addresses kept free are nobody's: not a caller's, not the DMA API's, not the device's. */
static void addresses_kept_free(void **state)
{
    const struct sluice_domain_config dma_domain = {.kind = SLUICE_DOMAIN_DMA};
    const struct sluice_assignment user = {.mode = SLUICE_ISOLATION_STRICT, .user = true};
    struct sluice_reserved_region region;
    struct sluice_dma_config dma_config = {.address_bits = 32};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_dma *dma;
    struct world world;
    sluice_iova_t iova;

    (void)state;
    world_begin(&world);
    /* All that 32 bits can say, but for 64 KiB. */
    device = device_keeping_free(&world, 0x10000, UINT32_MAX);
    assert_false(reads(&world, 1, 0x10000));
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_OK);
    assert_int_equal(region.kind, SLUICE_RESERVED_SPECIAL);
    assert_int_equal(region.first, 0x10000);
    assert_int_equal(region.last, UINT32_MAX);
    assert_int_equal(sluice_domain_create(world.sluice, &dma_domain, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(
        sluice_domain_map(domain, 0x20000, world.page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_ERR_DENIED);
    dma_config.device = device;
    assert_int_equal(sluice_dma_open(world.sluice, &dma_config, &dma), SLUICE_OK);
    assert_int_equal(
        sluice_dma_map(dma, world.page.phys, SLUICE_PAGE_BYTES, SLUICE_DMA_TO_DEVICE, NULL, &iova),
        SLUICE_OK);
    assert_true(iova < 0x10000);
    assert_true(reads(&world, 1, iova));
    assert_int_equal(sluice_dma_unmap(dma, iova, SLUICE_PAGE_BYTES, SLUICE_DMA_TO_DEVICE, NULL),
                     SLUICE_OK);
    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    /* It is no memory of firmware's: a user may have the device, but not the addresses. */
    assert_int_equal(sluice_device_assign(device, &user, &domain), SLUICE_OK);
    assert_int_equal(
        sluice_domain_map(domain, 0x20000, world.page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_ERR_DENIED);
    assert_int_equal(sluice_device_release(device), SLUICE_OK);
    world_end(&world);
}

/** What others of the domain have mapped there keeps the device out; so does too much to look at.
 */
static void kept_free_too_late(void **state)
{
    const struct sluice_domain_config kind = {.kind = SLUICE_DOMAIN_UNMANAGED};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct world world;

    (void)state;
    world_begin(&world);
    device = device_keeping_free(&world, IOVA, IOVA + 2 * SLUICE_PAGE_BYTES - 1);
    domain = domain_with_page(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_ERR_EXISTS);
    assert_false(reads(&world, 1, IOVA));
    world_end(&world);

    world_begin(&world);
    device = device_keeping_free(&world, 0x100000000, 0x8000000000 - 1);
    domain = domain_with_page(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_ERR_NO_SPACE);
    assert_int_equal(sluice_domain_create(world.sluice, &kind, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, 0x4000000000, world.page.phys, SLUICE_PAGE_BYTES,
                                       SLUICE_PROT_READ),
                     SLUICE_ERR_DENIED);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    world_end(&world);
}

/** Firmware says 28 bits, and that caches are not snooped; the driver asks for 64 and nothing. */
static enum sluice_status open_limited(struct world *world, struct sluice_dma **out)
{
    const struct sluice_device_sources sources = {.path = NAME,
                                                  .first_id = 0x300,
                                                  .id_count = 1,
                                                  .address_bits = 28,
                                                  .coherence = SLUICE_COHERENCE_NO};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = NAME};
    const struct sluice_domain_config dma_domain = {.kind = SLUICE_DOMAIN_DMA};
    struct sluice_dma_config dma_config = {.address_bits = 64};
    struct sluice_domain *domain;

    assert_int_equal(sluice_describe_device_sources(world->sluice, &sources), SLUICE_OK);
    assert_int_equal(sluice_start(world->sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world->sluice, &config, &dma_config.device), SLUICE_OK);
    world->limited = dma_config.device;
    assert_int_equal(sluice_domain_create(world->sluice, &dma_domain, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, dma_config.device), SLUICE_OK);
    return sluice_dma_open(world->sluice, &dma_config, out);
}

static void finish_limited(struct world *world)
{
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = NAME};
    struct sluice_device *device;

    /* Known already: nothing here keeps it, and stop takes it away when it is in no domain. */
    assert_int_equal(sluice_device_add(world->sluice, &config, &device), SLUICE_ERR_EXISTS);
    assert_int_equal(sluice_domain_detach(world->limited), SLUICE_OK);
    world_end(world);
}

static void limits_on_the_way(void **state)
{
    struct sluice_dma *dma;
    struct world world;

    (void)state;
    world_begin_on(&world, true);
    assert_int_equal(open_limited(&world, &dma), SLUICE_OK);
    for (unsigned i = 0; i < 4; i++) {
        sluice_iova_t address;

        memset(world.page.virt, 0x5c, SLUICE_PAGE_BYTES); /* in the CPU's cache only */
        assert_int_equal(
            sluice_dma_map(dma, world.page.phys, 64, SLUICE_DMA_TO_DEVICE, NULL, &address),
            SLUICE_OK);
        assert_true(address + 64 <= (sluice_iova_t)1 << 28);
        assert_true(reads(&world, 1, address));
        assert_int_equal(sluice_dma_unmap(dma, address, 64, SLUICE_DMA_TO_DEVICE, NULL), SLUICE_OK);
    }
    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    finish_limited(&world);
    /* A host that cannot clean caches is not left with a device that would read stale memory. */
    world_begin_on(&world, false);
    assert_int_equal(open_limited(&world, &dma), SLUICE_ERR_UNSUPPORTED);
    finish_limited(&world);
}

static void refusals(void **state)
{
    const struct sluice_pci_sources good = {.first_rid = 0x10, .last_rid = 0x1f, .first_id = 7};
    const struct sluice_device_sources device = {.path = NAME, .id_count = 1};
    const struct sluice_reserved_memory memory = {.id_count = 1, .last = 0xfff, .prot = 1};
    struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3, .base = 0x5000000};
    struct sluice_device_sources bad_device;
    struct sluice_reserved_memory bad_memory;
    struct sluice_pci_sources bad;
    char long_path[SLUICE_DEVICE_PATH_BYTES + 2];
    struct world world;
    unsigned number;

    (void)state;
    world_begin(&world);
    unit.kind = SLUICE_UNIT_KIND_COUNT;
    assert_int_equal(sluice_describe_unit(world.sluice, &unit, &number), SLUICE_ERR_INVALID);
    unit.kind = SLUICE_UNIT_SMMU_V3;
    unit.base = smmu3_model_defaults().base;
    assert_int_equal(sluice_describe_unit(world.sluice, &unit, &number), SLUICE_ERR_EXISTS);
    unit.base = 0;
    assert_int_equal(sluice_describe_unit(world.sluice, &unit, &number), SLUICE_ERR_INVALID);

    assert_int_equal(sluice_describe_pci_sources(world.sluice, &good), SLUICE_OK);
    bad = good;
    bad.first_rid = 0x1f;
    bad.last_rid = 0x20;
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_ERR_EXISTS);
    bad.segment = 1;
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_OK);
    bad.unit = 1;
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_ERR_NOT_FOUND);
    bad.first_rid = 0x21;
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_ERR_INVALID);
    bad = (struct sluice_pci_sources){.last_rid = 1, .first_id = UINT32_MAX};
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_ERR_INVALID);
    bad = (struct sluice_pci_sources){.rid_ignored = 0x7, .last_rid = 1};
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_ERR_INVALID);

    bad_device = device;
    bad_device.id_count = SLUICE_DEVICE_IDS_MAX + 1;
    assert_int_equal(sluice_describe_device_sources(world.sluice, &bad_device), SLUICE_ERR_INVALID);
    bad_device = device;
    bad_device.path = NULL;
    assert_int_equal(sluice_describe_device_sources(world.sluice, &bad_device), SLUICE_ERR_INVALID);
    memset(long_path, 'a', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = 0;
    bad_device.path = long_path;
    assert_int_equal(sluice_describe_device_sources(world.sluice, &bad_device), SLUICE_ERR_INVALID);
    bad_device = device;
    bad_device.unit = 9;
    assert_int_equal(sluice_describe_device_sources(world.sluice, &bad_device),
                     SLUICE_ERR_NOT_FOUND);

    bad_memory = memory;
    bad_memory.prot = SLUICE_PROT_EXEC;
    assert_int_equal(sluice_describe_reserved(world.sluice, &bad_memory), SLUICE_ERR_INVALID);
    bad_memory = memory;
    bad_memory.first = 0x1000;
    assert_int_equal(sluice_describe_reserved(world.sluice, &bad_memory), SLUICE_ERR_INVALID);
    bad_memory = memory;
    bad_memory.moved = true;
    bad_memory.phys = 0x10800; /* in the middle of a page */
    assert_int_equal(sluice_describe_reserved(world.sluice, &bad_memory), SLUICE_ERR_INVALID);
    bad_memory.last = SLUICE_PAGE_BYTES;
    bad_memory.phys = UINT64_MAX & ~(SLUICE_PAGE_BYTES - 1); /* past the last address */
    assert_int_equal(sluice_describe_reserved(world.sluice, &bad_memory), SLUICE_ERR_INVALID);
    bad_memory.phys = 0x10000;
    bad_memory.prot = 0; /* moved, and nothing */
    assert_int_equal(sluice_describe_reserved(world.sluice, &bad_memory), SLUICE_ERR_INVALID);
    bad_memory = memory;
    bad_memory.unit = 1;
    assert_int_equal(sluice_describe_reserved(world.sluice, &bad_memory), SLUICE_ERR_NOT_FOUND);

    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    unit.base = 0x5000000;
    assert_int_equal(sluice_describe_unit(world.sluice, &unit, &number), SLUICE_ERR_STATE);
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_ERR_INVALID);
    bad = good;
    assert_int_equal(sluice_describe_pci_sources(world.sluice, &bad), SLUICE_ERR_STATE);
    assert_int_equal(sluice_describe_device_sources(world.sluice, &device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_ERR_STATE);
    world_end(&world);
}

/** A device behind two units is refused; it would be protected by one and open to the other. */
static void two_units(void **state)
{
    const struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3, .base = 0x5000000};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = NAME};
    struct sluice_device_sources sources = {.path = NAME, .first_id = 1, .id_count = 1};
    struct smmu3_model_config model = smmu3_model_defaults();
    const struct sluice_device_sources named = {
        .unit = 1, .path = "/soc/other", .first_id = 0x300, .id_count = 1};
    const struct sluice_device_config second = {.bus = SLUICE_BUS_PLATFORM, .path = "/soc/other"};
    struct sluice_reserved_memory memory = {.first_id = 0x300, .id_count = 1, .prot = 1};
    struct sluice_reserved_region region;
    struct smmu3_model *other;
    struct dma_device *stream;
    struct sluice_device *device;
    struct world world;
    uint8_t byte;

    (void)state;
    world_begin(&world);
    model.base = unit.base;
    other = smmu3_model_create(world.host, &model);
    stream = dma_device_create_on(world.host, &smmu3_model_ops, other, 0x300, false);
    assert_int_equal(sluice_describe_device_sources(world.sluice, &sources), SLUICE_OK);
    assert_int_equal(sluice_describe_unit(world.sluice, &unit, &sources.unit), SLUICE_OK);
    assert_int_equal(sources.unit, 1);
    assert_int_equal(sluice_describe_device_sources(world.sluice, &sources), SLUICE_OK);
    /* Memory for stream 0x300 of the first: not for the same number of the second. */
    memory.first = world.page.phys;
    memory.last = world.page.phys + SLUICE_PAGE_BYTES - 1;
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_OK);
    memory.unit = sources.unit;
    memory.first_id = 0x555;
    memory.first += 0x100000;
    memory.last += 0x100000;
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_OK);
    assert_int_equal(sluice_describe_device_sources(world.sluice, &named), SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world.sluice, &config, &device), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(sluice_device_add(world.sluice, &second, &device), SLUICE_OK);
    assert_true(reads(&world, 1, world.page.phys));
    assert_false(dma_device_read(stream, world.page.phys, &byte, 1, NULL));
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_stop(world.sluice), SLUICE_OK);
    dma_device_destroy(stream);
    smmu3_model_destroy(other);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(function_gets_its_stream),
        cmocka_unit_test(one_id_is_one_group),
        cmocka_unit_test(device_by_name),
        cmocka_unit_test(reserved_by_stream),
        cmocka_unit_test(moved_memory),
        cmocka_unit_test(addresses_kept_free),
        cmocka_unit_test(kept_free_too_late),
        cmocka_unit_test(limits_on_the_way),
        cmocka_unit_test(refusals),
        cmocka_unit_test(two_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
