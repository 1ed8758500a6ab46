// SPDX-License-Identifier: MIT
/*
 * What a device may do at an address: mapped, not mapped, read-only, write-only, no longer mapped.
 */
#include "arch.h"
#include "host.h"
#include "pages.h"
#include "stage.h"

#define FLOOD_ROUNDS 2u
#define NOTICE_NS    UINT64_C(200000000)
#define READ_WRITE   (SLUICE_PROT_READ | SLUICE_PROT_WRITE)

static void run_mapped(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page block = lab_page(lab, 2); /* four pages; only the second is mapped */
    uint64_t target = block.phys + LAB_PAGE;
    fill_pattern(block.virt, (size_t)4 * LAB_PAGE, 7);
    if (!lab_map(stage.domain, STAGE_IOVA, target, LAB_PAGE, READ_WRITE))
        return;
    struct page page = {block.virt + LAB_PAGE, target, 0};
    stage_check_writes(&stage, STAGE_IOVA, page, "");
    check(has_pattern(block.virt, LAB_PAGE, 7), "the page before it is untouched");
    fill_pattern(page.virt, STAGE_BYTES, 8);
    check(stage_read(&stage, STAGE_IOVA) && stage_show(&stage) &&
              has_pattern(stage.dump.virt, STAGE_BYTES, 8),
          "%s read 0x%lx and got what lies at 0x%lx", stage.name, STAGE_IOVA, target);
    lab_check_no_fault(lab);
    struct sluice_mapping mapping;
    check(sluice_domain_lookup(stage.domain, STAGE_IOVA + 0x123, &mapping) == SLUICE_OK &&
              mapping.phys == target + 0x123,
          "the library's own look-up agrees");
}

static void run_unmapped(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    say("memory at 0x%lx is not mapped for it, so a device address of that value means nothing",
        page.phys);
    stage_check_write_stopped(&stage, page.phys, watched, NOT_MAPPED);
    stage_check_read_stopped(&stage, page.phys, page, NOT_MAPPED);
    say("to show that the device is not simply dead, the same address is now mapped");
    if (!lab_map(stage.domain, page.phys, page.phys, LAB_PAGE, READ_WRITE) ||
        !edu_copy(stage.edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, STAGE_BYTES))
        return;
    stage_check_writes(&stage, page.phys, page, "");
}

static void run_read_only(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, SLUICE_PROT_READ))
        return;
    stage_check_write_stopped(&stage, STAGE_IOVA, watched, WRITE_DENIED);
    lab_forget_faults(lab);
    fill_pattern(page.virt, STAGE_BYTES, 9);
    check(stage_read(&stage, STAGE_IOVA) && stage_show(&stage) &&
              has_pattern(stage.dump.virt, STAGE_BYTES, 9),
          "reading 0x%lx is allowed and works", STAGE_IOVA);
    lab_check_no_fault(lab);
}

static void run_write_only(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0);
    if (!lab->expect->maps_write_only) {
        check(sluice_domain_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, SLUICE_PROT_WRITE) ==
                  SLUICE_ERR_UNSUPPORTED,
              "these tables cannot say \"write, but not read\": refused, not widened");
        stage_check_read_stopped(&stage, STAGE_IOVA, page, NOT_MAPPED);
        return;
    }
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, SLUICE_PROT_WRITE))
        return;
    stage_check_read_stopped(&stage, STAGE_IOVA, page, READ_DENIED);
    if (!edu_copy(stage.edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, STAGE_BYTES))
        return;
    lab_forget_faults(lab);
    stage_check_writes(&stage, STAGE_IOVA, page, "");
    lab_check_no_fault(lab);
    if (lab->expect->logs_denied_when_cached) {
        stage_check_read_stopped(&stage, STAGE_IOVA, page, READ_DENIED);
        return;
    }
    say("(that the next read is logged is not expected: %s)", lab->expect->cached_remark);
    fill_pattern(page.virt, STAGE_BYTES, 9);
    check(stage_read(&stage, STAGE_IOVA) && stage_show(&stage) &&
              !has_pattern(stage.dump.virt, STAGE_BYTES, 9),
          "with the translation cached, a read still brings nothing");
}

static void keep_record(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    (void)lost;
    *(struct sluice_fault_record *)arg = *record;
}

/* The fault's record knows that the address was unmapped, and when. */
static void check_past(struct lab *lab, const struct sluice_fault_record *record,
                       uint64_t unmapping_at)
{
    static char line[SLUICE_FAULT_TEXT_BYTES];
    if (!lab->expect->logs_faults)
        return;
    (void)sluice_fault_text(record, line, sizeof(line));
    say("the library says: %s", line);
    check(record->history == SLUICE_ADDRESS_UNMAPPED && !record->unmap_unconfirmed &&
              record->unmapped_ago_ns <= arch_now_ns() - unmapping_at,
          "the fault says that its address was unmapped %lu us before",
          record->unmapped_ago_ns / 1000);
}

