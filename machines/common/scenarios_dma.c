// SPDX-License-Identifier: MIT
/*
 * Drivers on the DMA API behind an IOMMU: strict and lazy domains, untrusted devices, the checking
 * mode. The disk does honest work; an edu device does what it must not.
 */
#include "dma_lab.h"

#include "arch.h"
#include "host.h"
#include "options.h"
#include "pages.h"
#include "print.h"

#define ROUNDS      12u
#define LAZY_ROUNDS 60u /* enough unmaps to fill a CPU's queue */
#define WINDOW_NS   UINT64_C(300000000)
/* How late this machine's timer may be, under emulation. */
#define TIMER_SLACK_NS UINT64_C(500000000)
#define BYTES          256u
#define BUFFER_AT      0x400u /* of the hostile device's buffer in its page */
#define PAGE_DUMP      4092u  /* of a page, the device moves so much at once */
#define SECRET_SEED    0x5ec7e7u
#define BOTH           ((uint32_t)SLUICE_DMA_BOTH)
#define TO_DEVICE      ((uint32_t)SLUICE_DMA_TO_DEVICE)
#define FROM_DEVICE    ((uint32_t)SLUICE_DMA_FROM_DEVICE)

static const struct pci_device *plain_pci(const struct lab *lab)
{
    return lab->plain != NULL ? lab->plain->pci : NULL;
}

/** A device in a domain of its own, with its DMA API open. */
struct actor {
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct lab_dma dma;
    char name[16];
};

static bool enter(struct lab *lab, const struct pci_device *pci, bool lazy, bool checked,
                  struct actor *actor)
{
    *actor = (struct actor){.device = pci == NULL ? NULL : lab_device(lab, pci)};
    if (actor->device == NULL) {
        skip("the machine lacks the device this needs");
        return false;
    }
    device_text(pci, actor->name);
    const struct sluice_domain_config domain = {.kind = SLUICE_DOMAIN_DMA,
                                                .device = actor->device,
                                                .name = "dma",
                                                .lazy = lazy,
                                                .lazy_window_ns = WINDOW_NS};
    actor->domain = lab_domain_with(lab, &domain);
    if (actor->domain == NULL)
        return false;
    enum sluice_status status = sluice_domain_attach(actor->domain, actor->device);
    if (!check(status == SLUICE_OK, "%s is put into a domain of its own: %s", actor->name,
               sluice_status_text(status)))
        return false;
    const struct sluice_dma_config config = {.device = actor->device,
                                             .address_bits = pci == plain_pci(lab) ? lab->plain_bits
                                                                                   : lab->iova_bits,
                                             .check = checked};
    lab_forget_faults(lab);
    return lab_dma_open(lab, &config, &actor->dma);
}

static bool map(struct actor *actor, uint64_t phys, uint64_t bytes, uint32_t flags,
                sluice_iova_t *out)
{
    enum sluice_status status =
        sluice_dma_map(actor->dma.handle, phys, bytes, flags, SLUICE_HERE, out);
    if (status != SLUICE_OK)
        return check(false, "0x%lx is mapped: %s", phys, sluice_status_text(status));
    say("mapped: memory at 0x%lx, %lu bytes, for device address 0x%lx", phys, bytes, *out);
    return true;
}

static bool unmap(struct actor *actor, sluice_iova_t address, uint64_t bytes, uint32_t flags)
{
    enum sluice_status status =
        sluice_dma_unmap(actor->dma.handle, address, bytes, flags, SLUICE_HERE);
    return status == SLUICE_OK ||
           check(false, "0x%lx is unmapped: %s", address, sluice_status_text(status));
}

static void tell_counters(struct actor *actor)
{
    struct sluice_dma_domain_info info;
    if (sluice_dma_domain_info(actor->domain, &info) != SLUICE_OK)
        return;
    say("%lu addresses were handed out, %lu of them from the CPU's own cache; %lu invalidations "
        "were waited for, %lu served a queue",
        info.iova_allocs, info.iova_hits, info.strict_flushes, info.lazy_flushes);
}

