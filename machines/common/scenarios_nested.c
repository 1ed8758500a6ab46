// SPDX-License-Identifier: MIT
/*
 * A guest's tables on ours: the device goes through both, and no further than ours.
 */
#include "arch.h"
#include "pages.h"
#include "stage.h"

#define READ_WRITE   (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define GUEST        UINT64_C(0x80000000) /* where the guest's memory is, as the guest sees it */
#define GUEST_LOAD   (GUEST + UINT64_C(0x100000))
#define GUEST_DUMP   (GUEST + UINT64_C(0x110000))
#define GUEST_FIRST  (GUEST + UINT64_C(0x120000))
#define GUEST_OTHER  (GUEST + UINT64_C(0x130000))
#define GUEST_SECOND (GUEST + UINT64_C(0x200000))   /* other tables of its */
#define NO_MEMORY    (GUEST + UINT64_C(0x10000000)) /* no memory of the guest's is here */
#define BEYOND_IOVA  (STAGE_IOVA + UINT64_C(0x1000))
#define STOLEN_IOVA  (STAGE_IOVA + UINT64_C(0x2000))

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

static bool guest_begin(struct lab *lab, struct guest *guest, struct edu *edu)
{
    struct stage *stage = &guest->stage;
    *guest = (struct guest){.stage = {.lab = lab, .edu = edu}};
    stage->device = edu == NULL ? NULL : lab_device(lab, edu->pci);
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

/* The fault of a device address tells what the guest's tables made of it, where hardware does. */
static void check_intermediate(struct lab *lab, uint64_t iova, uint64_t want)
{
    unsigned count = lab->fault_count < LAB_FAULTS ? lab->fault_count : LAB_FAULTS;
    for (unsigned i = 0; i < count; i++) {
        const struct sluice_fault *fault = &lab->faults[i];
        if (!fault->intermediate_valid ||
            fault->address / MACHINE_PAGE_BYTES != iova / MACHINE_PAGE_BYTES)
            continue;
        check(fault->stage == SLUICE_STAGE_SECOND && !fault->intermediate_of_walk &&
                  fault->intermediate / MACHINE_PAGE_BYTES == want / MACHINE_PAGE_BYTES,
              "it logged which address of the guest's that was: 0x%lx", fault->intermediate);
        return;
    }
    say("(it did not log which address of the guest's that was)");
}

static void run_nested(struct lab *lab)
{
    struct guest guest;
    if (!guest_begin(lab, &guest, lab->plain))
        return;
    struct stage *stage = &guest.stage;
    struct page watched[] = {guest.first, guest.other, {0}};
    stage_check_writes(stage, STAGE_IOVA, guest.first, ": through both tables");
    lab_check_no_fault(lab);
    stage_check_write_stopped(stage, BEYOND_IOVA, watched, NOT_MAPPED);
    check_intermediate(lab, BEYOND_IOVA, NO_MEMORY);
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
    if (!guest_begin(lab, &guest, lab->plain))
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

/* ---- moves while the device writes ---- */

#define LIVE_ROUNDS 2u /* transfers while it moves between two places; each takes 100 ms */

/* The pages where writes to one device address may end, by who translates it. */
enum live_page {
    LIVE_FIRST, /* the guest's tables, on the parent's */
    LIVE_OTHER, /* other tables of the guest's */
    LIVE_BELOW, /* the parent's alone: what the first stage would let pass */
    LIVE_OPEN,  /* nobody: what the unit would let pass */
    LIVE_PAGES
};

/* Where the device can be, and the page it reaches from there; LIVE_PAGES: none. */
struct live_place {
    const char *name;
    struct sluice_domain *domain; /* NULL: in none */
    enum live_page reaches;
};

struct live {
    struct guest guest;
    struct sluice_domain *second;
    uint64_t iova; /* the address of LIVE_OPEN's page itself */
    struct page pages[LIVE_PAGES];
};

static bool live_begin(struct lab *lab, struct live *live)
{
    struct guest *guest = &live->guest;
    if (!guest_begin(lab, guest, lab->wide))
        return false;
    struct page tables = lab_page(lab, ARCH_FIRST_STAGE_ORDER);
    live->pages[LIVE_FIRST] = guest->first;
    live->pages[LIVE_OTHER] = guest->other;
    live->pages[LIVE_BELOW] = lab_page(lab, 0);
    live->pages[LIVE_OPEN] = lab_page(lab, 0);
    live->iova = live->pages[LIVE_OPEN].phys;
    point(guest, live->iova, GUEST_FIRST);
    if (!arch_first_stage_make(tables.virt, GUEST_SECOND, &guest->info))
        return false;
    arch_first_stage_map(tables.virt, GUEST_SECOND, live->iova, GUEST_OTHER);
    arch_cache_clean(tables.virt, (size_t)MACHINE_PAGE_BYTES << tables.order);
    if (!lab_map(guest->parent, GUEST_SECOND, tables.phys,
                 (uint64_t)MACHINE_PAGE_BYTES << tables.order, READ_WRITE) ||
        !lab_map(guest->parent, live->iova, live->pages[LIVE_BELOW].phys, LAB_PAGE, READ_WRITE))
        return false;
    live->second = nest(guest);
    return live->second != NULL;
}

static bool live_move(struct live *live, const struct live_place *place)
{
    struct sluice_device *device = live->guest.stage.device;
    return (place->domain != NULL ? sluice_domain_attach(place->domain, device)
                                  : sluice_domain_detach(device)) == SLUICE_OK;
}

/* Every page is as it was, or, where one of the places reaches it, as the device left it. */
static bool live_look(const struct live *live, const struct live_place *from,
                      const struct live_place *to)
{
    bool good = true;
    for (unsigned i = 0; i < LIVE_PAGES; i++) {
        bool allowed = i == from->reaches || i == to->reaches;
        good &= has_pattern(live->pages[i].virt, STAGE_BYTES, 70 + i) ||
                (allowed && has_pattern(live->pages[i].virt, STAGE_BYTES, STAGE_SEED));
    }
    return good;
}

/* From one place to the other and back, for as long as the device writes. */
static bool live_between(struct live *live, const struct live_place *from,
                         const struct live_place *to)
{
    struct edu *edu = live->guest.stage.edu;
    unsigned moves = 0;
    bool moved = true;
    for (unsigned i = 0; i < LIVE_PAGES; i++)
        fill_pattern(live->pages[i].virt, STAGE_BYTES, 70 + i);
    for (unsigned round = 0; round < LIVE_ROUNDS && moved; round++) {
        moved = edu_start(edu, EDU_TO_MEMORY, live->iova, 0, STAGE_BYTES, false);
        while (moved && edu_busy(edu)) {
            moved = live_move(live, to) && live_move(live, from);
            moves += 2;
        }
    }
    return check(moved && moves > LIVE_ROUNDS,
                 "while it writes it moves %u times between %s and %s", moves, from->name,
                 to->name) &&
           check(live_look(live, from, to), "no byte is where neither of them leads");
}

static void run_nested_live(struct lab *lab)
{
    struct live live;
    if (!live_begin(lab, &live))
        return;
    struct stage *stage = &live.guest.stage;
    const struct live_place nested = {"the guest's tables", stage->domain, LIVE_FIRST},
                            second = {"others of the guest's", live.second, LIVE_OTHER},
                            parent = {"the domain below", live.guest.parent, LIVE_BELOW},
                            nowhere = {"no domain", NULL, LIVE_PAGES};
    if (!live_between(&live, &nested, &nowhere) || !live_between(&live, &nested, &second) ||
        !live_between(&live, &nested, &parent))
        return;
    stage_check_writes(stage, live.iova, live.pages[LIVE_FIRST], ": where it is now");
}

const struct scenario scenarios_nested[] = {
    {"nested", "A guest's tables on ours: the device goes through both", run_nested},
    {"nested-move", "In and out of a guest's tables, and tables that are not the guest's",
     run_nested_move},
    {"nested-live", "Between a guest's tables and other places while the device writes",
     run_nested_live},
    {NULL, NULL, NULL},
};
