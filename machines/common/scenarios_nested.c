// SPDX-License-Identifier: MIT
/*
 * A guest's tables on ours: the device goes through both, and no further than ours.
 */
#include "arch.h"
#include "pages.h"
#include "stage.h"

#define READ_WRITE  (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define GUEST       UINT64_C(0x80000000) /* where the guest's memory is, as the guest sees it */
#define GUEST_LOAD  (GUEST + UINT64_C(0x100000))
#define GUEST_DUMP  (GUEST + UINT64_C(0x110000))
#define GUEST_FIRST (GUEST + UINT64_C(0x120000))
#define GUEST_OTHER (GUEST + UINT64_C(0x130000))
#define NO_MEMORY   (GUEST + UINT64_C(0x10000000)) /* no memory of the guest's is here */
#define BEYOND_IOVA (STAGE_IOVA + UINT64_C(0x1000))
#define STOLEN_IOVA (STAGE_IOVA + UINT64_C(0x2000))

struct guest {
    struct stage stage; /* its domain is the nested one */
    struct sluice_domain *parent;
    struct page tables, first, other;
    struct sluice_nested_info info;
};

/* The guest's memory, in a domain that tables can be put on; false: skipped, or failed. */
static bool make_parent(struct lab *lab, struct guest *guest)
{
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_UNMANAGED,
                                                .device = guest->stage.device,
                                                .name = "guest memory",
                                                .nest_parent = true};
    enum sluice_status status = sluice_domain_create(lab->sluice, &config, &guest->parent);
    if (status == SLUICE_ERR_UNSUPPORTED) {
        skip("the unit has no two stages, one on the other");
        return false;
    }
    if (!check(status == SLUICE_OK, "a domain for a guest's memory is made"))
        return false;
    lab->domains[lab->domain_count++] = guest->parent;
    return lab_map(guest->parent, GUEST, guest->tables.phys,
                   (uint64_t)MACHINE_PAGE_BYTES << guest->tables.order, READ_WRITE) &&
           lab_map(guest->parent, GUEST_LOAD, guest->stage.load.phys, LAB_PAGE, READ_WRITE) &&
           lab_map(guest->parent, GUEST_DUMP, guest->stage.dump.phys, LAB_PAGE, READ_WRITE) &&
           lab_map(guest->parent, GUEST_FIRST, guest->first.phys, LAB_PAGE, READ_WRITE) &&
           lab_map(guest->parent, GUEST_OTHER, guest->other.phys, LAB_PAGE, READ_WRITE);
}

static void point(struct guest *guest, uint64_t device_address, uint64_t to)
{
    arch_first_stage_map(guest->tables.virt, GUEST, device_address, to);
    arch_cache_clean(guest->tables.virt, (size_t)MACHINE_PAGE_BYTES << guest->tables.order);
}

static struct sluice_domain *nest(struct guest *guest)
{
    struct lab *lab = guest->stage.lab;
    struct sluice_domain *nested = NULL;
    enum sluice_status status = sluice_domain_create_nested(guest->parent, &guest->info, &nested);
    if (!check(status == SLUICE_OK, "the guest's tables become a domain: %s",
               sluice_status_text(status)))
        return NULL;
    lab->domains[lab->domain_count++] = nested;
    return nested;
}

static bool guest_begin(struct lab *lab, struct guest *guest)
{
    struct stage *stage = &guest->stage;
    *guest = (struct guest){.stage = {.lab = lab, .edu = lab->plain}};
    stage->device = lab->plain == NULL ? NULL : lab_device(lab, lab->plain->pci);
    if (stage->device == NULL) {
        skip("the machine lacks the edu device this needs");
        return false;
    }
    device_text(stage->edu->pci, stage->name);
    stage->load = lab_page(lab, 0);
    stage->dump = lab_page(lab, 0);
    guest->first = lab_page(lab, 0);
    guest->other = lab_page(lab, 0);
    guest->tables = lab_page(lab, ARCH_FIRST_STAGE_ORDER);
    if (!arch_first_stage_make(guest->tables.virt, GUEST, &guest->info)) {
        skip("no guest's tables are known for this architecture");
        return false;
    }
    if (!make_parent(lab, guest))
        return false;
    point(guest, STAGE_LOAD, GUEST_LOAD);
    point(guest, STAGE_DUMP, GUEST_DUMP);
    point(guest, STAGE_IOVA, GUEST_FIRST);
    point(guest, BEYOND_IOVA, NO_MEMORY);
    point(guest, STOLEN_IOVA, guest->other.phys); /* the host's address of it, not the guest's */
    fill_pattern(stage->load.virt, STAGE_BYTES, STAGE_SEED);
    stage->domain = nest(guest);
    lab_forget_faults(lab);
    return stage->domain != NULL &&
           check(sluice_domain_attach(stage->domain, stage->device) == SLUICE_OK,
                 "device %s is put into it", stage->name) &&
           check(edu_copy(stage->edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, STAGE_BYTES),
                 "the device answers");
}

