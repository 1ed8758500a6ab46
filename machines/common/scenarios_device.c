// SPDX-License-Identifier: MIT
/*
 * Whole drivers behind the IOMMU, unchanged: they only see other addresses.
 */
#include "arch.h"
#include "pages.h"
#include "stage.h"

#define READ_WRITE  (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define DRIVER_BASE UINT64_C(0x40000000) /* where queues go */
#define DATA_IOVA   UINT64_C(0x60000000)
#define RNG_PAGES   4u
#define DISK_PAGES  6u
#define DISK_LBA    256u
#define ANSWER_NS   UINT64_C(2000000000)
#define SILENCE_NS  UINT64_C(200000000)

static struct sluice_domain *attach(struct lab *lab, const struct pci_device *pci)
{
    char text[16];
    struct sluice_device *device = pci == NULL ? NULL : lab_device(lab, pci);
    if (device == NULL) {
        skip("the machine lacks the device this needs");
        return NULL;
    }
    struct sluice_domain *domain = lab_domain(lab, SLUICE_DOMAIN_DMA, device);
    if (domain == NULL)
        return NULL;
    enum sluice_status status = sluice_domain_attach(domain, device);
    if (!check(status == SLUICE_OK, "%s is put into a domain of its own: %s",
               device_text(pci, text), sluice_status_text(status)))
        return NULL;
    return domain;
}

static void fill_by_rng(struct lab *lab, struct virtio_rng *rng, struct sluice_domain *domain)
{
    struct page pages[RNG_PAGES];
    uint32_t bytes = 0;
    for (unsigned i = 0; i < RNG_PAGES; i++) {
        pages[i] = lab_page(lab, 0);
        (void)lab_page(lab, 0); /* so that no two are neighbours */
    }
    for (unsigned i = 0; i < RNG_PAGES; i++) {
        if (!lab_map(domain, DATA_IOVA + (uint64_t)i * LAB_PAGE, pages[RNG_PAGES - 1 - i].phys,
                     LAB_PAGE, lab_write(lab)))
            return;
    }
    check(virtio_rng_offer(rng, DATA_IOVA, RNG_PAGES * LAB_PAGE) &&
              virtio_rng_wait(rng, ANSWER_NS, &bytes),
          "it fills one buffer of %u KiB", RNG_PAGES * LAB_PAGE >> 10);
    unsigned reached = 0;
    for (unsigned i = 0; i < RNG_PAGES && (uint64_t)i * LAB_PAGE < bytes; i++)
        reached += !all_bytes(pages[RNG_PAGES - 1 - i].virt, 64, 0);
    check(bytes > 0 && reached == (bytes + LAB_PAGE - 1) / LAB_PAGE,
          "%u random bytes lie in %u scattered pages, in the mapped order", bytes, reached);
    lab_check_no_fault(lab);
}

static void run_random(struct lab *lab)
{
    struct virtio_rng rng;
    struct domain_dma dma;
    uint32_t bytes = 0;
    struct sluice_domain *domain = attach(lab, lab->rng);
    if (domain == NULL)
        return;
    domain_dma_init(&dma, domain, DRIVER_BASE);
    lab_forget_faults(lab);
    if (!check(virtio_rng_open(&rng, lab->rng, &dma.dma), "its driver starts, queue at 0x%lx",
               DRIVER_BASE))
        return;
    fill_by_rng(lab, &rng, domain);
    struct page secret = lab_page(lab, 0);
    fill_pattern(secret.virt, MACHINE_PAGE_BYTES, 70);
    lab_forget_faults(lab);
    say("it is asked to fill 0x%lx, which is not mapped", secret.phys);
    bool answered = virtio_rng_offer(&rng, secret.phys, STAGE_BYTES) &&
                    virtio_rng_wait(&rng, SILENCE_NS, &bytes);
    check(has_pattern(secret.virt, MACHINE_PAGE_BYTES, 70), "memory at 0x%lx is untouched%s",
          secret.phys, answered ? "" : "; the device gives up");
    lab_check_fault(lab, lab->rng, SLUICE_ACCESS_WRITE, secret.phys, NOT_MAPPED);
    virtio_rng_close(&rng);
}

struct disk {
    struct lab *lab;
    struct nvme nvme;
    struct domain_dma dma;
    struct sluice_domain *domain;
    struct page pages[DISK_PAGES];
    uint64_t bus[DISK_PAGES];
};

static bool map_disk_pages(struct disk *disk)
{
    for (unsigned i = 0; i < DISK_PAGES; i++) {
        disk->pages[i] = lab_page(disk->lab, 0);
        (void)lab_page(disk->lab, 0); /* so that no two are neighbours */
        disk->bus[i] = DATA_IOVA + (uint64_t)i * LAB_PAGE;
        if (!lab_map(disk->domain, disk->bus[i], disk->pages[i].phys, LAB_PAGE, READ_WRITE))
            return false;
    }
    return true;
}