static void run_stale(struct lab *lab)
{
    static struct sluice_fault_record record;
    struct sluice_fault_subscription *subscription;
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0);
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, STAGE_IOVA, page, ", so the translation is cached");
    uint64_t unmapping_at = arch_now_ns();
    if (!lab_unmap(stage.domain, STAGE_IOVA, LAB_PAGE))
        return;
    lab_page_free(lab, page);
    struct page reused = lab_page(lab, 0);
    check(reused.phys == page.phys, "the page at 0x%lx is freed and somebody else gets it",
          page.phys);
    struct page watched[] = {reused, {0}};
    record = (struct sluice_fault_record){0};
    if (!check(sluice_fault_subscribe(lab->sluice, keep_record, &record, &subscription) ==
                   SLUICE_OK,
               "somebody wants to be told of faults"))
        return;
    stage_check_write_stopped(&stage, STAGE_IOVA, watched, NOT_MAPPED);
    (void)sluice_fault_poll(lab->sluice);
    machine_host_run_deferred();
    check_past(lab, &record, unmapping_at);
    sluice_fault_unsubscribe(subscription);
    stage_check_read_stopped(&stage, STAGE_IOVA, reused, NOT_MAPPED);
}

/* Mapped anew at the same device address: the old page must be gone, the new one be seen. */
static void run_remapped(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page first = lab_page(lab, 0), second = lab_page(lab, 0);
    if (!lab_map(stage.domain, STAGE_IOVA, first.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, STAGE_IOVA, first, "");
    check(sluice_domain_map(stage.domain, STAGE_IOVA, second.phys, LAB_PAGE, READ_WRITE) ==
              SLUICE_ERR_EXISTS,
          "mapping over a mapping is refused");
    if (!lab_unmap(stage.domain, STAGE_IOVA, LAB_PAGE) ||
        !lab_map(stage.domain, STAGE_IOVA, second.phys, LAB_PAGE, READ_WRITE))
        return;
    fill_pattern(first.virt, STAGE_BYTES, 10);
    stage_check_writes(&stage, STAGE_IOVA, second, "");
    check(has_pattern(first.virt, STAGE_BYTES, 10), "the first page at 0x%lx is untouched",
          first.phys);
    lab_check_no_fault(lab);
}

/* Nobody polls: the unit itself tells, by its interrupt. */
static void run_notice(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    if (!lab->expect->logs_faults) {
        skip("%s", lab->expect->remark);
        return;
    }
    if (!lab->expect->raises_notice) {
        skip("%s", lab->expect->notice_remark);
        return;
    }
    uint64_t before = machine_host_events();
    check(stage_write(&stage, STAGE_IOVA), "%s writes to 0x%lx, which is not mapped", stage.name,
          STAGE_IOVA);
    uint64_t deadline = arch_now_ns() + NOTICE_NS;
    while (lab->fault_count == 0 && arch_now_ns() < deadline) {
        machine_host_run_deferred();
        arch_pause();
    }
    check(machine_host_events() > before, "the unit raises its own interrupt");
    check(lab->fault_count > 0, "the fault is there without being asked for");
    lab_check_fault(lab, stage.edu->pci, SLUICE_ACCESS_WRITE, STAGE_IOVA, NOT_MAPPED);
}

/* More faults than the hardware has room for, while nobody listens: none may vanish unsaid. */
static void run_flood(struct lab *lab)
{
    struct stage first, second;
    bool lost;
    if (!stage_set(lab, &first, lab->plain, SLUICE_DOMAIN_DMA) ||
        !stage_set(lab, &second, lab->wide, SLUICE_DOMAIN_DMA))
        return;
    if (!lab->expect->logs_faults) {
        skip("%s", lab->expect->remark);
        return;
    }
    lab_forget_faults(lab);
    say("with interrupts off, %s and %s write where nothing is mapped", first.name, second.name);
    bool irqs = arch_irqs_disable();
    bool moved = true;
    for (unsigned i = 0; i < FLOOD_ROUNDS; i++)
        moved &= stage_write(&first, STAGE_IOVA + (uint64_t)i * LAB_PAGE) &&
                 stage_write(&second, STAGE_IOVA + (uint64_t)i * LAB_PAGE);
    unsigned drained = sluice_fault_poll(lab->sluice);
    arch_irqs_restore(irqs);
    check(moved && drained > 0, "afterwards the log is emptied: %u records", drained);
    bool has_first = lab_has_fault(lab, first.edu->pci, &lost);
    bool has_second = lab_has_fault(lab, second.edu->pci, &lost);
    check(has_first, "the first one's fault is in it");
    check(has_second || lost, "the second one's fault %s",
          has_second ? "is in it too" : "had no room, and the log says that records were lost");
    lab_forget_faults(lab);
    check(stage_write(&second, STAGE_IOVA), "%s goes on", second.name);
    lab_check_fault(lab, second.edu->pci, SLUICE_ACCESS_WRITE, STAGE_IOVA, NOT_MAPPED);
}

const struct scenario scenarios_access[] = {
    {"mapped", "A device reaches what is mapped, at the right place", run_mapped},
    {"unmapped", "An address that is not mapped moves nothing, and is logged", run_unmapped},
    {"read-only", "A page mapped to read cannot be written", run_read_only},
    {"write-only", "A page mapped to write cannot be read", run_write_only},
    {"stale", "After unmap, a device that goes on regardless finds nothing", run_stale},
    {"remapped", "A device address is used again for another page", run_remapped},
    {"notice", "The IOMMU reports by itself what it stopped", run_notice},
    {"flood", "More faults than the log has room for", run_flood},
    {NULL, NULL, NULL},
};
