// SPDX-License-Identifier: MIT
/*
 * Root and context tables [VT-d 3.4.2, 9.1, 9.3]: who each source is translated for.
 *
 * An entry changes from one domain to another with one 16-byte store where the CPU has one, so the
 * unit sees the old or the new entry and never a mixture; elsewhere it is taken away first.
 */
#include "unit/intel/vtd.h"

struct vtd_entry {
    _Atomic uint64_t low;
    _Atomic uint64_t high;
};

_Static_assert(sizeof(struct vtd_entry) == 16, "root and context entries are 128 bits");

static struct vtd_entry *root_entry(struct vtd *vtd, uint16_t rid)
{
    return (struct vtd_entry *)vtd->root.virt + SLUICE_RID_BUS(rid);
}

static struct vtd_entry *context_entry(struct vtd *vtd, uint16_t rid)
{
    struct vtd_entry *table = vtd->contexts[SLUICE_RID_BUS(rid)].virt;

    return table == NULL ? NULL : table + (rid & 0xffu);
}

/* FPD counts also in an entry that is not present [VT-d 9.3]. */
static uint64_t entry_absent(const struct source *source)
{
    return VTD_PREP(CONTEXT_LOW_FPD, source->silenced);
}

static uint64_t entry_low(const struct source *source, const struct domain_link *link, bool ats)
{
    unsigned type = ats ? VTD_TT_DEVICE_TLB : VTD_TT_UNTRANSLATED;
    uint64_t quiet = entry_absent(source);

    if (link == NULL)
        return quiet;
    if (link->pt == NULL)
        return quiet | VTD_MASK(CONTEXT_LOW_P) | VTD_PREP(CONTEXT_LOW_TT, VTD_TT_PASS_THROUGH);
    return quiet | VTD_MASK(CONTEXT_LOW_P) | VTD_PREP(CONTEXT_LOW_TT, type) |
           (link->pt->root_phys & VTD_MASK(CONTEXT_LOW_SSPTPTR));
}

static uint64_t entry_high(const struct vtd *vtd, const struct domain_link *link)
{
    unsigned levels;

    if (link == NULL)
        return 0;
    /* Pass-through: the widest the unit has [VT-d 9.3, AW]. */
    levels = link->pt != NULL ? link->pt->config.levels : vtd->capability.levels_max;
    return VTD_PREP(CONTEXT_HIGH_AW, vtd_width_of_levels(levels)) |
           VTD_PREP(CONTEXT_HIGH_DID, link->tag);
}

/* Makes the bus' context table; the root entry is written once and stays. */
static enum sluice_status context_table_make(struct vtd *vtd, uint16_t rid)
{
    struct sluice_pages *pages = &vtd->contexts[SLUICE_RID_BUS(rid)];
    struct vtd_entry *root = root_entry(vtd, rid);

    if (pages->virt != NULL)
        return SLUICE_OK;
    if (!host_pages_alloc(vtd->unit.sluice, 0, -1, pages)) {
        pages->virt = NULL;
        return SLUICE_ERR_NO_MEMORY;
    }
    vtd_clean(vtd, pages->virt, SLUICE_PAGE_BYTES);
    /* Release: the empty table before the entry that leads the unit to it. */
    atomic_store_explicit(&root->low, pages->phys | VTD_MASK(ROOT_P), memory_order_release);
    vtd_clean(vtd, root, sizeof(*root));
    return SLUICE_OK;
}

/* Not present from this store on; the other word follows when nothing uses it. */
static void entry_clear(struct vtd *vtd, struct vtd_entry *entry, const struct source *source)
{
    atomic_store_explicit(&entry->low, entry_absent(source), memory_order_release);
    vtd_clean(vtd, entry, sizeof(*entry));
}

static void entry_fill(struct vtd *vtd, struct vtd_entry *entry, uint64_t low, uint64_t high)
{
    atomic_store_explicit(&entry->high, high, memory_order_relaxed);
    /* Release: the unit sees the entry present only with its other half. */
    atomic_store_explicit(&entry->low, low, memory_order_release);
    vtd_clean(vtd, entry, sizeof(*entry));
}

static bool entry_present(struct vtd_entry *entry)
{
    return (atomic_load_explicit(&entry->low, memory_order_relaxed) & VTD_MASK(CONTEXT_LOW_P)) != 0;
}

/* The unit forgets the entry that was there [VT-d 6.5.3.3]. */
static enum sluice_status forget_old(struct vtd *vtd, const struct source *source,
                                     const struct unit_user *user)
{
    const struct vtd_context_change change = {
        .sid = (uint16_t)source->id,
        .context_did = (uint16_t)source->link->tag,
        .iotlb_did = (uint16_t)source->link->tag,
        .user = user,
    };
    enum sluice_status status = vtd_command_flush_writes(vtd);

    return status != SLUICE_OK ? status : vtd_invalidate_entry(vtd, &change);
}

/* Where nothing was: a unit in caching mode may have cached that, with domain 0 [VT-d 6.1]. */
static enum sluice_status forget_absent(struct vtd *vtd, const struct source *source,
                                        const struct domain_link *to)
{
    const struct vtd_context_change change = {
        .sid = (uint16_t)source->id,
        .context_did = 0,
        .iotlb_did = to != NULL ? (uint16_t)to->tag : 0,
    };
    enum sluice_status status = vtd_command_flush_writes(vtd);

    if (status != SLUICE_OK || !vtd->capability.caching_mode)
        return status;
    return vtd_invalidate_entry(vtd, &change);
}