static void check_blocks(struct disk *disk)
{
    uint64_t sums[DISK_PAGES];
    for (unsigned i = 0; i < DISK_PAGES; i++) {
        fill_pattern(disk->pages[i].virt, MACHINE_PAGE_BYTES, 80 + i);
        sums[i] = checksum(disk->pages[i].virt, MACHINE_PAGE_BYTES);
    }
    check(nvme_transfer(&disk->nvme, true, DISK_LBA, disk->bus, DISK_PAGES),
          "the disk reads %u pages from 0x%lx on and stores them", DISK_PAGES, disk->bus[0]);
    for (unsigned i = 0; i < DISK_PAGES; i++)
        fill_pattern(disk->pages[i].virt, MACHINE_PAGE_BYTES, 90 + i);
    check(nvme_transfer(&disk->nvme, false, DISK_LBA, disk->bus, DISK_PAGES),
          "it brings them back");
    bool same = true;
    for (unsigned i = 0; i < DISK_PAGES; i++)
        same &= checksum(disk->pages[i].virt, MACHINE_PAGE_BYTES) == sums[i];
    check(same, "the checksums of all %u pages are what was written", DISK_PAGES);
    lab_check_no_fault(disk->lab);
}

/* An emulated disk may well report success for a transfer that was stopped; memory decides. */
static void check_revoked(struct disk *disk)
{
    struct nvme *nvme = &disk->nvme;
    struct page secret = disk->pages[0], other = disk->pages[1];
    if (!lab_unmap(disk->domain, disk->bus[0], LAB_PAGE))
        return;
    fill_pattern(secret.virt, MACHINE_PAGE_BYTES, 99);
    lab_forget_faults(disk->lab);
    bool succeeded = nvme_transfer(nvme, false, DISK_LBA, disk->bus, 1);
    say("asked to read blocks into 0x%lx all the same, the disk reports %s", disk->bus[0],
        succeeded ? "success" : "an error");
    check(has_pattern(secret.virt, MACHINE_PAGE_BYTES, 99), "memory at 0x%lx is untouched",
          secret.phys);
    lab_check_fault(disk->lab, nvme->pci, SLUICE_ACCESS_WRITE, disk->bus[0], NOT_MAPPED);
    lab_forget_faults(disk->lab);
    succeeded = nvme_transfer(nvme, true, DISK_LBA, disk->bus, 1);
    say("asked to store what lies there, it reports %s", succeeded ? "success" : "an error");
    lab_check_fault(disk->lab, nvme->pci, SLUICE_ACCESS_READ, disk->bus[0], NOT_MAPPED);
    check(nvme_transfer(nvme, false, DISK_LBA, &disk->bus[1], 1), "the disk itself is well");
    check(!has_pattern(other.virt, STAGE_BYTES, 99), "what it stored is not the secret");
}

static void run_disk(struct lab *lab)
{
    static struct disk disk; /* too large for the stack */
    disk = (struct disk){.lab = lab, .domain = attach(lab, lab->nvme)};
    if (disk.domain == NULL)
        return;
    domain_dma_init(&disk.dma, disk.domain, DRIVER_BASE);
    lab_forget_faults(lab);
    if (!check(nvme_open(&disk.nvme, lab->nvme, &disk.dma.dma),
               "its driver starts, queues from 0x%lx on", DRIVER_BASE))
        return;
    if (map_disk_pages(&disk)) {
        check_blocks(&disk);
        check_revoked(&disk);
    }
    nvme_close(&disk.nvme);
}

static void run_interrupt(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    if (!stage.edu->has_irq) {
        skip("the edu device has no interrupt");
        return;
    }
    uint64_t before = stage.edu->interrupts, deadline = arch_now_ns() + ANSWER_NS;
    bool done = edu_start(stage.edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, true) &&
                edu_wait(stage.edu);
    while (stage.edu->interrupts == before && arch_now_ns() < deadline)
        arch_pause();
    check(done && has_pattern(stage.dump.virt, STAGE_BYTES, STAGE_SEED),
          "a copy with an interrupt at its end arrives");
    check(stage.edu->interrupts == before + 1, "its message-signalled interrupt arrived once");
    lab_check_no_fault(lab);
}

const struct scenario scenarios_device[] = {
    {"random", "virtio-rng fills scattered pages, and only those", run_random},
    {"disk", "An NVMe disk moves real blocks through the IOMMU", run_disk},
    {"interrupt", "A guarded device still raises its interrupt", run_interrupt},
    {NULL, NULL, NULL},
};
