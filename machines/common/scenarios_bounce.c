// SPDX-License-Identifier: MIT
/*
 * The DMA API while no IOMMU translates: buffers that a device cannot address are copied.
 */
#include "dma_lab.h"

#include "pages.h"

#define ROUNDS     6u
#define EDU_BYTES  1000u
#define EDU_OFFSET 0x123u

static void check_bounced(struct lab *lab, const struct lab_dma *dma)
{
    struct sluice_dma_bounce_info bounce;
    struct sluice_dma_info info;
    sluice_dma_info(dma->handle, &info);
    sluice_dma_bounce_info(lab->sluice, &bounce);
    check(info.bounced > 0 && bounce.used_bytes == 0,
          "%lu mappings went through bounce memory, %lu KiB at most at once of %lu KiB held; none "
          "does now",
          info.bounced, bounce.used_most >> 10, bounce.bytes >> 10);
}

static void bounce_disk(struct lab *lab)
{
    const struct sluice_dma_config config = {.address_bits = 32, .name = "disk"};
    static struct nvme nvme;
    struct lab_dma dma;
    struct page memory = lab_high_page(lab, TRAFFIC_LG2);
    if (!lab_dma_open(lab, &config, &dma))
        return;
    say("a disk that is taken to reach 32 bits of addresses; the buffers lie at 0x%lx",
        memory.phys);
    if (traffic_with_disk(lab, &dma, &nvme, memory, ROUNDS))
        check_bounced(lab, &dma);
    nvme_close(&nvme);
}

static void run_disk(struct lab *lab)
{
    if (lab->nvme == NULL) {
        skip("the machine has no NVMe disk");
        return;
    }
    if (!check(lab_create(lab) == SLUICE_OK, "an instance that guards nothing is enough"))
        return;
    bounce_disk(lab);
    check(lab_release(lab) && sluice_destroy(lab->sluice) == SLUICE_OK, "all is given back");
    lab->sluice = NULL;
}

static bool bounce_edu(struct lab *lab, struct lab_dma *dma)
{
    struct edu *edu = lab->plain;
    struct page page = lab_high_page(lab, 0);
    sluice_iova_t address;
    fill_pattern(page.virt + EDU_OFFSET, EDU_BYTES, 7);
    uint64_t phys = page.phys + EDU_OFFSET;
    enum sluice_status status =
        sluice_dma_map(dma->handle, phys, EDU_BYTES, SLUICE_DMA_TO_DEVICE, SLUICE_HERE, &address);
    if (!check(status == SLUICE_OK, "a buffer at 0x%lx is mapped: %s", phys,
               sluice_status_text(status)))
        return false;
    check(address + EDU_BYTES <= 1ull << lab->plain_bits,
          "the device is given 0x%lx, which it reaches", address);
    check(edu_copy(edu, EDU_FROM_MEMORY, address, 0, EDU_BYTES), "it reads the buffer");
    status = sluice_dma_unmap(dma->handle, address, EDU_BYTES, SLUICE_DMA_TO_DEVICE, SLUICE_HERE);
    fill_pattern(page.virt, MACHINE_PAGE_BYTES, 8);
    if (status == SLUICE_OK)
        status = sluice_dma_map(dma->handle, phys, EDU_BYTES, SLUICE_DMA_FROM_DEVICE, SLUICE_HERE,
                                &address);
    check(status == SLUICE_OK && edu_copy(edu, EDU_TO_MEMORY, address, 0, EDU_BYTES),
          "and writes it back");
    status = sluice_dma_unmap(dma->handle, address, EDU_BYTES, SLUICE_DMA_FROM_DEVICE, SLUICE_HERE);
    bool same = status == SLUICE_OK && has_pattern(page.virt + EDU_OFFSET, EDU_BYTES, 7);
    return check(same && has_pattern(page.virt, EDU_OFFSET, 8),
                 "the buffer holds what it held at first, and the bytes before it are untouched");
}

static void run_edu(struct lab *lab)
{
    const struct sluice_dma_config config = {.address_bits = lab->plain_bits, .name = "edu"};
    struct lab_dma dma;
    if (lab->plain == NULL) {
        skip("the machine has no edu device");
        return;
    }
    if (!check(lab_create(lab) == SLUICE_OK, "an instance that guards nothing is enough"))
        return;
    if (lab_dma_open(lab, &config, &dma) && bounce_edu(lab, &dma))
        check_bounced(lab, &dma);
    check(lab_release(lab) && sluice_destroy(lab->sluice) == SLUICE_OK, "all is given back");
    lab->sluice = NULL;
}

const struct scenario scenarios_bounce[] = {
    {"bounce-disk", "A disk works with memory beyond its reach", run_disk},
    {"bounce-edu", "So does a device of few address bits", run_edu},
    {NULL, NULL, NULL},
};