/* ---- strict ---- */

/* What was unmapped is out of the disk's reach when the unmap returns. */
static void disk_reaches_no_more(struct lab *lab, struct actor *disk, struct nvme *nvme)
{
    struct page page = lab_page(lab, 0);
    sluice_iova_t address;
    if (!map(disk, page.phys, MACHINE_PAGE_BYTES, BOTH, &address))
        return;
    check(nvme_transfer(nvme, false, 0, &address, 1), "the disk writes a block there");
    if (!unmap(disk, address, MACHINE_PAGE_BYTES, BOTH))
        return;
    fill_pattern(page.virt, MACHINE_PAGE_BYTES, SECRET_SEED);
    lab_forget_faults(lab);
    bool succeeded = nvme_transfer(nvme, false, 0, &address, 1);
    say("told to do so again after the unmap, it reports %s", succeeded ? "success" : "an error");
    check(has_pattern(page.virt, MACHINE_PAGE_BYTES, SECRET_SEED), "memory at 0x%lx is untouched",
          page.phys);
    lab_check_fault(lab, nvme->pci, SLUICE_ACCESS_WRITE, address, 1u << SLUICE_FAULT_NOT_MAPPED);
}

static void run_strict(struct lab *lab)
{
    static struct nvme nvme;
    struct actor disk;
    if (!enter(lab, lab->nvme, false, false, &disk))
        return;
    if (traffic_with_disk(lab, &disk.dma, &nvme, lab_page(lab, TRAFFIC_LG2), ROUNDS)) {
        lab_check_no_fault(lab);
        tell_counters(&disk);
        disk_reaches_no_more(lab, &disk, &nvme);
    }
    nvme_close(&nvme);
}

/* ---- lazy ---- */

static struct sluice_dma_domain_info counters_of(const struct actor *actor)
{
    struct sluice_dma_domain_info info = {0};
    enum sluice_status status = sluice_dma_domain_info(actor->domain, &info);
    if (status != SLUICE_OK)
        check(false, "the domain tells its counters: %s", sluice_status_text(status));
    return info;
}

static void run_lazy(struct lab *lab)
{
    static struct nvme nvme;
    struct actor disk;
    if (!enter(lab, lab->nvme, true, false, &disk))
        return;
    if (traffic_with_disk(lab, &disk.dma, &nvme, lab_page(lab, TRAFFIC_LG2), LAZY_ROUNDS)) {
        lab_check_no_fault(lab);
        struct sluice_dma_domain_info info = counters_of(&disk);
        check(info.lazy_flushes > 0 && info.strict_flushes == 0,
              "%lu invalidations served all of it but the last %lu unmaps, which wait",
              info.lazy_flushes, info.queued);
    }
    nvme_close(&nvme);
}

/* Does what a timer's handler does until nothing waits; how long after `since` that was. */
static uint64_t wait_for_timer(struct lab *lab, const struct actor *actor, uint64_t since)
{
    struct sluice_dma_domain_info info = {.queued = 1};
    uint64_t deadline = since + WINDOW_NS + 2 * TIMER_SLACK_NS, closed_at = since;
    while (info.queued != 0 && closed_at < deadline) {
        arch_pause();
        if (machine_host_run_timer(lab->sluice) != 0 &&
            sluice_dma_domain_info(actor->domain, &info) != SLUICE_OK)
            break;
        closed_at = arch_now_ns(); /* after the invalidation */
    }
    return info.queued == 0 ? closed_at - since : UINT64_MAX;
}

static void close_window(struct lab *lab, const struct actor *thief, uint64_t unmapped_at,
                         uint64_t window_ns)
{
    uint64_t took = wait_for_timer(lab, thief, unmapped_at);
    if (took == UINT64_MAX) {
        check(false, "the timer that the library asked for comes");
        return;
    }
    check(took <= window_ns + TIMER_SLACK_NS,
          "the timer that the library asked for closed it %lu us after the unmap; %lu us are its "
          "window, and this machine's timer may be %lu ms late",
          took / 1000, window_ns / 1000, TIMER_SLACK_NS / 1000000);
}

