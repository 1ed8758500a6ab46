// SPDX-License-Identifier: MIT
/*
 * The device directory [RISC-V IOMMU 2.1, 2.3.1]: whose accesses go where. It has three levels in
 * memory, and the first entry of each top table leads to the one below; so a unit that takes only
 * one or two levels is given the second or the third of these tables, and sees the same contexts.
 * Tables below are made when a device of theirs is first attached.
 *
 * The unit reads a context as several words and may cache it while it changes, but never caches
 * one that is not valid [RISC-V IOMMU 2.8]. So a context of which only one word differs (second
 * stage, from one table to another) is changed by one store; any other is made not valid first, and
 * the unit confirms that it forgot the old one [RISC-V IOMMU 2.9].
 */
#include "unit/riscv/riommu.h"

#define NOTHING_ORDER 2u /* the root of a second stage is 16 KiB */

static unsigned context_words(const struct riommu *riommu)
{
    return riommu->capability.extended ? RIOMMU_CONTEXT_WORDS : RIOMMU_CONTEXT_WORDS / 2;
}

bool riommu_directory_make(struct riommu *riommu)
{
    for (unsigned level = 0; level < RIOMMU_LEVELS; level++) {
        if (!riommu_table_make(riommu, &riommu->top[level]))
            return false;
        if (level > 0)
            riommu_word_set(riommu, riommu->top[level].virt,
                            riommu_directory_entry(riommu->top[level - 1].phys));
    }
    return true;
}

/* Frees what an entry leads to, where it is not a top table. */
static void table_free(struct riommu *riommu, uint64_t entry, sluice_phys_t top)
{
    if (RIOMMU_GET(DDTE_V, entry) != 0 && riommu_directory_table(entry) != top)
        riommu_table_free(riommu, entry);
}

static void level1_free(struct riommu *riommu, riommu_word *table)
{
    for (unsigned i = 0; i < SLUICE_PAGE_BYTES / sizeof(*table); i++)
        table_free(riommu, riommu_word_get(&table[i]), riommu->top[0].phys);
}

void riommu_directory_free(struct riommu *riommu)
{
    riommu_word *root = riommu->top[2].virt;

    for (unsigned i = 0; root != NULL && i < SLUICE_PAGE_BYTES / sizeof(*root); i++) {
        uint64_t entry = riommu_word_get(&root[i]);

        if (RIOMMU_GET(DDTE_V, entry) == 0)
            continue;
        level1_free(riommu, host_phys_to_virt(riommu->unit.sluice, riommu_directory_table(entry)));
        table_free(riommu, entry, riommu->top[1].phys);
    }
    if (root == NULL && riommu->top[1].virt != NULL)
        level1_free(riommu, riommu->top[1].virt);
    for (unsigned level = 0; level < RIOMMU_LEVELS; level++)
        riommu_give_back(riommu, &riommu->top[level], 0);
    riommu_give_back(riommu, &riommu->nothing, NOTHING_ORDER);
}

static unsigned bits_of(const struct riommu *riommu, unsigned levels)
{
    return riommu_directory_bits(riommu->capability.extended, levels);
}

static enum sluice_status try_levels(struct riommu *riommu, unsigned levels)
{
    enum sluice_status status =
        riommu_directory_set(riommu, (enum riommu_ddtp_mode)(RIOMMU_DDTP_1LVL + levels - 1),
                             riommu->top[levels - 1].phys);

    if (status == SLUICE_OK)
        riommu->levels = levels;
    return status;
}

/* The fewest levels that hold all device IDs, else more, else the most there are. */
enum sluice_status riommu_directory_on(struct riommu *riommu)
{
    enum sluice_status status = SLUICE_ERR_UNSUPPORTED;
    unsigned want = 1;

    while (want < RIOMMU_LEVELS && bits_of(riommu, want) < riommu->capability.device_bits)
        want++;
    for (unsigned levels = want; status == SLUICE_ERR_UNSUPPORTED && levels <= RIOMMU_LEVELS;
         levels++)
        status = try_levels(riommu, levels);
    for (unsigned levels = want - 1; status == SLUICE_ERR_UNSUPPORTED && levels > 0; levels--)
        status = try_levels(riommu, levels);
    if (status == SLUICE_ERR_UNSUPPORTED)
        log_error(riommu->unit.sluice, "%s: DDTP takes no mode with a directory",
                  riommu->unit.name);
    else if (status == SLUICE_OK &&
             bits_of(riommu, riommu->levels) < riommu->capability.device_bits)
        log_warning(riommu->unit.sluice,
                    "%s: device IDs of more than %u bits stay blocked: %u levels are all it has",
                    riommu->unit.name, bits_of(riommu, riommu->levels), riommu->levels);
    return status;
}

