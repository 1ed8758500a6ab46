// SPDX-License-Identifier: MIT
#include "stage.h"

#include "pages.h"

#define SECRET_SEED 0x5ec7e7u

bool stage_load(struct stage *stage)
{
    struct lab *lab = stage->lab;
    stage->load = lab_page(lab, 0);
    stage->dump = lab_page(lab, 0);
    fill_pattern(stage->load.virt, STAGE_BYTES, STAGE_SEED);
    enum sluice_status status =
        sluice_domain_map(stage->domain, STAGE_LOAD, stage->load.phys, LAB_PAGE, SLUICE_PROT_READ);
    if (status == SLUICE_OK)
        status = sluice_domain_map(stage->domain, STAGE_DUMP, stage->dump.phys, LAB_PAGE,
                                   lab_write(lab));
    if (status != SLUICE_OK)
        return check(false, "the pages the scenario needs are mapped: %s",
                     sluice_status_text(status));
    lab_forget_faults(lab);
    if (!edu_copy(stage->edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, STAGE_BYTES))
        return check(false, "the device answers");
    return true;
}

bool stage_set(struct lab *lab, struct stage *stage, struct edu *edu, enum sluice_domain_kind kind)
{
    *stage = (struct stage){.lab = lab, .edu = edu};
    if (edu == NULL || lab_device(lab, edu->pci) == NULL) {
        skip("the machine lacks the edu device this needs");
        return false;
    }
    device_text(edu->pci, stage->name);
    stage->device = lab_device(lab, edu->pci);
    stage->domain = lab_domain(lab, kind, stage->device);
    if (stage->domain == NULL)
        return false;
    enum sluice_status status = sluice_domain_attach(stage->domain, stage->device);
    if (status != SLUICE_OK)
        return check(false, "device %s is attached to a domain: %s", stage->name,
                     sluice_status_text(status));
    say("device %s is put into a domain of its own", stage->name);
    return stage_load(stage);
}

bool stage_write(struct stage *stage, uint64_t iova)
{
    return edu_copy(stage->edu, EDU_TO_MEMORY, iova, 0, STAGE_BYTES);
}

bool stage_read(struct stage *stage, uint64_t iova)
{
    return edu_copy(stage->edu, EDU_FROM_MEMORY, iova, 0, STAGE_BYTES);
}

bool stage_show(struct stage *stage)
{
    fill_pattern(stage->dump.virt, STAGE_BYTES, 0xd0d0);
    return edu_copy(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES) &&
           !has_pattern(stage->dump.virt, STAGE_BYTES, 0xd0d0);
}

void stage_check_writes(struct stage *stage, uint64_t iova, struct page page, const char *what)
{
    bool done = stage_write(stage, iova);
    check(done && has_pattern(page.virt, STAGE_BYTES, STAGE_SEED),
          "%s wrote to 0x%lx and it arrived at 0x%lx%s", stage->name, iova, page.phys, what);
}

void stage_check_write_stopped(struct stage *stage, uint64_t iova, const struct page *watched,
                               unsigned reasons)
{
    for (const struct page *page = watched; page->virt != NULL; page++)
        fill_pattern(page->virt, STAGE_BYTES, SECRET_SEED);
    lab_forget_faults(stage->lab);
    say("%s writes to 0x%lx all the same", stage->name, iova);
    if (!check(stage_write(stage, iova), "the device believes that it is done"))
        return;
    for (const struct page *page = watched; page->virt != NULL; page++)
        check(has_pattern(page->virt, STAGE_BYTES, SECRET_SEED), "memory at 0x%lx is untouched",
              page->phys);
    lab_check_fault(stage->lab, stage->edu->pci, SLUICE_ACCESS_WRITE, iova, reasons);
}

void stage_check_read_stopped(struct stage *stage, uint64_t iova, struct page secret,
                              unsigned reasons)
{
    fill_pattern(secret.virt, STAGE_BYTES, SECRET_SEED);
    lab_forget_faults(stage->lab);
    say("%s reads 0x%lx all the same; a secret lies at 0x%lx", stage->name, iova, secret.phys);
    if (!check(stage_read(stage, iova), "the device believes that it is done"))
        return;
    lab_check_fault(stage->lab, stage->edu->pci, SLUICE_ACCESS_READ, iova, reasons);
    check(stage_show(stage) && !has_pattern(stage->dump.virt, STAGE_BYTES, SECRET_SEED),
          "what the device holds now is not the secret");
}
