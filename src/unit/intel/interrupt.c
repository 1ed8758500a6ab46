// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping [VT-d 5.1, 6.5.2.8, 11.4.4, 11.4.10]: the table, its entries, turning it on
 * and off.
 *
 * Order of a start: compatibility messages refused, table pointer set, entries invalidated globally
 * (with the caches of translation, in start.c), remapping on. Where firmware left remapping on it
 * stays on: the unit uses the old table or ours, in which every entry refuses.
 *
 * The unit's own events are not remapped [VT-d 5.1.6].
 */
#include "unit/intel/irte.h"
#include "unit/intel/vtd.h"

#define ENTRIES_MAX_LG2  16u /* IRTA.S = 15 [VT-d 11.4.10] */
#define ENTRIES_PAGE_LG2 8u  /* in one page: the smallest table that is used */
#define NARROW_MAX       32u /* invalidations by index before the global one is cheaper */

struct entry {
    _Atomic uint64_t low;
    _Atomic uint64_t high;
};

_Static_assert(sizeof(struct entry) == sizeof(struct vtd_irte), "as the unit reads it");

static struct entry *entry_at(struct vtd *vtd, uint32_t index)
{
    return (struct entry *)vtd->interrupts.table.virt + index;
}

/* Release: the entry's other word is there before the one that makes it present. */
static void entry_set(struct vtd *vtd, uint32_t index, uint64_t low)
{
    struct entry *entry = entry_at(vtd, index);

    atomic_store_explicit(&entry->low, low, memory_order_release);
    vtd_clean(vtd, entry, sizeof(*entry));
}

/* Only while the entry is absent, and no cache holds it as present. */
static void entry_set_source(struct vtd *vtd, uint32_t index, uint64_t high)
{
    struct entry *entry = entry_at(vtd, index);

    atomic_store_explicit(&entry->high, high, memory_order_relaxed);
    vtd_clean(vtd, entry, sizeof(*entry));
}

/* ---- memory ---- */

static const char *obstacle_of(const struct vtd *vtd)
{
    if (VTD_GET(ECAP_IR, vtd->capability.ecap) == 0)
        return "the unit has no interrupt remapping (ECAP.IR)";
    if ((vtd->errata & VTD_ERRATUM_NO_INTERRUPT_REMAPPING) != 0)
        return "an erratum of this chipset makes it unsafe";
    if (!vtd->use_queue)
        return "it needs the invalidation queue, which is not used";
    return NULL;
}

static unsigned wanted_lg2(const struct sluice *sluice)
{
    uint32_t wanted = sluice->config.interrupt_entries;
    unsigned lg2 = ENTRIES_PAGE_LG2;

    if (wanted == 0)
        return ENTRIES_MAX_LG2;
    while (lg2 < ENTRIES_MAX_LG2 && (uint32_t)1 << lg2 < wanted)
        lg2++;
    return lg2;
}

bool vtd_interrupts_prepare(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;
    struct vtd_interrupts *interrupts = &vtd->interrupts;
    unsigned lg2 = wanted_lg2(sluice);

    if (sluice->config.interrupts != SLUICE_INTERRUPTS_REMAPPED)
        return true;
    vtd->unit.caps.interrupt_obstacle = obstacle_of(vtd);
    if (vtd->unit.caps.interrupt_obstacle != NULL)
        return true;
    /* A smaller table where so much in one piece is not to be had. */
    while (!host_pages_alloc(sluice, lg2 - ENTRIES_PAGE_LG2, -1, &interrupts->table)) {
        interrupts->table.virt = NULL;
        if (lg2-- == ENTRIES_PAGE_LG2)
            return false;
    }
    interrupts->entries_lg2 = lg2;
    interrupts->order = lg2 - ENTRIES_PAGE_LG2;
    vtd_clean(vtd, interrupts->table.virt, (size_t)SLUICE_PAGE_BYTES << interrupts->order);
    if (!unit_index_init(sluice, &interrupts->index, (uint32_t)1 << lg2))
        return false;
    vtd->unit.caps.interrupt_entries = (uint32_t)1 << lg2;
    vtd->unit.caps.x2apic = VTD_GET(ECAP_EIM, vtd->capability.ecap) != 0;
    return true;
}