/* ---- contexts ---- */

/* Where a device's context is; NULL: there is no table for it (yet). */
static riommu_word *context_at(struct riommu *riommu, uint32_t device, bool make)
{
    bool extended = riommu->capability.extended;
    riommu_word *table = riommu->top[2].virt;

    for (unsigned level = RIOMMU_LEVELS - 1; level > 0 && table != NULL; level--)
        table = riommu_table_below(riommu, &table[riommu_directory_index(extended, level, device)],
                                   make);
    if (table == NULL)
        return NULL;
    return table +
           (size_t)(device & ((1u << riommu_leaf_bits(extended)) - 1)) * context_words(riommu);
}

bool riommu_in_reach(const struct riommu *riommu, uint32_t device)
{
    unsigned bits = riommu->levels != 0 ? bits_of(riommu, riommu->levels) : RIOMMU_DEVICE_BITS_MAX;

    return device >> bits == 0;
}

static void context_get(struct riommu *riommu, riommu_word *at, struct riommu_context *out)
{
    *out = riommu_context_blocked();
    for (unsigned i = 0; i < context_words(riommu); i++)
        out->word[i] = riommu_word_get(&at[i]);
}

static bool is_valid(const struct riommu_context *context)
{
    return RIOMMU_GET(TC_V, context->word[RIOMMU_WORD_TC]) != 0;
}

/* How many words two contexts differ in. */
static unsigned difference(const struct riommu_context *one, const struct riommu_context *other)
{
    unsigned count = 0;

    for (unsigned i = 0; i < RIOMMU_CONTEXT_WORDS; i++)
        count += one->word[i] != other->word[i];
    return count;
}

/* Whether a device may reach anything by it: one that is blocked and silent has a valid one too. */
static bool is_open(const struct riommu *riommu, const struct riommu_context *context)
{
    const struct riommu_context nothing = riommu_context_for(riommu, NULL, NULL, false, true);

    return is_valid(context) &&
           (riommu->nothing.virt == NULL || difference(context, &nothing) != 0);
}

static void context_block(struct riommu *riommu, riommu_word *at)
{
    riommu_word_set(riommu, &at[RIOMMU_WORD_TC], 0);
}

/* All other words before the one that makes them count. */
static void context_fill(struct riommu *riommu, riommu_word *at, const struct riommu_context *to)
{
    for (unsigned i = context_words(riommu) - 1; i > RIOMMU_WORD_TC; i--)
        riommu_word_set(riommu, &at[i], to->word[i]);
    riommu_word_set(riommu, &at[RIOMMU_WORD_TC], to->word[RIOMMU_WORD_TC]);
}

/* ---- attaching ---- */

/* Old context to new one, with the unit running. */
static enum sluice_status context_switch(struct riommu *riommu, const struct source *source,
                                         riommu_word *at, const struct riommu_context *to,
                                         bool had_ats)
{
    struct riommu_context old;
    enum sluice_status status;

    context_get(riommu, at, &old);
    if (is_valid(&old) && (!is_valid(to) || difference(&old, to) > 1)) {
        context_block(riommu, at);
        status = riommu_invalidate_device(riommu, source->id, &old, had_ats);
        if (status != SLUICE_OK || !is_valid(to))
            return status;
        old = riommu_context_blocked();
        had_ats = false;
    }
    context_fill(riommu, at, to);
    return riommu_invalidate_device(riommu, source->id, &old, had_ats);
}

/*
 * No command names the first stages of all guests, so nothing that was done before dropped what may
 * be left of them under this one's tag. Where that cannot be had, the old context goes.
 */
static enum sluice_status forget_first_stages(struct riommu *riommu, const struct source *source,
                                              riommu_word *at, const struct riommu_context *old,
                                              const struct riommu_context *to)
{
    uint32_t guest = (uint32_t)RIOMMU_GET(IOHGATP_GSCID, to->word[RIOMMU_WORD_IOHGATP]);
    enum sluice_status status = riommu_invalidate_first_stages(riommu, guest);

    if (status == SLUICE_OK)
        return SLUICE_OK;
    context_block(riommu, at);
    if (riommu_invalidate_device(riommu, source->id, old, riommu_has_tlb(riommu, source)) !=
        SLUICE_OK)
        log_error(riommu->unit.sluice, "%s: device %#x may go on as it was", riommu->unit.name,
                  (unsigned)source->id);
    return status;
}

