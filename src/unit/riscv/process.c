// SPDX-License-Identifier: MIT
/*
 * Process directories [RISC-V IOMMU 2.2, 2.3.2]: where requests with a PASID go. A device has one
 * from its first PASID to its last. Its device context then leads to the directory instead of to a
 * first stage, and process 0 is where requests without a PASID go, so that they never find none:
 * without one (DPE clear) they would pass untranslated.
 *
 * A directory has as many levels as the unit takes at most, chained by first entries as the device
 * directory is. A context has two words, so it is made not valid first, and the unit confirms that
 * it forgot the old one; so is the device context where it changes between a first stage and a
 * directory. Both block for that moment.
 *
 * Only beside first stages: under a second stage, directories and first stages are a guest's.
 */
#include "unit/riscv/riommu.h"

unsigned riommu_process_levels(const struct riommu *riommu)
{
    return RIOMMU_HAS(riommu, PD20) ? 3 : RIOMMU_HAS(riommu, PD17) ? 2 : RIOMMU_HAS(riommu, PD8);
}

unsigned riommu_process_bits(const struct riommu *riommu)
{
    unsigned levels = riommu_process_levels(riommu);

    return levels == 3 ? 20 : levels == 2 ? 17 : levels == 1 ? 8 : 0;
}

/* ---- tables ---- */

static size_t entry_words(unsigned level)
{
    return level == 0 ? 2 : 1;
}

static bool directory_make(struct riommu *riommu, struct riommu_processes *processes)
{
    unsigned levels = riommu_process_levels(riommu);

    for (unsigned level = 0; level < levels; level++) {
        if (!riommu_table_make(riommu, &processes->top[level])) {
            for (unsigned made = 0; made < level; made++)
                riommu_give_back(riommu, &processes->top[made], 0);
            return false;
        }
        if (level > 0)
            riommu_word_set(riommu, processes->top[level].virt,
                            riommu_directory_entry(processes->top[level - 1].phys));
    }
    processes->levels = levels;
    return true;
}

/* Frees what the table of a level leads to, but for the top table below it. */
static void free_below(struct riommu *riommu, const struct riommu_processes *processes,
                       riommu_word *table, unsigned level)
{
    for (unsigned i = 0; i < SLUICE_PAGE_BYTES / sizeof(*table); i++) {
        uint64_t entry = riommu_word_get(&table[i]);

        if (RIOMMU_GET(DDTE_V, entry) != 0 &&
            riommu_directory_table(entry) != processes->top[level - 1].phys)
            riommu_table_free(riommu, entry);
    }
}

void riommu_processes_free(struct riommu *riommu, struct riommu_processes *processes)
{
    riommu_word *root = processes->levels == 3 ? processes->top[2].virt : NULL;

    for (unsigned i = 0; root != NULL && i < SLUICE_PAGE_BYTES / sizeof(*root); i++) {
        uint64_t entry = riommu_word_get(&root[i]);

        if (RIOMMU_GET(DDTE_V, entry) != 0)
            free_below(riommu, processes,
                       host_phys_to_virt(riommu->unit.sluice, riommu_directory_table(entry)), 1);
    }
    for (unsigned level = processes->levels; level-- > 1;)
        free_below(riommu, processes, processes->top[level].virt, level);
    for (unsigned level = 0; level < processes->levels; level++)
        riommu_give_back(riommu, &processes->top[level], 0);
    processes->levels = 0;
}

/* The entries on the way to a process, by level; false: there is no table for it (yet). */
static bool find_path(struct riommu *riommu, const struct riommu_processes *processes,
                      uint32_t pasid, bool make, riommu_word *path[RIOMMU_LEVELS])
{
    riommu_word *table = processes->top[processes->levels - 1].virt;

    for (unsigned level = processes->levels; level-- > 0 && table != NULL;) {
        path[level] = table + entry_words(level) * riommu_process_index(level, pasid);
        if (level > 0)
            table = riommu_table_below(riommu, path[level], make);
    }
    return table != NULL;
}

/* Whether nothing in the table that an entry of a level lies in is valid. */
static bool is_empty(riommu_word *entry, unsigned level)
{
    riommu_word *table = (riommu_word *)((uintptr_t)entry & ~(uintptr_t)(SLUICE_PAGE_BYTES - 1));

    for (size_t i = 0; i < SLUICE_PAGE_BYTES / sizeof(*table); i += entry_words(level)) {
        if (RIOMMU_GET(PC_V, riommu_word_get(&table[i])) != 0)
            return false;
    }
    return true;
}