static void run_window(struct lab *lab)
{
    struct actor thief;
    sluice_iova_t address;
    if (!enter(lab, plain_pci(lab), true, false, &thief))
        return;
    struct page page = lab_page(lab, 0);
    if (!map(&thief, page.phys, MACHINE_PAGE_BYTES, BOTH, &address))
        return;
    check(edu_copy(lab->plain, EDU_TO_MEMORY, address, 0, BYTES),
          "the device uses it, so the IOMMU has it in its cache");
    machine_host_run_timer(lab->sluice);
    uint64_t unmapped_at = arch_now_ns();
    if (!unmap(&thief, address, MACHINE_PAGE_BYTES, BOTH))
        return;
    struct sluice_dma_domain_info open = counters_of(&thief);
    check(open.lazy && open.queued == 1 && open.strict_flushes == 0 && open.window_ns == WINDOW_NS,
          "it is unmapped without an invalidation; the domain says that %lu waits, for %lu ms at "
          "most",
          open.queued, open.window_ns / 1000000);
    fill_pattern(page.virt, BYTES, SECRET_SEED);
    (void)edu_copy(lab->plain, EDU_TO_MEMORY, address, 0, BYTES);
    say("inside the window the device's write %s", has_pattern(page.virt, BYTES, SECRET_SEED)
                                                       ? "is stopped already"
                                                       : "still arrives: that is what lazy means");
    close_window(lab, &thief, unmapped_at, open.window_ns);
    fill_pattern(page.virt, BYTES, SECRET_SEED);
    lab_forget_faults(lab);
    check(edu_copy(lab->plain, EDU_TO_MEMORY, address, 0, BYTES), "the device writes once more");
    check(has_pattern(page.virt, BYTES, SECRET_SEED), "memory at 0x%lx is untouched", page.phys);
    lab_check_fault(lab, lab->plain->pci, SLUICE_ACCESS_WRITE, address,
                    1u << SLUICE_FAULT_NOT_MAPPED);
}

/* ---- untrusted ---- */

static void untrusted_disk(struct lab *lab)
{
    static struct nvme nvme;
    struct sluice_dma_info info;
    struct actor disk;
    if (!enter(lab, lab->nvme, false, false, &disk))
        return;
    if (traffic_with_disk(lab, &disk.dma, &nvme, lab_page(lab, TRAFFIC_LG2), ROUNDS)) {
        lab_check_no_fault(lab);
        sluice_dma_info(disk.dma.handle, &info);
        check(info.untrusted && info.bounced > 0 && info.bounced < info.maps,
              "%lu of %lu mappings had a first or last page in bounce memory", info.bounced,
              info.maps);
        tell_counters(&disk);
    }
    nvme_close(&nvme);
}

static void run_untrusted_disk(struct lab *lab)
{
    if (lab->nvme == NULL || lab_device(lab, lab->nvme) == NULL) {
        skip("the machine has no NVMe disk");
        return;
    }
    if (!check(lab_set_trust(lab, lab->nvme, true), "the disk is declared untrusted"))
        return;
    untrusted_disk(lab);
    check(lab_release(lab) && lab_set_trust(lab, lab->nvme, false), "it is trusted again");
}

/* Brings what the device holds to a page of its own, through a mapping of whole pages. */
static bool show(struct lab *lab, struct actor *actor, unsigned bytes, struct page *out)
{
    sluice_iova_t address;
    *out = lab_page(lab, 0);
    return map(actor, out->phys, MACHINE_PAGE_BYTES, FROM_DEVICE, &address) &&
           edu_copy(lab->plain, EDU_TO_MEMORY, address, 0, bytes) &&
           unmap(actor, address, MACHINE_PAGE_BYTES, FROM_DEVICE);
}

