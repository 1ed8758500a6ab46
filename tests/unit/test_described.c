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

#include "described_world.h"

static void function_gets_its_stream(void **state)
{
    const struct sluice_device_config config = {.rid = DESCRIBED_RID, .name = "nic"};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct described world;

    (void)state;
    described_begin(&world);
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
    domain = described_domain(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(described_reads(&world, 0, DESCRIBED_IOVA));
    assert_false(described_reads(&world, 1, DESCRIBED_IOVA));
    /* Another function of it, with the same stream: only into the same domain. */
    struct sluice_device *sibling;
    const struct sluice_device_config other = {.rid = DESCRIBED_RID + 1};

    assert_int_equal(sluice_device_add(world.sluice, &other, &sibling), SLUICE_OK);
    struct sluice_domain *second = described_domain(&world);
    assert_int_equal(sluice_domain_attach(second, sibling), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_attach(domain, sibling), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_true(described_reads(&world, 0, DESCRIBED_IOVA));
    assert_int_equal(sluice_device_remove(sibling), SLUICE_OK);
    assert_false(described_reads(&world, 0, DESCRIBED_IOVA));
    /* Nobody says what stream this one has. */
    const struct sluice_device_config far = {.rid = SLUICE_RID(1, 0, 0)};

    assert_int_equal(sluice_device_add(world.sluice, &far, &device), SLUICE_ERR_NOT_FOUND);
    assert_true(model_host_logged(world.host, "its DMA is not protected"));
    described_end(&world);
}

/** One stream is one domain, also where no configuration space tells of groups. */
static void shared_stream_unseen(void **state)
{
    const struct sluice_device_config configs[] = {{.rid = DESCRIBED_RID},
                                                   {.rid = DESCRIBED_RID + 1}};
    struct sluice_domain *domains[2];
    struct sluice_device *devices[2];
    struct sluice_config config = {0};
    struct sluice_host_ops ops;
    struct described world;

    (void)state;
    described_build(&world, false);
    model_host_configure(world.host, &config);
    ops = *config.ops;
    ops.pci_read = NULL;
    ops.pci_write = NULL;
    config.ops = &ops;
    described_create(&world, &config);
    assert_int_equal(
        sluice_describe_pci_sources(world.sluice, &(struct sluice_pci_sources){.unit = world.unit,
                                                                               .rid_ignored = 0x7,
                                                                               .last_rid = 0xf8,
                                                                               .first_id = 0x2000}),
        SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sluice_device_add(world.sluice, &configs[i], &devices[i]), SLUICE_OK);
        domains[i] = described_domain(&world);
    }
    assert_int_equal(sluice_domain_attach(domains[0], devices[0]), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domains[1], devices[1]), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_unmap(domains[0], DESCRIBED_IOVA, SLUICE_PAGE_BYTES, NULL),
                     SLUICE_OK);
    assert_false(described_reads(&world, 0, DESCRIBED_IOVA));
    assert_int_equal(sluice_device_remove(devices[0]), SLUICE_OK);
    assert_int_equal(sluice_device_remove(devices[1]), SLUICE_OK);
    described_end(&world);
}

static void describe_named(struct described *world, const char *path, uint32_t first,
                           uint32_t count)
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
        {.rid = DESCRIBED_RID},
    };
    struct sluice_group_reason reason;
    struct sluice_group_member member;
    struct sluice_device *device;
    struct described world;
    uint64_t groups[4];

    (void)state;
    described_begin(&world);
    assert_int_equal(
        sluice_describe_pci_sources(world.sluice, &(struct sluice_pci_sources){.unit = world.unit,
                                                                               .first_rid = 0,
                                                                               .last_rid = 0xff,
                                                                               .first_id = 0x100}),
        SLUICE_OK);
    describe_named(&world, "/one", 0x10, 4);
    describe_named(&world, "/two", 0x13, 2);
    describe_named(&world, "/three", 0x15, 1);
    describe_named(&world, "/three", 0x100 + DESCRIBED_RID, 1);
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
    described_end(&world);
}

