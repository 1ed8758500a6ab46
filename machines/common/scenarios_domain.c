// SPDX-License-Identifier: MIT
/*
 * Who is in which domain: none, different ones, one after the other, the identity domain.
 */
#include "pages.h"
#include "stage.h"

#define READ_WRITE (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define LOOP_WAIT  3u

static void run_blocked(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, STAGE_IOVA, page, "");
    if (!check(sluice_domain_detach(stage.device) == SLUICE_OK, "it is taken out of its domain"))
        return;
    check(sluice_device_domain(stage.device) == NULL, "now it belongs to no domain");
    stage_check_write_stopped(&stage, STAGE_IOVA, watched, BLOCKED | NOT_MAPPED);
    stage_check_write_stopped(&stage, page.phys, watched, BLOCKED | NOT_MAPPED);
    struct sluice_domain *wall = lab_domain(lab, SLUICE_DOMAIN_BLOCKING, stage.device);
    if (wall == NULL || !check(sluice_domain_attach(wall, stage.device) == SLUICE_OK,
                               "it is put into a domain that blocks everything"))
        return;
    check(sluice_domain_map(wall, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE) == SLUICE_ERR_DENIED,
          "which takes no mappings");
    stage_check_write_stopped(&stage, STAGE_IOVA, watched, BLOCKED | NOT_MAPPED);
    if (!check(sluice_domain_attach(stage.domain, stage.device) == SLUICE_OK, "it is put back"))
        return;
    stage_check_writes(&stage, STAGE_IOVA, page, "");
}

static void run_two_domains(struct lab *lab)
{
    struct stage left, right;
    if (!stage_set(lab, &left, lab->plain, SLUICE_DOMAIN_DMA) ||
        !stage_set(lab, &right, lab->wide, SLUICE_DOMAIN_DMA))
        return;
    struct page left_page = lab_page(lab, 0), right_page = lab_page(lab, 0);
    if (!lab_map(left.domain, STAGE_IOVA, left_page.phys, LAB_PAGE, READ_WRITE) ||
        !lab_map(right.domain, STAGE_IOVA, right_page.phys, LAB_PAGE, READ_WRITE))
        return;
    fill_pattern(right_page.virt, STAGE_BYTES, 20);
    stage_check_writes(&left, STAGE_IOVA, left_page, "");
    check(has_pattern(right_page.virt, STAGE_BYTES, 20), "the other domain's page is untouched");
    fill_pattern(left_page.virt, STAGE_BYTES, 21);
    stage_check_writes(&right, STAGE_IOVA, right_page, "");
    check(has_pattern(left_page.virt, STAGE_BYTES, 21), "the first domain's page is untouched");
    lab_check_no_fault(lab);
    if (!lab_unmap(left.domain, STAGE_IOVA, LAB_PAGE))
        return;
    struct page watched[] = {left_page, right_page, {0}};
    stage_check_write_stopped(&left, STAGE_IOVA, watched, NOT_MAPPED);
    stage_check_writes(&right, STAGE_IOVA, right_page, ": the other domain is as it was");
}

/* Two devices in one domain share its translation. */
static void run_shared(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct sluice_device *second = lab->wide == NULL ? NULL : lab_device(lab, lab->wide->pci);
    if (second == NULL) {
        skip("the machine has only one edu device");
        return;
    }
    struct page page = lab_page(lab, 0);
    if (!check(sluice_domain_attach(stage.domain, second) == SLUICE_OK,
               "a second device joins the domain") ||
        !lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, STAGE_IOVA, page, "");
    check(edu_copy(lab->wide, EDU_FROM_MEMORY, STAGE_IOVA, 0, STAGE_BYTES) &&
              edu_copy(lab->wide, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES) &&
              has_pattern(stage.dump.virt, STAGE_BYTES, STAGE_SEED),
          "the second device reads at the same address what the first one wrote");
    lab_check_no_fault(lab);
    if (!lab_unmap(stage.domain, STAGE_IOVA, LAB_PAGE))
        return;
    struct page watched[] = {page, {0}};
    struct stage other = stage;
    other.edu = lab->wide;
    device_text(lab->wide->pci, other.name);
    stage_check_write_stopped(&stage, STAGE_IOVA, watched, NOT_MAPPED);
    stage_check_write_stopped(&other, STAGE_IOVA, watched, NOT_MAPPED);
}

