// SPDX-License-Identifier: MIT
/*
 * Memory that somebody says a stream uses already, at its own addresses or at others, and addresses
 * that are to be kept free: judged by what the stream reaches, from start on and in each domain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "described_world.h"

#define MOVED ((sluice_iova_t)0x70000000)

/** Memory that firmware keeps for streams: theirs from the start, whoever is added or not. */
static void reserved_by_stream(void **state)
{
    struct sluice_reserved_memory memory = {.first_id = 0x300, .id_count = 2, .prot = 3};
    const struct sluice_device_sources sources = {
        .path = DESCRIBED_NAME, .first_id = 0x301, .id_count = 1};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = DESCRIBED_NAME};
    struct sluice_reserved_region region;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct described world;

    (void)state;
    described_begin(&world);
    memory.first = world.page.phys;
    memory.last = world.page.phys + SLUICE_PAGE_BYTES - 1;
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_OK);
    assert_int_equal(sluice_describe_device_sources(world.sluice, &sources), SLUICE_OK);
    assert_int_equal(sluice_start(world.sluice), SLUICE_OK);
    assert_false(described_reads(&world, 0, world.page.phys));
    assert_true(described_reads(&world, 1, world.page.phys));
    assert_true(described_reads(&world, 2, world.page.phys));
    assert_false(described_reads(&world, 1, world.page.phys + SLUICE_PAGE_BYTES));
    assert_int_equal(sluice_device_add(world.sluice, &config, &device), SLUICE_OK);
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_OK);
    assert_int_equal(region.kind, SLUICE_RESERVED_FIRMWARE);
    assert_int_equal(region.first, world.page.phys);
    domain = described_domain(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(described_reads(&world, 2, DESCRIBED_IOVA));
    assert_true(described_reads(&world, 2, world.page.phys));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_true(described_reads(&world, 2, world.page.phys));
    assert_false(described_reads(&world, 2, DESCRIBED_IOVA));
    described_end(&world);
}

/** A device of two streams, and memory that firmware says it uses elsewhere than where it is. */
static struct sluice_device *device_with_moved(struct described *world, sluice_phys_t phys)
{
    const struct sluice_reserved_memory memory = {.first_id = 0x300,
                                                  .id_count = 1,
                                                  .first = MOVED,
                                                  .last = MOVED + SLUICE_PAGE_BYTES - 1,
                                                  .prot = SLUICE_PROT_READ,
                                                  .moved = true,
                                                  .phys = phys};
    const struct sluice_device_sources sources = {
        .path = DESCRIBED_NAME, .first_id = 0x300, .id_count = 1};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = DESCRIBED_NAME};
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
    struct described world;

    (void)state;
    described_begin(&world);
    device = device_with_moved(&world, world.page.phys);
    assert_true(described_reads(&world, 1, MOVED));
    assert_false(described_reads(&world, 1, MOVED + SLUICE_PAGE_BYTES));
    assert_false(described_reads(&world, 1, world.page.phys));
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_OK);
    assert_int_equal(region.kind, SLUICE_RESERVED_FIRMWARE);
    assert_int_equal(region.first, MOVED);
    domain = described_domain(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(described_reads(&world, 1, DESCRIBED_IOVA));
    assert_true(described_reads(&world, 1, MOVED));
    assert_int_equal(
        sluice_domain_map(domain, MOVED, world.page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_create(world.sluice, &open, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_ERR_DENIED);
    assert_true(described_reads(&world, 1, MOVED));
    assert_false(described_reads(&world, 1, world.page.phys));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    described_end(&world);
}

/** Describes addresses that stream 0x300 keeps free, and adds the device that has it. */
static struct sluice_device *device_keeping_free(struct described *world, sluice_iova_t first,
                                                 sluice_iova_t last)
{
    const struct sluice_reserved_memory memory = {
        .first_id = 0x300, .id_count = 1, .first = first, .last = last};
    const struct sluice_device_sources sources = {
        .path = DESCRIBED_NAME, .first_id = 0x300, .id_count = 1};
    const struct sluice_device_config config = {.bus = SLUICE_BUS_PLATFORM, .path = DESCRIBED_NAME};
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
    struct described world;
    sluice_iova_t iova;

    (void)state;
    described_begin(&world);
    /* All that 32 bits can say, but for 64 KiB. */
    device = device_keeping_free(&world, 0x10000, UINT32_MAX);
    assert_false(described_reads(&world, 1, 0x10000));
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
    assert_true(described_reads(&world, 1, iova));
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
    described_end(&world);
}

/** What others of the domain have mapped there keeps the device out; so does too much to look at.
 */
static void kept_free_too_late(void **state)
{
    const struct sluice_domain_config kind = {.kind = SLUICE_DOMAIN_UNMANAGED};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct described world;

    (void)state;
    described_begin(&world);
    device =
        device_keeping_free(&world, DESCRIBED_IOVA, DESCRIBED_IOVA + 2 * SLUICE_PAGE_BYTES - 1);
    domain = described_domain(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_ERR_EXISTS);
    assert_false(described_reads(&world, 1, DESCRIBED_IOVA));
    described_end(&world);

    described_begin(&world);
    device = device_keeping_free(&world, 0x100000000, 0x8000000000 - 1);
    domain = described_domain(&world);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_ERR_NO_SPACE);
    assert_int_equal(sluice_domain_create(world.sluice, &kind, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, 0x4000000000, world.page.phys, SLUICE_PAGE_BYTES,
                                       SLUICE_PROT_READ),
                     SLUICE_ERR_DENIED);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    described_end(&world);
}

/* More than is kept mapped for anybody; addresses that are only kept free may be as many. */
static void too_much(void **state)
{
    struct sluice_reserved_memory memory = {.first_id = 0x300,
                                            .id_count = 1,
                                            .first = 0x100000000,
                                            .last = 0x100000000 + SLUICE_RESERVED_BYTES_MAX,
                                            .prot = SLUICE_PROT_READ};
    struct described world;

    (void)state;
    described_begin(&world);
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_ERR_FIRMWARE);
    assert_true(model_host_logged(world.host, "reserved memory 0x100000000-0x500000000 is more"));
    memory.prot = 0;
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_OK);
    memory.prot = SLUICE_PROT_READ;
    memory.last--;
    assert_int_equal(sluice_describe_reserved(world.sluice, &memory), SLUICE_OK);
    described_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_by_stream), cmocka_unit_test(too_much),
        cmocka_unit_test(moved_memory),       cmocka_unit_test(addresses_kept_free),
        cmocka_unit_test(kept_free_too_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