void vtd_interrupts_release(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;
    struct vtd_interrupts *interrupts = &vtd->interrupts;

    if (interrupts->table.virt != NULL) {
        if (vtd->unit.exposed)
            atomic_fetch_add_explicit(&sluice->withheld_pages, (uint64_t)1 << interrupts->order,
                                      memory_order_relaxed);
        else
            host_pages_free(sluice, interrupts->table, interrupts->order);
        interrupts->table.virt = NULL;
    }
    unit_index_free(sluice, &interrupts->index);
}

/* ---- on and off ---- */

enum sluice_status vtd_interrupts_set_table(struct vtd *vtd)
{
    bool x2apic = vtd->unit.sluice->x2apic;
    enum sluice_status status = SLUICE_OK;
    uint64_t irta = vtd->interrupts.table.phys | VTD_PREP(IRTA_EIME, x2apic) |
                    VTD_PREP(IRTA_S, vtd->interrupts.entries_lg2 - 1);

    if ((vtd_read32(vtd, VTD_REG_GSTS) & VTD_MASK32(GSTS_CFIS)) != 0)
        status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_CFIS), false,
                                     "compatibility interrupts refused");
    if (status == SLUICE_OK)
        status = vtd_command_flush_writes(vtd);
    if (status == SLUICE_OK)
        status = vtd_command_set_interrupt_table(vtd, irta);
    return status;
}

enum sluice_status vtd_interrupts_enable(struct vtd *vtd)
{
    enum sluice_status status =
        vtd_command_lasting(vtd, VTD_MASK32(GSTS_IRES), true, "interrupt remapping on");

    if (status != SLUICE_OK)
        return status;
    log_info(vtd->unit.sluice, "%s: interrupts are remapped, %u entries, %s destinations",
             vtd->unit.name, (unsigned)vtd->unit.caps.interrupt_entries,
             vtd->unit.sluice->x2apic ? "x2APIC" : "xAPIC");
    return SLUICE_OK;
}

enum sluice_status vtd_interrupts_disable(struct vtd *vtd)
{
    if ((vtd_read32(vtd, VTD_REG_GSTS) & VTD_MASK32(GSTS_IRES)) == 0)
        return SLUICE_OK;
    return vtd_command_lasting(vtd, VTD_MASK32(GSTS_IRES), false, "interrupt remapping off");
}

enum sluice_status vtd_interrupts_put_back(struct vtd *vtd, uint32_t gsts, uint64_t irta)
{
    enum sluice_status status;

    if ((gsts & VTD_MASK32(GSTS_IRES)) == 0)
        return vtd_interrupts_disable(vtd);
    status = vtd_command_set_interrupt_table(vtd, irta);
    if (status == SLUICE_OK && VTD_GET(CAP_ESIRTPS, vtd->capability.cap) == 0)
        status =
            vtd->queue.enabled && !vtd->queue.dead ? vtd_invalidate_all(vtd) : SLUICE_ERR_HARDWARE;
    if (status == SLUICE_OK && (gsts & VTD_MASK32(GSTS_CFIS)) != 0)
        status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_CFIS), true, "firmware's mode again");
    return status;
}

/* ---- invalidation ---- */

/* The largest block of entries that begins at `first`, is aligned, and fits `count` and MHMV. */
static unsigned narrow_lg2(const struct vtd *vtd, uint32_t first, uint32_t count)
{
    unsigned limit = (unsigned)VTD_GET(ECAP_MHMV, vtd->capability.ecap);
    unsigned lg2 = 0;

    while (lg2 < limit && (first >> lg2 & 1u) == 0 && (uint32_t)2 << lg2 <= count)
        lg2++;
    return lg2;
}

static unsigned narrow_count(const struct vtd *vtd, uint32_t first, uint32_t count)
{
    unsigned needed = 0;

    while (count > 0 && needed <= NARROW_MAX) {
        uint32_t step = (uint32_t)1 << narrow_lg2(vtd, first, count);

        first += step;
        count -= step;
        needed++;
    }
    return needed;
}