static bool loot_is_clean(const struct page *loot)
{
    return all_bytes(loot->virt, BUFFER_AT, 0) && has_pattern(loot->virt + BUFFER_AT, BYTES, 1) &&
           all_bytes(loot->virt + BUFFER_AT + BYTES, PAGE_DUMP - BUFFER_AT - BYTES, 0);
}

/* Bounce memory had somebody's secret in it before. */
static bool leave_a_secret(struct actor *thief, struct page page)
{
    sluice_iova_t address;
    fill_pattern(page.virt, MACHINE_PAGE_BYTES, SECRET_SEED);
    return map(thief, page.phys + 4, MACHINE_PAGE_BYTES - 4, TO_DEVICE, &address) &&
           unmap(thief, address, MACHINE_PAGE_BYTES - 4, TO_DEVICE);
}

static void read_beside(struct lab *lab, struct actor *thief, struct page page)
{
    sluice_iova_t address;
    struct page loot;
    if (!leave_a_secret(thief, page))
        return;
    fill_pattern(page.virt + BUFFER_AT, BYTES, 1);
    if (!map(thief, page.phys + BUFFER_AT, BYTES, TO_DEVICE, &address))
        return;
    say("around that buffer the page is full of a secret; the device reads all of it");
    check(edu_copy(lab->plain, EDU_FROM_MEMORY, address - BUFFER_AT, 0, PAGE_DUMP),
          "it is not stopped: pages are the least that an IOMMU tells apart");
    if (!unmap(thief, address, BYTES, TO_DEVICE) || !show(lab, thief, PAGE_DUMP, &loot))
        return;
    check(loot_is_clean(&loot), "but what it got is the buffer's %u bytes, and zeroes", BYTES);
}

static void write_beside(struct lab *lab, struct actor *thief, struct page page)
{
    sluice_iova_t address;
    struct page tool = lab_page(lab, 0);
    fill_pattern(tool.virt, MACHINE_PAGE_BYTES, 3);
    if (!map(thief, tool.phys, MACHINE_PAGE_BYTES, TO_DEVICE, &address) ||
        !edu_copy(lab->plain, EDU_FROM_MEMORY, address, 0, PAGE_DUMP) ||
        !unmap(thief, address, MACHINE_PAGE_BYTES, TO_DEVICE))
        return;
    fill_pattern(page.virt, MACHINE_PAGE_BYTES, SECRET_SEED);
    if (!map(thief, page.phys + BUFFER_AT, BYTES, FROM_DEVICE, &address))
        return;
    check(edu_copy(lab->plain, EDU_TO_MEMORY, address - BUFFER_AT, 0, PAGE_DUMP),
          "it writes over the whole page");
    if (!unmap(thief, address, BYTES, FROM_DEVICE))
        return;
    uint8_t *end = page.virt + BUFFER_AT + BYTES;
    static uint8_t secret[MACHINE_PAGE_BYTES];
    fill_pattern(secret, sizeof(secret), SECRET_SEED);
    fill_pattern(tool.virt, MACHINE_PAGE_BYTES, 3);
    bool kept = true, arrived = true;
    for (unsigned i = 0; i < MACHINE_PAGE_BYTES; i++) {
        bool inside = i >= BUFFER_AT && page.virt + i < end;
        kept &= inside || page.virt[i] == secret[i];
        arrived &= !inside || page.virt[i] == tool.virt[i];
    }
    check(arrived, "the buffer has what it wrote there");
    check(kept, "everything beside it is as it was");
}

static void run_untrusted_thief(struct lab *lab)
{
    struct actor thief;
    if (lab->plain == NULL || lab_device(lab, lab->plain->pci) == NULL) {
        skip("the machine has no edu device");
        return;
    }
    if (!check(lab_set_trust(lab, lab->plain->pci, true), "the device is declared untrusted"))
        return;
    if (enter(lab, lab->plain->pci, false, false, &thief)) {
        struct page page = lab_page(lab, 0);
        read_beside(lab, &thief, page);
        write_beside(lab, &thief, page);
    }
    check(lab_release(lab) && lab_set_trust(lab, lab->plain->pci, false), "it is trusted again");
}