/*
 * Frees the tables on the way to a process that are empty now, once the unit has forgotten the
 * entries that led to them [RISC-V IOMMU 6.3.2].
 */
static enum sluice_status free_empty(struct riommu *riommu, struct riommu_device *device,
                                     riommu_word *path[RIOMMU_LEVELS])
{
    const struct riommu_context nothing = riommu_context_blocked();
    const struct riommu_processes *processes = &device->processes;

    for (unsigned level = 0; level + 1 < processes->levels; level++) {
        uint64_t entry = riommu_word_get(path[level + 1]);
        enum sluice_status status = SLUICE_OK;

        if (riommu_directory_table(entry) == processes->top[level].phys ||
            !is_empty(path[level], level))
            return SLUICE_OK;
        riommu_word_set(riommu, path[level + 1], 0);
        if (riommu->unit.started)
            status = riommu_invalidate_device(riommu, device->id, &nothing, false);
        if (status != SLUICE_OK) {
            atomic_fetch_add_explicit(&riommu->unit.sluice->withheld_pages, 1,
                                      memory_order_relaxed);
            return status;
        }
        riommu_table_free(riommu, entry);
    }
    return SLUICE_OK;
}

/* ---- contexts ---- */

static struct riommu_process_context context_get(riommu_word *at)
{
    return (struct riommu_process_context){.ta = riommu_word_get(&at[0]),
                                           .fsc = riommu_word_get(&at[1])};
}

static void context_set(struct riommu *riommu, riommu_word *at,
                        const struct riommu_process_context *to)
{
    riommu_word_set(riommu, &at[1], to->fsc);
    riommu_word_set(riommu, &at[0], to->ta); /* makes the other count */
}

static struct riommu_process_context context_for(const struct domain_link *link)
{
    struct riommu_walk walk;

    if (link == NULL)
        return (struct riommu_process_context){0};
    if (link->pt == NULL)
        return (struct riommu_process_context){.ta = RIOMMU_MASK(PC_V)};
    walk = (struct riommu_walk){
        .root = link->pt->root_phys, .levels = link->pt->config.levels, .tag = link->tag};
    return riommu_process_context_make(&walk);
}

/* Old context to new one. */
static enum sluice_status context_switch(struct riommu *riommu, uint32_t device, uint32_t pasid,
                                         riommu_word *at, const struct domain_link *link, bool tlb)
{
    const struct riommu_process_context nothing = {0}, to = context_for(link);
    const struct riommu_process_context old = context_get(at);
    bool valid = RIOMMU_GET(PC_V, old.ta) != 0;
    enum sluice_status status = SLUICE_OK;

    riommu_word_set(riommu, &at[0], 0);
    if (!riommu->unit.started) {
        context_set(riommu, at, &to);
        return SLUICE_OK;
    }
    /* An invalidation was lost before: the unit may hold any context that was ever there. */
    if (!valid && atomic_load_explicit(&riommu->unit.degraded, memory_order_relaxed) != 0)
        status = riommu_invalidate_everything(riommu);
    else if (valid)
        status = riommu_invalidate_process(riommu, device, pasid, &old, tlb);
    if (status != SLUICE_OK || link == NULL)
        return status;
    context_set(riommu, at, &to);
    return riommu_invalidate_process(riommu, device, pasid, &nothing, false);
}

enum sluice_status riommu_process_default(struct riommu *riommu, struct riommu_device *device,
                                          const struct domain_link *link, bool tlb)
{
    riommu_word *at = device->processes.top[0].virt;
    enum sluice_status status = context_switch(riommu, device->id, 0, at, link, tlb);

    if (status != SLUICE_OK)
        riommu_word_set(riommu, &at[0], 0);
    return status;
}

/* ---- from a first stage to a directory and back ---- */

/* Not in use yet: the device context does not lead there. */
static enum sluice_status directory_open(struct riommu *riommu, const struct source *source,
                                         struct riommu_device *device)
{
    const struct riommu_process_context without = context_for(source->link);

    if (device->processes.levels != 0)
        return SLUICE_OK;
    if (!directory_make(riommu, &device->processes))
        return SLUICE_ERR_NO_MEMORY;
    context_set(riommu, device->processes.top[0].virt, &without);
    return SLUICE_OK;
}