static void run_move(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page first = lab_page(lab, 0), second = lab_page(lab, 0);
    struct sluice_domain *next = lab_domain(lab, SLUICE_DOMAIN_UNMANAGED, stage.device);
    if (next == NULL || !lab_map(stage.domain, STAGE_IOVA, first.phys, LAB_PAGE, READ_WRITE) ||
        !lab_map(next, STAGE_IOVA, second.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, STAGE_IOVA, first, "");
    if (!check(sluice_domain_attach(next, stage.device) == SLUICE_OK,
               "the device is moved to another domain without a stop"))
        return;
    fill_pattern(first.virt, STAGE_BYTES, 30);
    stage_check_writes(&stage, STAGE_IOVA, second, "");
    check(has_pattern(first.virt, STAGE_BYTES, 30), "the old domain's page is untouched");
    lab_check_no_fault(lab);
    struct page watched[] = {stage.load, {0}};
    stage_check_write_stopped(&stage, STAGE_DUMP, watched, NOT_MAPPED);
    if (!check(sluice_domain_attach(stage.domain, stage.device) == SLUICE_OK, "it is moved back"))
        return;
    fill_pattern(second.virt, STAGE_BYTES, 31);
    stage_check_writes(&stage, STAGE_IOVA, first, "");
    check(has_pattern(second.virt, STAGE_BYTES, 31), "the other domain's page is untouched");
}

static void run_loop(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0);
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage.edu->kicked = !lab->expect->messages_always_pass;
    if (!check(edu_loop_start(stage.edu, STAGE_IOVA, STAGE_BYTES) &&
                   edu_loop_wait(stage.edu, LOOP_WAIT) &&
                   has_pattern(page.virt, STAGE_BYTES, STAGE_SEED),
               "%s writes to 0x%lx again and again", stage.name, STAGE_IOVA)) {
        (void)edu_loop_stop(stage.edu);
        return;
    }
    bool detached = sluice_domain_detach(stage.device) == SLUICE_OK;
    fill_pattern(page.virt, STAGE_BYTES, 40);
    lab_forget_faults(lab);
    check(detached, "it is blocked while it does so");
    check(edu_loop_wait(stage.edu, LOOP_WAIT), "it goes on trying");
    check(has_pattern(page.virt, STAGE_BYTES, 40), "nothing arrives at 0x%lx any more", page.phys);
    lab_check_fault(lab, stage.edu->pci, SLUICE_ACCESS_WRITE, STAGE_IOVA, BLOCKED | NOT_MAPPED);
    bool back = sluice_domain_attach(stage.domain, stage.device) == SLUICE_OK;
    check(back && edu_loop_wait(stage.edu, LOOP_WAIT) &&
              has_pattern(page.virt, STAGE_BYTES, STAGE_SEED),
          "put back into its domain, its writes arrive again");
    bool unmapped = lab_unmap(stage.domain, STAGE_IOVA, LAB_PAGE);
    fill_pattern(page.virt, STAGE_BYTES, 41);
    check(unmapped && edu_loop_wait(stage.edu, LOOP_WAIT) &&
              has_pattern(page.virt, STAGE_BYTES, 41),
          "unmapped under its feet, they stop at once");
    check(edu_loop_stop(stage.edu), "the device is told to stop");
}

static void run_identity(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    stage_check_write_stopped(&stage, page.phys, watched, NOT_MAPPED);
    struct sluice_domain *identity = lab_domain(lab, SLUICE_DOMAIN_IDENTITY, stage.device);
    if (identity == NULL || !check(sluice_domain_attach(identity, stage.device) == SLUICE_OK,
                                   "the device is given the identity domain, and with it all of "
                                   "memory"))
        return;
    lab_forget_faults(lab);
    stage_check_writes(&stage, page.phys, page, "");
    lab_check_no_fault(lab);
    if (!check(sluice_domain_attach(stage.domain, stage.device) == SLUICE_OK,
               "it is moved back into its own domain"))
        return;
    stage_check_write_stopped(&stage, page.phys, watched, NOT_MAPPED);
}

/* The unit sees the bridge's requester ID, whichever device behind it spoke. */
static void run_bridged(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->bridged, SLUICE_DOMAIN_DMA))
        return;
    uint16_t source = pci_source_rid(stage.edu->pci);
    say("it sits behind a PCI bridge, which signs for it as %02x:%02x.%u", source >> 8,
        (unsigned)(source >> 3) & 0x1fu, source & 7u);
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    if (lab->expect->tells_buses_apart) {
        stage_check_writes(&stage, STAGE_IOVA, page, "");
    } else {
        say("(that it reaches the page is not expected: %s)", lab->expect->buses_remark);
        stage_check_write_stopped(&stage, STAGE_IOVA, watched, NOT_MAPPED);
        stage_check_write_stopped(&stage, page.phys, watched, NOT_MAPPED);
    }
    if (!lab_unmap(stage.domain, STAGE_IOVA, LAB_PAGE))
        return;
    stage_check_write_stopped(&stage, STAGE_IOVA, watched, NOT_MAPPED);
    check(sluice_domain_detach(stage.device) == SLUICE_OK, "it is taken out of its domain");
    stage_check_write_stopped(&stage, STAGE_DUMP, watched, BLOCKED | NOT_MAPPED);
}

const struct scenario scenarios_domain[] = {
    {"blocked", "A device that belongs to no domain reaches nothing", run_blocked},
    {"two-domains", "The same address in two domains is two pages", run_two_domains},
    {"shared", "Two devices in one domain see the same memory", run_shared},
    {"move", "A device is moved between domains", run_move},
    {"loop", "A device is blocked while its DMA runs", run_loop},
    {"identity", "The identity domain: an address is its own translation", run_identity},
    {"bridged", "A device behind a PCI bridge is confined like any other", run_bridged},
    {NULL, NULL, NULL},
};