/* ---- the checking mode ---- */

/* Mapped at began.c:1 and unmapped at ended.c:2; the fault alone leads back to both. */
static void use_after_unmap(struct lab *lab, struct page page, sluice_iova_t address,
                            uint64_t unmapped_at)
{
    fill_pattern(page.virt, BYTES, SECRET_SEED);
    lab_forget_faults(lab);
    lab->misuse_count = 0;
    check(edu_copy(lab->plain, EDU_TO_MEMORY, address, 0, BYTES),
          "the device uses it all the same");
    check(has_pattern(page.virt, BYTES, SECRET_SEED), "memory at 0x%lx is untouched", page.phys);
    lab_check_fault(lab, lab->plain->pci, SLUICE_ACCESS_WRITE, address,
                    1u << SLUICE_FAULT_NOT_MAPPED);
    if (!lab->expect->logs_faults)
        return;
    const struct sluice_dma_misuse *misuse = &lab->misuse;
    if (!check(lab->misuse_count > 0 && misuse->kind == SLUICE_DMA_USE_AFTER_UNMAP,
               "the fault is reported as a use after an unmap"))
        return;
    check(misuse->mapped_bytes == 700 && misuse->mapped_address == address &&
              misuse->age_ns <= arch_now_ns() - unmapped_at,
          "of %lu bytes, unmapped %lu us before", misuse->mapped_bytes, misuse->age_ns / 1000);
    check(misuse->mapped_site != NULL && misuse->unmapped_site != NULL &&
              text_equal(misuse->mapped_site, "began.c:1") &&
              text_equal(misuse->unmapped_site, "ended.c:2"),
          "mapped at %s, unmapped at %s", misuse->mapped_site != NULL ? misuse->mapped_site : "?",
          misuse->unmapped_site != NULL ? misuse->unmapped_site : "?");
}

static void run_checked(struct lab *lab)
{
    struct actor thief;
    sluice_iova_t address;
    if (!enter(lab, plain_pci(lab), false, true, &thief))
        return;
    struct page page = lab_page(lab, 0);
    enum sluice_status status =
        sluice_dma_map(thief.dma.handle, page.phys, 700, FROM_DEVICE, "began.c:1", &address);
    if (!check(status == SLUICE_OK, "700 bytes at 0x%lx are mapped: %s", page.phys,
               sluice_status_text(status)))
        return;
    lab->misuse_count = 0;
    check(sluice_dma_unmap(thief.dma.handle, address, 701, FROM_DEVICE, SLUICE_HERE) ==
                  SLUICE_ERR_INVALID &&
              lab->misuse_count == 1 && lab->misuse.kind == SLUICE_DMA_WRONG_SIZE,
          "an unmap with the wrong size is refused and reported");
    check(edu_copy(lab->plain, EDU_TO_MEMORY, address, 0, BYTES), "the mapping still works");
    uint64_t unmapped_at = arch_now_ns();
    status = sluice_dma_unmap(thief.dma.handle, address, 700, FROM_DEVICE, "ended.c:2");
    if (!check(status == SLUICE_OK, "it is unmapped: %s", sluice_status_text(status)))
        return;
    lab->misuse_count = 0;
    check(sluice_dma_unmap(thief.dma.handle, address, 700, FROM_DEVICE, SLUICE_HERE) ==
                  SLUICE_ERR_NOT_FOUND &&
              lab->misuse_count == 1 && lab->misuse.kind == SLUICE_DMA_UNMAP_TWICE,
          "so is unmapping it twice");
    use_after_unmap(lab, page, address, unmapped_at);
}

/* ---- memory for both, and another device's ---- */