/* After the last PASID. Where something was lost, the unit may still walk it, so it stays. */
static enum sluice_status directory_close(struct riommu *riommu, const struct source *source,
                                          struct riommu_device *device)
{
    struct riommu_processes processes = device->processes;
    enum sluice_status status;

    if (processes.count != 0 || processes.levels == 0 || device->in_doubt)
        return SLUICE_OK;
    device->processes.levels = 0;
    status = riommu_context_renew(riommu, source, device);
    if (status == SLUICE_OK)
        riommu_processes_free(riommu, &processes);
    else
        device->processes = processes;
    return status;
}

/* ---- attaching ---- */

static const struct domain_link *link_of(const struct source *source, uint32_t pasid)
{
    for (const struct source_pasid *at = source->pasids; at != NULL; at = at->next) {
        if (at->pasid == pasid)
            return at->link;
    }
    return NULL;
}

static enum sluice_status process_point(struct riommu *riommu, const struct source *source,
                                        uint32_t pasid, riommu_word *path[RIOMMU_LEVELS],
                                        const struct domain_link *to, struct riommu_device *device)
{
    const struct unit_user user = {
        .link = to,
        .source = source->id,
        .pasid = pasid,
        .device_tlb = unit_keeps_translations(&riommu->unit, source, to),
    };
    struct unit_user *old =
        unit_user_find(&riommu->users, source->id, pasid, link_of(source, pasid));
    bool was = RIOMMU_GET(PC_V, riommu_word_get(path[0])) != 0;
    enum sluice_status status;

    if (user.device_tlb && unit_user_add(&riommu->users, &user) != SLUICE_OK)
        return SLUICE_ERR_NO_MEMORY;
    status = context_switch(riommu, source->id, pasid, path[0], to, old != NULL);
    if (status == SLUICE_OK && to != NULL)
        status = riommu_context_renew(riommu, source, device); /* leads here from the first on */
    unit_user_remove(&riommu->users, old);
    device->processes.count -= was;
    if (status == SLUICE_OK) {
        device->processes.count += to != NULL;
        return SLUICE_OK;
    }
    riommu_word_set(riommu, path[0], 0);
    device->in_doubt = true;
    unit_degrade(&riommu->unit, "PASID %#x of device %#x could not be moved and is blocked",
                 (unsigned)pasid, (unsigned)source->id);
    return status;
}

static enum sluice_status attach_in(struct riommu *riommu, const struct source *source,
                                    uint32_t pasid, const struct domain_link *to,
                                    struct riommu_device *device)
{
    riommu_word *path[RIOMMU_LEVELS] = {NULL};
    enum sluice_status status;

    if (!find_path(riommu, &device->processes, pasid, to != NULL, path) || path[0] == NULL)
        return to == NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
    status = process_point(riommu, source, pasid, path, to, device);
    if (status == SLUICE_OK && to == NULL)
        status = free_empty(riommu, device, path);
    return status;
}

static bool is_first(const struct domain_link *link)
{
    return link->pt != NULL && link->pt->format == &pt_format_riscv_first_stage;
}

bool riommu_beside_processes(const struct domain_link *link)
{
    return link == NULL || link->pt == NULL || is_first(link);
}

enum sluice_status riommu_process_attach(struct riommu *riommu, const struct source *source,
                                         uint32_t pasid, const struct domain_link *to)
{
    struct riommu_device *device = riommu_device_find(riommu, source->id);
    enum sluice_status status;

    if (to == NULL && (device == NULL || device->processes.levels == 0))
        return SLUICE_OK;
    if (pasid == 0 || pasid >> riommu->unit.caps.pasid_bits != 0 || (to != NULL && !is_first(to)) ||
        !riommu_beside_processes(source->link))
        return SLUICE_ERR_UNSUPPORTED;
    status = riommu_device_get(riommu, source->id, &device);
    if (status != SLUICE_OK)
        return status;
    status = directory_open(riommu, source, device);
    if (status == SLUICE_OK)
        status = attach_in(riommu, source, pasid, to, device);
    if (status != SLUICE_ERR_TIMEOUT && status != SLUICE_ERR_HARDWARE) {
        enum sluice_status closed = directory_close(riommu, source, device);

        if (status == SLUICE_OK)
            status = closed;
    }
    riommu_device_settle(riommu, device);
    return status;
}