static enum sluice_status move(struct riommu *riommu, const struct source *source, riommu_word *at,
                               const struct riommu_context *to, bool had_ats)
{
    struct riommu_context old;

    if (!riommu->unit.started) {
        context_block(riommu, at);
        context_fill(riommu, at, to);
        return SLUICE_OK;
    }
    context_get(riommu, at, &old);
    /* An invalidation was lost before: the unit may hold any context that was ever there, and the
     * device what it was told then. */
    if (!is_open(riommu, &old) &&
        atomic_load_explicit(&riommu->unit.degraded, memory_order_relaxed) != 0) {
        enum sluice_status status = riommu_invalidate_everything(riommu);

        if (status != SLUICE_OK)
            return status;
        had_ats = riommu_has_tlb(riommu, source);
    }
    if (riommu_context_is_nested(to)) {
        enum sluice_status status = forget_first_stages(riommu, source, at, &old, to);

        if (status != SLUICE_OK)
            return status;
    }
    return context_switch(riommu, source, at, to, had_ats);
}

enum sluice_status riommu_context_lead(struct riommu *riommu, const struct riommu_device *device)
{
    const struct riommu_context nothing = riommu_context_blocked();
    riommu_word *at = context_at(riommu, device->id, false);
    struct riommu_context context;

    if (at == NULL)
        return SLUICE_OK;
    context_get(riommu, at, &context);
    if (!is_open(riommu, &context))
        return SLUICE_OK;
    /* Where the window is stands there always: one word changes. */
    riommu_messages_put(riommu, device->messages, &context);
    riommu_word_set(riommu, &at[RIOMMU_WORD_MSIPTP], context.word[RIOMMU_WORD_MSIPTP]);
    if (!riommu->unit.started)
        return SLUICE_OK;
    return riommu_invalidate_device(riommu, device->id, &nothing, false);
}

bool riommu_has_tlb(const struct riommu *riommu, const struct source *source)
{
    return source->ats_enabled && riommu->unit.caps.ats;
}

/* Nothing is known of what the unit holds for it: it stays blocked, and its tag its own. */
static void give_up(struct riommu *riommu, const struct source *source, riommu_word *at,
                    struct riommu_device *device)
{
    context_block(riommu, at);
    unit_degrade(&riommu->unit, "device %#x could not be moved and is blocked",
                 (unsigned)source->id);
    if (device != NULL)
        device->in_doubt = true;
}

/* Whether a device has a process directory. */
static bool has_processes(const struct riommu_device *device)
{
    return device != NULL && device->processes.levels != 0;
}

/* The context itself, which stays where it leads to a process directory. */
static enum sluice_status context_point(struct riommu *riommu, const struct source *source,
                                        riommu_word *at, const struct domain_link *to,
                                        const struct riommu_device *device, bool had_tlb)
{
    const struct riommu_context want =
        riommu_context_for(riommu, to, device, riommu_has_tlb(riommu, source), source->silenced);
    struct riommu_context now;

    context_get(riommu, at, &now);
    if (is_valid(&now) && has_processes(device) && difference(&now, &want) == 0)
        return SLUICE_OK;
    return move(riommu, source, at, &want, had_tlb);
}

enum sluice_status riommu_context_renew(struct riommu *riommu, const struct source *source,
                                        struct riommu_device *device)
{
    const struct unit_user *user = unit_user_of(&riommu->users, source);
    riommu_word *at = context_at(riommu, source->id, false);
    struct riommu_context now;
    enum sluice_status status;

    if (at == NULL)
        return SLUICE_OK;
    context_get(riommu, at, &now);
    if (!is_open(riommu, &now))
        return SLUICE_OK;
    status =
        context_point(riommu, source, at, source->link, device, unit_user_has_device_tlb(user));
    if (status != SLUICE_OK)
        give_up(riommu, source, at, device);
    return status;
}

/* Remembers whom invalidations of the new link have to name, if anybody. */
static enum sluice_status user_add(struct riommu *riommu, const struct source *source,
                                   const struct domain_link *to, const struct riommu_device *device)
{
    const struct unit_user user = {
        .link = to,
        .source = source->id,
        .pasid = SLUICE_NO_PASID,
        .tag = to != NULL && riommu->remaps ? device->tag : 0,
        .device_tlb = unit_keeps_translations(&riommu->unit, source, to),
    };

    if (!user.device_tlb && user.tag == 0 && (to == NULL || to->parent == NULL))
        return SLUICE_OK;
    return unit_user_add(&riommu->users, &user);
}

/* Where there is a process directory, where requests without a PASID go stands there; the context
 * is the last to be opened and the first to be shut. */
