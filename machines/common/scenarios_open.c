// SPDX-License-Identifier: MIT
/*
 * What devices can do when nothing guards memory: the comparison for everything that follows, and
 * the proof that the machine's drivers work by themselves.
 */
#include "arch.h"
#include "lab.h"
#include "pages.h"
#include "print.h"

#define COPY_BYTES 512u
#define RNG_BYTES  256u
#define NVME_PAGES 5u
#define TEST_LBA   64u

static void run_reach(struct lab *lab)
{
    char text[16];
    uint64_t given, secret;
    if (lab->edu_count == 0) {
        skip("the machine has no edu device");
        return;
    }
    struct edu *edu = &lab->edus[0];
    if (!machine_pages_alloc(0, MACHINE_PAGES_LOW, &given) ||
        !machine_pages_alloc(0, MACHINE_PAGES_LOW, &secret)) {
        check(false, "there is memory for two pages");
        return;
    }
    uint8_t *given_virt = arch_phys_to_virt(given), *secret_virt = arch_phys_to_virt(secret);
    fill_pattern(given_virt, COPY_BYTES, 1);
    fill_pattern(secret_virt, COPY_BYTES, 2);
    say("device %s is given the page at 0x%lx, and nothing else", device_text(edu->pci, text),
        given);
    check(edu_copy(edu, EDU_FROM_MEMORY, given, 0, COPY_BYTES), "it reads that page");
    say("it then writes what it read to 0x%lx, a page that belongs to somebody else", secret);
    check(edu_copy(edu, EDU_TO_MEMORY, secret, 0, COPY_BYTES), "it is not stopped");
    check(has_pattern(secret_virt, COPY_BYTES, 1), "the page at 0x%lx was overwritten", secret);
    machine_pages_free(given, 0);
    machine_pages_free(secret, 0);
}

static void run_interrupt(struct lab *lab)
{
    uint64_t page;
    struct edu *edu = &lab->edus[0];
    if (lab->edu_count == 0 || !edu->has_irq) {
        skip("no edu device with an interrupt");
        return;
    }
    if (!machine_pages_alloc(0, MACHINE_PAGES_LOW, &page)) {
        check(false, "there is memory for a page");
        return;
    }
    uint64_t before = edu->interrupts, deadline = arch_now_ns() + 1000000000ull;
    check(edu_start(edu, EDU_FROM_MEMORY, page, 0, COPY_BYTES, true) && edu_wait(edu),
          "a copy with an interrupt at its end completes");
    while (edu->interrupts == before && arch_now_ns() < deadline)
        arch_pause();
    check(edu->interrupts == before + 1, "its message-signalled interrupt arrived once");
    machine_pages_free(page, 0);
}

static void run_random(struct lab *lab)
{
    struct virtio_rng rng;
    struct machine_buffer buffer;
    uint32_t bytes = 0;
    if (lab->rng == NULL) {
        skip("the machine has no virtio-rng device");
        return;
    }
    if (!check(virtio_rng_open(&rng, lab->rng, &machine_dma_direct), "its queue starts"))
        return;
    if (machine_buffer_alloc(rng.dma, RNG_BYTES, MACHINE_DMA_WRITE, &buffer)) {
        check(virtio_rng_offer(&rng, buffer.bus, RNG_BYTES) &&
                  virtio_rng_wait(&rng, 2000000000ull, &bytes),
              "it answers a request for %u random bytes", RNG_BYTES);
        check(bytes > 0 && !all_bytes(buffer.virt, bytes, 0), "%u bytes arrived at 0x%lx", bytes,
              buffer.phys);
        (void)machine_buffer_free(rng.dma, &buffer);
    }
    virtio_rng_close(&rng);
}

static void run_disk(struct lab *lab)
{
    struct nvme nvme;
    uint64_t pages[NVME_PAGES], sums[NVME_PAGES];
    if (lab->nvme == NULL) {
        skip("the machine has no NVMe disk");
        return;
    }
    if (!check(nvme_open(&nvme, lab->nvme, &machine_dma_direct), "the controller starts"))
        return;
    say("it has %lu blocks of %u bytes", nvme.blocks, nvme.block_bytes);
    for (unsigned i = 0; i < NVME_PAGES; i++) {
        if (!machine_pages_alloc(0, MACHINE_PAGES_LOW, &pages[i]))
            machine_die("no memory");
        fill_pattern(arch_phys_to_virt(pages[i]), MACHINE_PAGE_BYTES, 100 + i);
        sums[i] = checksum(arch_phys_to_virt(pages[i]), MACHINE_PAGE_BYTES);
    }
    check(nvme_transfer(&nvme, true, TEST_LBA, pages, NVME_PAGES), "it writes %u pages to disk",
          NVME_PAGES);
    for (unsigned i = 0; i < NVME_PAGES; i++)
        fill_pattern(arch_phys_to_virt(pages[i]), MACHINE_PAGE_BYTES, 200 + i);
    check(nvme_transfer(&nvme, false, TEST_LBA, pages, NVME_PAGES), "it reads them back");
    bool same = true;
    for (unsigned i = 0; i < NVME_PAGES; i++) {
        same &= checksum(arch_phys_to_virt(pages[i]), MACHINE_PAGE_BYTES) == sums[i];
        machine_pages_free(pages[i], 0);
    }
    check(same, "the checksums of all %u pages are what was written", NVME_PAGES);
    nvme_close(&nvme);
}

const struct scenario scenarios_open[] = {
    {"open-reach", "Without an IOMMU a device reaches all memory", run_reach},
    {"open-interrupt", "A device raises an interrupt", run_interrupt},
    {"open-random", "virtio-rng fills memory with random bytes", run_random},
    {"open-disk", "An NVMe disk writes blocks and reads them back", run_disk},
    {NULL, NULL, NULL},
};
