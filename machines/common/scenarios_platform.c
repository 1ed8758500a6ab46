// SPDX-License-Identifier: MIT
/*
 * Firmware's reserved memory, sleep and wake-up.
 */
#include "pages.h"
#include "stage.h"

#define READ_WRITE (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define HALF_PAGE  2048u

/* The device copies within its reserved page: reads one half, writes the other. */
static bool reaches_reserved(struct lab *lab, uint32_t seed)
{
    uint8_t *page = lab->reserved.virt;
    fill_pattern(page, STAGE_BYTES, seed);
    fill_pattern(page + HALF_PAGE, STAGE_BYTES, 1);
    return edu_copy(lab->firmware, EDU_FROM_MEMORY, lab->reserved.phys, 0, STAGE_BYTES) &&
           edu_copy(lab->firmware, EDU_TO_MEMORY, lab->reserved.phys + HALF_PAGE, 0, STAGE_BYTES) &&
           has_pattern(page + HALF_PAGE, STAGE_BYTES, seed);
}

static bool is_listed(struct sluice_device *device, uint64_t first)
{
    struct sluice_reserved_region region;
    for (unsigned i = 0; sluice_device_reserved(device, i, &region) == SLUICE_OK; i++) {
        if (region.kind == SLUICE_RESERVED_FIRMWARE && region.first <= first &&
            region.last >= first + MACHINE_PAGE_BYTES - 1)
            return true;
    }
    return false;
}

static void run_reserved(struct lab *lab)
{
    struct stage stage = {.lab = lab, .edu = lab->firmware};
    if (lab->firmware == NULL || lab_device(lab, lab->firmware->pci) == NULL) {
        skip("the machine lacks the edu device this needs");
        return;
    }
    uint64_t phys = lab->reserved.phys;
    stage.device = lab_device(lab, lab->firmware->pci);
    device_text(stage.edu->pci, stage.name);
    say("the firmware's tables say that %s uses the page at 0x%lx on its own account", stage.name,
        phys);
    check(is_listed(stage.device, phys), "the library lists that region for the device");
    lab_forget_faults(lab);
    check(reaches_reserved(lab, 100), "in no domain at all, the device reaches that page");
    lab_check_no_fault(lab);
    struct page outside = lab_page(lab, 0), watched[] = {outside, {0}};
    stage_check_write_stopped(&stage, outside.phys, watched, BLOCKED | NOT_MAPPED);
    stage.domain = lab_domain(lab, SLUICE_DOMAIN_DMA, stage.device);
    if (stage.domain == NULL ||
        !check(sluice_domain_attach(stage.domain, stage.device) == SLUICE_OK,
               "it is put into a domain of its own"))
        return;
    lab_forget_faults(lab);
    check(reaches_reserved(lab, 101), "there it reaches the page too");
    lab_check_no_fault(lab);
    uint64_t around = phys & ~(uint64_t)(LAB_PAGE - 1);
    check(sluice_domain_unmap(stage.domain, around, LAB_PAGE, NULL) == SLUICE_ERR_DENIED,
          "unmapping it is refused");
    check(sluice_domain_map(stage.domain, around, outside.phys, LAB_PAGE, READ_WRITE) != SLUICE_OK,
          "so is mapping something else there");
    check(reaches_reserved(lab, 102), "it still reaches the page");
    stage_check_write_stopped(&stage, outside.phys, watched, NOT_MAPPED);
    check(sluice_domain_detach(stage.device) == SLUICE_OK, "it is taken out of the domain");
    check(reaches_reserved(lab, 103), "and still reaches the page");
}

static void run_sleep(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, STAGE_IOVA, page, "");
    enum sluice_status status = sluice_suspend(lab->sluice);
    check(status == SLUICE_OK, "the IOMMU is put to sleep: %s", sluice_status_text(status));
    status = sluice_resume(lab->sluice);
    check(status == SLUICE_OK, "and woken up: %s", sluice_status_text(status));
    fill_pattern(page.virt, STAGE_BYTES, 110);
    stage_check_writes(&stage, STAGE_IOVA, page, "");
    stage_check_write_stopped(&stage, STAGE_IOVA + LAB_PAGE, watched, NOT_MAPPED);
    if (lab_unmap(stage.domain, STAGE_IOVA, LAB_PAGE))
        stage_check_write_stopped(&stage, STAGE_IOVA, watched, NOT_MAPPED);
}

const struct scenario scenarios_platform[] = {
    {"reserved", "Memory that firmware reserved for a device stays reachable", run_reserved},
    {"sleep", "Protection survives suspend and resume", run_sleep},
    {NULL, NULL, NULL},
};