static void share_memory(struct lab *lab, struct actor *device)
{
    struct sluice_dma_buffer buffer;
    enum sluice_status status =
        sluice_dma_alloc(device->dma.handle, 3ul * MACHINE_PAGE_BYTES, 0, SLUICE_HERE, &buffer);
    if (!check(status == SLUICE_OK, "12 KiB are allocated for processor and device: %s",
               sluice_status_text(status)))
        return;
    uint8_t *virt = buffer.virt;
    fill_pattern(virt, BYTES, 5);
    check(edu_copy(lab->plain, EDU_FROM_MEMORY, buffer.address, 0, BYTES) &&
              edu_copy(lab->plain, EDU_TO_MEMORY, buffer.address + 2ul * MACHINE_PAGE_BYTES, 0,
                       BYTES),
          "the device copies from its first page to its third");
    check(has_pattern(virt + 2ul * MACHINE_PAGE_BYTES, BYTES, 5), "the processor sees it there");
    sluice_iova_t address = buffer.address;
    check(sluice_dma_free(device->dma.handle, &buffer, SLUICE_HERE) == SLUICE_OK, "it is freed");
    lab_forget_faults(lab);
    (void)edu_copy(lab->plain, EDU_TO_MEMORY, address, 0, BYTES);
    lab_check_fault(lab, lab->plain->pci, SLUICE_ACCESS_WRITE, address,
                    1u << SLUICE_FAULT_NOT_MAPPED);
}

/* One edu writes to a register of the other, which answers with its complement. */
static void reach_another_device(struct lab *lab, struct actor *device)
{
    const uint32_t word = 0x12345678u;
    struct page page = lab_page(lab, 0);
    sluice_iova_t from, to;
    uint64_t bar = lab->wide->pci->bars[0].phys;
    volatile uint32_t *liveness = (volatile uint32_t *)lab->wide->registers + 1;
    *(uint32_t *)(void *)page.virt = word;
    *liveness = 0;
    enum sluice_status status = sluice_dma_map_mmio(device->dma.handle, bar, MACHINE_PAGE_BYTES,
                                                    FROM_DEVICE, SLUICE_HERE, &to);
    if (!check(status == SLUICE_OK, "the registers of another device at 0x%lx are mapped: %s", bar,
               sluice_status_text(status)) ||
        !map(device, page.phys, MACHINE_PAGE_BYTES, TO_DEVICE, &from))
        return;
    check(edu_copy(lab->plain, EDU_FROM_MEMORY, from, 0, 4) &&
              edu_copy(lab->plain, EDU_TO_MEMORY, to + 4, 0, 4),
          "the device writes a word to one of them");
    check(*liveness == ~word, "the other device has got it");
    *liveness = 0;
    check(sluice_dma_unmap_mmio(device->dma.handle, to, MACHINE_PAGE_BYTES, FROM_DEVICE,
                                SLUICE_HERE) == SLUICE_OK,
          "they are unmapped");
    (void)edu_copy(lab->plain, EDU_TO_MEMORY, to + 4, 0, 4);
    check(*liveness == ~0u, "its next write does not arrive");
    (void)unmap(device, from, MACHINE_PAGE_BYTES, TO_DEVICE);
}

static void run_shared(struct lab *lab)
{
    struct actor device;
    if (!enter(lab, plain_pci(lab), false, false, &device))
        return;
    share_memory(lab, &device);
    if (lab->wide != NULL)
        reach_another_device(lab, &device);
}

const struct scenario scenarios_dma[] = {
    {"dma-strict", "A disk driver on the DMA API, every unmap invalidated", run_strict},
    {"dma-lazy", "The same, invalidated by the hundreds", run_lazy},
    {"dma-window", "What lazy leaves open is shut when it says so", run_window},
    {"dma-untrusted", "An untrusted disk gets every byte of its buffers", run_untrusted_disk},
    {"dma-neighbours", "An untrusted device gets nothing beside its buffers", run_untrusted_thief},
    {"dma-checked", "Mistakes are found, and say where", run_checked},
    {"dma-shared", "Memory for both, and another device's registers", run_shared},
    {NULL, NULL, NULL},
};