/*
 * An invalidation was lost before: the unit may hold any entry that was ever there, and the device
 * what it was told then, which it can use again as soon as the new entry lets it.
 */
static enum sluice_status forget_everything(struct vtd *vtd, const struct source *source,
                                            const struct domain_link *to)
{
    const struct unit_user user = {.source = source->id, .depth = source->ats_queue_depth};
    const struct vtd_context_change change = {
        .sid = (uint16_t)source->id,
        .iotlb_did = (uint16_t)to->tag,
        .user = &user,
    };
    enum sluice_status status = vtd_invalidate_all(vtd);

    if (status != SLUICE_OK || !source->ats_enabled || !vtd->unit.caps.ats)
        return status;
    return vtd_invalidate_entry(vtd, &change);
}

/* Old entry to new one, with the unit running. */
static enum sluice_status entry_switch(struct vtd *vtd, struct source *source,
                                       struct domain_link *to, const struct unit_user *old,
                                       uint64_t low, uint64_t high)
{
    struct vtd_entry *entry = context_entry(vtd, (uint16_t)source->id);
    bool was_present = entry_present(entry);
    enum sluice_status status;

    if (to == NULL) {
        entry_clear(vtd, entry, source);
        return was_present ? forget_old(vtd, source, old) : SLUICE_OK;
    }
    if (!was_present) {
        if (atomic_load_explicit(&vtd->unit.degraded, memory_order_relaxed) != 0) {
            status = forget_everything(vtd, source, to);
            if (status != SLUICE_OK)
                return status;
        }
        entry_fill(vtd, entry, low, high);
        return forget_absent(vtd, source, to);
    }
#if SLUICE_HAVE_STORE128
    sluice_store128((uint64_t *)(void *)entry, low, high);
    vtd_clean(vtd, entry, sizeof(*entry));
    status = forget_old(vtd, source, old);
#else
    entry_clear(vtd, entry, source);
    status = forget_old(vtd, source, old);
    if (status == SLUICE_OK) {
        entry_fill(vtd, entry, low, high);
        status = forget_absent(vtd, source, to);
    }
#endif
    return status;
}

enum sluice_status vtd_attach(struct unit *unit, struct source *source, uint32_t pasid,
                              struct domain_link *to)
{
    struct vtd *vtd = vtd_of(unit);
    uint16_t rid = (uint16_t)source->id;
    const struct unit_user user = {
        .link = to,
        .source = source->id,
        .pasid = SLUICE_NO_PASID,
        .depth = source->ats_queue_depth,
        .device_tlb = unit_keeps_translations(unit, source, to),
    };
    struct unit_user *old = unit_user_of(&vtd->users, source);
    uint64_t low = entry_low(source, to, user.device_tlb);
    uint64_t high = entry_high(vtd, to);
    enum sluice_status status;

    if (pasid != SLUICE_NO_PASID || source->id > 0xffffu)
        return SLUICE_ERR_UNSUPPORTED; /* legacy mode has no PASIDs */
    if (to == NULL && context_entry(vtd, rid) == NULL)
        return SLUICE_OK; /* no table: blocked already */
    if (user.device_tlb && unit_user_add(&vtd->users, &user) != SLUICE_OK)
        return SLUICE_ERR_NO_MEMORY;
    status = context_table_make(vtd, rid);
    if (status != SLUICE_OK) {
        unit_user_remove(&vtd->users, unit_user_find(&vtd->users, rid, SLUICE_NO_PASID, to));
        return status;
    }
    if (unit->started) {
        status = entry_switch(vtd, source, to, old, low, high);
    } else {
        entry_clear(vtd, context_entry(vtd, rid), source);
        entry_fill(vtd, context_entry(vtd, rid), low, high);
    }
    unit_user_remove(&vtd->users, old);
    if (status != SLUICE_OK) {
        entry_clear(vtd, context_entry(vtd, rid), source);
        unit_degrade(unit, "source " LOG_RID " could not be moved and is blocked",
                     LOG_RID_ARGS(source->segment, rid));
    }
    return status;
}

enum sluice_status vtd_source_silence(struct unit *unit, struct source *source, bool silence)
{
    struct vtd *vtd = vtd_of(unit);
    struct vtd_entry *entry;
    enum sluice_status status;
    uint64_t low;

    if (source->id > 0xffffu)
        return SLUICE_ERR_UNSUPPORTED;
    /* A fault in the root entry is recorded whatever the context would say [VT-d 7.1.3]. */
    status = context_table_make(vtd, (uint16_t)source->id);
    if (status != SLUICE_OK)
        return status;
    entry = context_entry(vtd, (uint16_t)source->id);
    low = atomic_load_explicit(&entry->low, memory_order_relaxed) & ~VTD_MASK(CONTEXT_LOW_FPD);
    atomic_store_explicit(&entry->low, low | VTD_PREP(CONTEXT_LOW_FPD, silence),
                          memory_order_release);
    vtd_clean(vtd, entry, sizeof(*entry));
    if (!unit->started)
        return SLUICE_OK;
    return entry_present(entry) ? forget_old(vtd, source, NULL) : forget_absent(vtd, source, NULL);
}