static enum sluice_status point(struct riommu *riommu, const struct source *source, riommu_word *at,
                                const struct domain_link *to, struct riommu_device *device,
                                bool had_tlb)
{
    enum sluice_status status = SLUICE_OK;

    if (has_processes(device) && to != NULL)
        status = riommu_process_default(riommu, device, to, had_tlb);
    if (status == SLUICE_OK)
        status = context_point(riommu, source, at, to, device, had_tlb);
    if (status == SLUICE_OK && has_processes(device) && to == NULL)
        status = riommu_process_default(riommu, device, NULL, had_tlb);
    return status;
}

static enum sluice_status attach_at(struct riommu *riommu, struct source *source, riommu_word *at,
                                    struct domain_link *to, struct riommu_device *device)
{
    struct unit_user *old = unit_user_of(&riommu->users, source);
    enum sluice_status status;

    if (has_processes(device) && !riommu_beside_processes(to))
        return SLUICE_ERR_UNSUPPORTED;
    if (!riommu_nested_takes(to, unit_keeps_translations(&riommu->unit, source, to))) {
        log_error(riommu->unit.sluice,
                  "%s: device %#x has a device TLB: it cannot have a guest's process directory",
                  riommu->unit.name, (unsigned)source->id);
        return SLUICE_ERR_UNSUPPORTED;
    }
    status = user_add(riommu, source, to, device);
    if (status != SLUICE_OK)
        return status;
    status = point(riommu, source, at, to, device, unit_user_has_device_tlb(old));
    unit_user_remove(&riommu->users, old);
    if (status != SLUICE_OK)
        give_up(riommu, source, at, device);
    return status;
}

/* A device that has a tag of its own is known from its first attachment on. */
static enum sluice_status attach_known(struct riommu *riommu, struct source *source,
                                       riommu_word *at, struct domain_link *to)
{
    struct riommu_device *device = riommu_device_find(riommu, source->id);
    enum sluice_status status = SLUICE_OK;

    if (to != NULL && riommu->remaps)
        status = riommu_device_get(riommu, source->id, &device);
    if (status == SLUICE_OK)
        status = attach_at(riommu, source, at, to, device);
    riommu_device_settle(riommu, device);
    return status;
}

enum sluice_status riommu_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                 struct domain_link *to)
{
    struct riommu *riommu = riommu_of(unit);
    riommu_word *at;

    if (!riommu_in_reach(riommu, source->id)) {
        if (to == NULL)
            return SLUICE_OK; /* no entry: blocked already */
        log_error(unit->sluice, "%s: device %#x is beyond the device directory", unit->name,
                  (unsigned)source->id);
        return SLUICE_ERR_UNSUPPORTED;
    }
    if (pasid != SLUICE_NO_PASID)
        return riommu_process_attach(riommu, source, pasid, to);
    at = context_at(riommu, source->id, to != NULL);
    if (at == NULL)
        return to == NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
    return attach_known(riommu, source, at, to);
}

/* The tables of those that are blocked and silent. */
static enum sluice_status nothing_make(struct riommu *riommu)
{
    struct sluice_pages *nothing = &riommu->nothing;

    if (nothing->virt != NULL)
        return SLUICE_OK;
    if (!host_pages_alloc(riommu->unit.sluice, NOTHING_ORDER, -1, nothing)) {
        nothing->virt = NULL;
        return SLUICE_ERR_NO_MEMORY;
    }
    if (nothing->phys >> riommu->capability.phys_bits != 0) {
        host_pages_free(riommu->unit.sluice, *nothing, NOTHING_ORDER);
        nothing->virt = NULL;
        return SLUICE_ERR_NO_MEMORY;
    }
    riommu_clean(riommu, nothing->virt, (size_t)SLUICE_PAGE_BYTES << NOTHING_ORDER);
    return SLUICE_OK;
}

enum sluice_status riommu_source_silence(struct unit *unit, struct source *source, bool silence)
{
    struct riommu *riommu = riommu_of(unit);
    const struct riommu_device *device = riommu_device_find(riommu, source->id);
    struct riommu_context want;
    enum sluice_status status;
    riommu_word *at;

    if (!riommu_in_reach(riommu, source->id))
        return SLUICE_ERR_UNSUPPORTED;
    status = nothing_make(riommu);
    at = status == SLUICE_OK ? context_at(riommu, source->id, true) : NULL;
    if (at == NULL)
        return SLUICE_ERR_NO_MEMORY;
    want =
        riommu_context_for(riommu, source->link, device, riommu_has_tlb(riommu, source), silence);
    return move(riommu, source, at, &want, false);
}