/*
 * Entries that changed. When its wait is done, what was let through before has arrived in the
 * interrupt domain of the CPUs [VT-d 6.5.4].
 */
static enum sluice_status invalidate(struct vtd *vtd, uint32_t first, uint32_t count)
{
    enum sluice_status status;
    struct vtd_batch batch;
    struct unit_ticket ticket;

    if (!vtd->unit.started)
        return SLUICE_OK;
    status = vtd_command_flush_writes(vtd);
    if (status == SLUICE_OK) {
        vtd_batch_begin(vtd, &batch);
        if (narrow_count(vtd, first, count) > NARROW_MAX) {
            vtd_batch_add(&batch, vtd_desc_interrupt_entries());
            count = 0;
        }
        while (count > 0) {
            unsigned lg2 = narrow_lg2(vtd, first, count);

            vtd_batch_add(&batch, vtd_desc_interrupt_entry((uint16_t)first, lg2));
            first += (uint32_t)1 << lg2;
            count -= (uint32_t)1 << lg2;
        }
        status = vtd_batch_end(&batch, &ticket);
    }
    if (status == SLUICE_OK)
        status = vtd_queue_wait(vtd, &ticket);
    if (status != SLUICE_OK)
        unit_degrade(&vtd->unit, "an invalidation of interrupt entries was not confirmed");
    return status;
}

/* ---- the operations of unit.h ---- */

enum sluice_status vtd_interrupt_alloc(struct unit *unit, struct interrupt_block *block)
{
    struct vtd *vtd = vtd_of(unit);
    uint32_t align = block->kind == SLUICE_INTERRUPT_MSI ? block->count : 1;
    enum sluice_status status =
        unit_index_take(&vtd->interrupts.index, block->count, align, &block->first);

    if (status != SLUICE_OK)
        return status;
    for (unsigned i = 0; i < block->count; i++)
        entry_set_source(vtd, block->first + i, vtd_irte_source(block));
    return SLUICE_OK;
}

enum sluice_status vtd_interrupt_write(struct unit *unit, const struct interrupt_block *block,
                                       unsigned index, const struct sluice_interrupt_route *route)
{
    struct vtd *vtd = vtd_of(unit);
    /* Refused on purpose: not a fault. */
    uint64_t low =
        route != NULL ? vtd_irte_remapped(route, unit->sluice->x2apic) : VTD_MASK(IRTE_LOW_FPD);

    entry_set(vtd, block->first + index, low);
    /* Also where nothing was: in caching mode that may be cached [VT-d 6.1]. */
    return invalidate(vtd, block->first + index, 1);
}

enum sluice_status vtd_interrupt_free(struct unit *unit, struct interrupt_block *block)
{
    struct vtd *vtd = vtd_of(unit);
    enum sluice_status status;

    for (unsigned i = 0; i < block->count; i++)
        entry_set(vtd, block->first + i, 0);
    status = invalidate(vtd, block->first, block->count);
    if (status != SLUICE_OK) {
        vtd->interrupts.index.withheld += block->count;
        return status;
    }
    for (unsigned i = 0; i < block->count; i++)
        entry_set_source(vtd, block->first + i, 0);
    unit_index_give(&vtd->interrupts.index, block->first, block->count);
    return SLUICE_OK;
}

void vtd_interrupt_message(struct unit *unit, const struct interrupt_block *block, unsigned index,
                           const struct sluice_interrupt_route *route,
                           struct interrupt_message *out)
{
    /* The device adds its message number to the data, and the unit the data to the handle. */
    bool subhandle = block->kind == SLUICE_INTERRUPT_MSI && block->count > 1;

    (void)unit;
    *out = (struct interrupt_message){
        .msi = {.address = vtd_message_address(block->first + index, subhandle)},
    };
    if (block->kind == SLUICE_INTERRUPT_IOAPIC && route != NULL)
        out->ioapic = vtd_ioapic_entry(block->first + index, route);
}

void vtd_interrupt_count(struct unit *unit, struct sluice_interrupt_info *info)
{
    const struct unit_index *index = &vtd_of(unit)->interrupts.index;

    info->entries += index->total;
    info->used += index->used - index->withheld;
    info->withheld += index->withheld;
}