static void device_by_name(void **state)
{
    const struct sluice_device_config by_path = {.bus = SLUICE_BUS_PLATFORM,
                                                 .path = DESCRIBED_NAME};
    const struct sluice_device_config by_registers = {.bus = SLUICE_BUS_PLATFORM,
                                                      .registers = 0xfe000000};
    const struct sluice_device_config unknown = {.bus = SLUICE_BUS_PLATFORM,
                                                 .path = DESCRIBED_NAME "0"};
    const struct sluice_device_config shorter = {.bus = SLUICE_BUS_PLATFORM, .path = "/soc"};
    char path[] = DESCRIBED_NAME;
    struct sluice_device_sources sources = {.path = path,
                                            .registers = 0xfe000000,
                                            .first_id = 0x300,
                                            .id_count = 2,
                                            .address_bits = 32};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct described world;

    (void)state;
    described_begin(&world);
    sources.unit = world.unit;
    assert_int_equal(sluice_describe_device_sources(world.sluice, &sources), SLUICE_OK);
    path[0] = 'X'; /* it was copied */
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(world.sluice, &unknown, &device), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_add(world.sluice, &shorter, &device), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_add(world.sluice, &by_path, &device), SLUICE_OK);
    assert_int_equal(sluice_device_add(world.sluice, &by_registers, &device), SLUICE_ERR_EXISTS);
    domain = described_domain(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_false(described_reads(&world, 0, DESCRIBED_IOVA));
    assert_true(described_reads(&world, 1, DESCRIBED_IOVA));
    assert_true(described_reads(&world, 2, DESCRIBED_IOVA));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_false(described_reads(&world, 1, DESCRIBED_IOVA));
    assert_false(described_reads(&world, 2, DESCRIBED_IOVA));
    assert_int_equal(sluice_device_add(world.sluice, &by_registers, &device), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    described_end(&world);
}

/** Firmware says 28 bits, and that caches are not snooped; the driver asks for 64 and nothing. */
static enum sluice_status open_limited(struct described *world, struct sluice_dma **out)
{
    const struct sluice_device_sources sources = {.path = DESCRIBED_NAME,
                                                  .first_id = 0x300,
                                                  .id_count = 1,
                                                  .address_bits = 28,
                                                  .coherence = SLUICE_COHERENCE_NO};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = DESCRIBED_NAME};
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

static void finish_limited(struct described *world)
{
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = DESCRIBED_NAME};
    struct sluice_device *device;

    /* Known already: nothing here keeps it, and stop takes it away when it is in no domain. */
    assert_int_equal(sluice_device_add(world->sluice, &config, &device), SLUICE_ERR_EXISTS);
    assert_int_equal(sluice_domain_detach(world->limited), SLUICE_OK);
    described_end(world);
}

static void limits_on_the_way(void **state)
{
    struct sluice_dma *dma;
    struct described world;

    (void)state;
    described_begin_on(&world, true);
    assert_int_equal(open_limited(&world, &dma), SLUICE_OK);
    for (unsigned i = 0; i < 4; i++) {
        sluice_iova_t address;

        memset(world.page.virt, 0x5c, SLUICE_PAGE_BYTES); /* in the CPU's cache only */
        assert_int_equal(
            sluice_dma_map(dma, world.page.phys, 64, SLUICE_DMA_TO_DEVICE, NULL, &address),
            SLUICE_OK);
        assert_true(address + 64 <= (sluice_iova_t)1 << 28);
        assert_true(described_reads(&world, 1, address));
        assert_int_equal(sluice_dma_unmap(dma, address, 64, SLUICE_DMA_TO_DEVICE, NULL), SLUICE_OK);
    }
    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    finish_limited(&world);
    /* A host that cannot clean caches is not left with a device that would read stale memory. */
    described_begin_on(&world, false);
    assert_int_equal(open_limited(&world, &dma), SLUICE_ERR_UNSUPPORTED);
    finish_limited(&world);
}

static void refusals(void **state)
{
    const struct sluice_pci_sources good = {.first_rid = 0x10, .last_rid = 0x1f, .first_id = 7};
    const struct sluice_device_sources device = {.path = DESCRIBED_NAME, .id_count = 1};
    const struct sluice_reserved_memory memory = {.id_count = 1, .last = 0xfff, .prot = 1};
    struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3, .base = 0x5000000};
    struct sluice_device_sources bad_device;
    struct sluice_reserved_memory bad_memory;
    struct sluice_pci_sources bad;
    char long_path[SLUICE_DEVICE_PATH_BYTES + 2];
    struct described world;
    unsigned number;

    (void)state;
    described_begin(&world);
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
    described_end(&world);
}

/** A device behind two units is refused; it would be protected by one and open to the other. */
static void two_units(void **state)
{
    const struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3, .base = 0x5000000};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = DESCRIBED_NAME};
    struct sluice_device_sources sources = {.path = DESCRIBED_NAME, .first_id = 1, .id_count = 1};
    struct smmu3_model_config model = smmu3_model_defaults();
    const struct sluice_device_sources named = {
        .unit = 1, .path = "/soc/other", .first_id = 0x300, .id_count = 1};
    const struct sluice_device_config second = {.bus = SLUICE_BUS_PLATFORM, .path = "/soc/other"};
    struct sluice_reserved_memory memory = {.first_id = 0x300, .id_count = 1, .prot = 1};
    struct sluice_reserved_region region;
    struct smmu3_model *other;
    struct dma_device *stream;
    struct sluice_device *device;
    struct described world;
    uint8_t byte;

    (void)state;
    described_begin(&world);
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
    assert_true(described_reads(&world, 1, world.page.phys));
    assert_false(dma_device_read(stream, world.page.phys, &byte, 1, NULL));
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_stop(world.sluice), SLUICE_OK);
    dma_device_destroy(stream);
    smmu3_model_destroy(other);
    described_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(function_gets_its_stream),
        cmocka_unit_test(shared_stream_unseen),
        cmocka_unit_test(one_id_is_one_group),
        cmocka_unit_test(device_by_name),
        cmocka_unit_test(limits_on_the_way),
        cmocka_unit_test(refusals),
        cmocka_unit_test(two_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