static bool forget(struct guest *guest)
{
    const struct sluice_nested_invalidation item = {.what = SLUICE_NESTED_RANGE,
                                                    .tag = ARCH_FIRST_STAGE_TAG,
                                                    .first = STAGE_IOVA,
                                                    .last = STAGE_IOVA + MACHINE_PAGE_BYTES - 1};
    return check(sluice_domain_invalidate_nested(guest->stage.domain, &item, 1) == SLUICE_OK,
                 "what the guest changed is forgotten");
}

static void run_nested(struct lab *lab)
{
    struct guest guest;
    if (!guest_begin(lab, &guest))
        return;
    struct stage *stage = &guest.stage;
    struct page watched[] = {guest.first, guest.other, {0}};
    stage_check_writes(stage, STAGE_IOVA, guest.first, ": through both tables");
    lab_check_no_fault(lab);
    stage_check_write_stopped(stage, BEYOND_IOVA, watched, NOT_MAPPED);
    stage_check_write_stopped(stage, STOLEN_IOVA, watched, NOT_MAPPED);
    fill_pattern(guest.first.virt, STAGE_BYTES, 60);
    point(&guest, STAGE_IOVA, GUEST_OTHER);
    if (!forget(&guest))
        return;
    stage_check_writes(stage, STAGE_IOVA, guest.other, ": where the guest points it now");
    check(has_pattern(guest.first.virt, STAGE_BYTES, 60), "the page before is untouched");
    if (!lab_unmap(guest.parent, GUEST_OTHER, LAB_PAGE))
        return;
    stage_check_write_stopped(stage, STAGE_IOVA, watched, NOT_MAPPED);
    point(&guest, STAGE_IOVA, GUEST_FIRST);
    if (!forget(&guest))
        return;
    stage_check_writes(stage, STAGE_IOVA, guest.first, ": back to what is left");
}

/* Into the domain below and back; then with tables of the host's in place of the guest's. */
static void run_nested_move(struct lab *lab)
{
    struct guest guest;
    if (!guest_begin(lab, &guest))
        return;
    struct stage *stage = &guest.stage;
    struct page watched[] = {guest.first, guest.other, {0}};
    check(sluice_domain_destroy(guest.parent) == SLUICE_ERR_BUSY,
          "the domain below is kept as long as there is one on it");
    if (!check(sluice_domain_attach(guest.parent, stage->device) == SLUICE_OK,
               "the device is moved to the domain below"))
        return;
    stage_check_write_stopped(stage, STAGE_IOVA, watched, NOT_MAPPED);
    if (!check(sluice_domain_attach(stage->domain, stage->device) == SLUICE_OK, "and back"))
        return;
    stage_check_writes(stage, STAGE_IOVA, guest.first, "");
    /* The same tables, by addresses that are the host's and not the guest's. */
    struct page stolen = lab_page(lab, ARCH_FIRST_STAGE_ORDER);
    struct sluice_domain *nested = NULL;
    if (!arch_first_stage_make(stolen.virt, stolen.phys, &guest.info))
        return;
    arch_first_stage_map(stolen.virt, stolen.phys, STAGE_IOVA, guest.other.phys);
    arch_cache_clean(stolen.virt, (size_t)MACHINE_PAGE_BYTES << stolen.order);
    nested = nest(&guest);
    if (nested == NULL || !check(sluice_domain_attach(nested, stage->device) == SLUICE_OK,
                                 "tables outside the guest's memory are named"))
        return;
    fill_pattern(guest.other.virt, STAGE_BYTES, 61);
    (void)stage_write(stage, STAGE_IOVA);
    check(has_pattern(guest.other.virt, STAGE_BYTES, 61), "nothing is reached through them");
    if (!check(sluice_domain_attach(stage->domain, stage->device) == SLUICE_OK,
               "with the guest's own"))
        return;
    stage_check_writes(stage, STAGE_IOVA, guest.first, ": with its own tables it works");
}

const struct scenario scenarios_nested[] = {
    {"nested", "A guest's tables on ours: the device goes through both", run_nested},
    {"nested-move", "In and out of a guest's tables, and tables that are not the guest's",
     run_nested_move},
    {NULL, NULL, NULL},
};
