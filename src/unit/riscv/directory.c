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

typedef _Atomic uint64_t directory_word;

static unsigned context_words(const struct riommu *riommu)
{
    return riommu->capability.extended ? RIOMMU_CONTEXT_WORDS : RIOMMU_CONTEXT_WORDS / 2;
}

static uint64_t word_get(directory_word *word)
{
    /* Acquire: a table's entries are read after the entry that leads to it. */
    return atomic_load_explicit(word, memory_order_acquire);
}

static void word_set(struct riommu *riommu, directory_word *word, uint64_t value)
{
    /* Release: what was stored before, tables and other words, is seen before this word. */
    atomic_store_explicit(word, value, memory_order_release);
    riommu_clean(riommu, (const void *)(uintptr_t)word, sizeof(*word));
}

/* A page of zeros, within the unit's reach: nothing in it is valid. */
static bool table_make(struct riommu *riommu, struct sluice_pages *out)
{
    if (!host_pages_alloc(riommu->unit.sluice, 0, -1, out)) {
        out->virt = NULL;
        return false;
    }
    if (out->phys >> riommu->capability.phys_bits != 0) {
        log_error(riommu->unit.sluice, "%s: the host's page at %#llx is beyond %u address bits",
                  riommu->unit.name, (unsigned long long)out->phys, riommu->capability.phys_bits);
        host_pages_free(riommu->unit.sluice, *out, 0);
        out->virt = NULL;
        return false;
    }
    riommu_clean(riommu, out->virt, SLUICE_PAGE_BYTES);
    return true;
}

bool riommu_directory_make(struct riommu *riommu)
{
    for (unsigned level = 0; level < RIOMMU_LEVELS; level++) {
        if (!table_make(riommu, &riommu->top[level]))
            return false;
        if (level > 0)
            word_set(riommu, riommu->top[level].virt,
                     riommu_directory_entry(riommu->top[level - 1].phys));
    }
    return true;
}

/* Frees what an entry leads to, where it is not a top table. */
static void table_free(struct riommu *riommu, uint64_t entry, sluice_phys_t top)
{
    struct sluice_pages pages = {.phys = riommu_directory_table(entry)};

    if (RIOMMU_GET(DDTE_V, entry) == 0 || pages.phys == top)
        return;
    pages.virt = host_phys_to_virt(riommu->unit.sluice, pages.phys);
    riommu_give_back(riommu, &pages, 0);
}

static void level1_free(struct riommu *riommu, directory_word *table)
{
    for (unsigned i = 0; i < SLUICE_PAGE_BYTES / sizeof(*table); i++)
        table_free(riommu, word_get(&table[i]), riommu->top[0].phys);
}

void riommu_directory_free(struct riommu *riommu)
{
    directory_word *root = riommu->top[2].virt;

    for (unsigned i = 0; root != NULL && i < SLUICE_PAGE_BYTES / sizeof(*root); i++) {
        uint64_t entry = word_get(&root[i]);

        if (RIOMMU_GET(DDTE_V, entry) == 0)
            continue;
        level1_free(riommu, host_phys_to_virt(riommu->unit.sluice, riommu_directory_table(entry)));
        table_free(riommu, entry, riommu->top[1].phys);
    }
    if (root == NULL && riommu->top[1].virt != NULL)
        level1_free(riommu, riommu->top[1].virt);
    for (unsigned level = 0; level < RIOMMU_LEVELS; level++)
        riommu_give_back(riommu, &riommu->top[level], 0);
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

/* The table below an entry, made if need be; NULL: there is none. An entry that was not valid is
 * cached nowhere [RISC-V IOMMU 6.3.8]. */
static directory_word *step(struct riommu *riommu, directory_word *slot, bool make)
{
    uint64_t entry = word_get(slot);
    struct sluice_pages table;

    if (RIOMMU_GET(DDTE_V, entry) != 0)
        return host_phys_to_virt(riommu->unit.sluice, riommu_directory_table(entry));
    if (!make || !table_make(riommu, &table))
        return NULL;
    word_set(riommu, slot, riommu_directory_entry(table.phys));
    return table.virt;
}

/* Where a device's context is; NULL: there is no table for it (yet). */
static directory_word *context_at(struct riommu *riommu, uint32_t device, bool make)
{
    bool extended = riommu->capability.extended;
    directory_word *table = riommu->top[2].virt;

    for (unsigned level = RIOMMU_LEVELS - 1; level > 0 && table != NULL; level--)
        table = step(riommu, &table[riommu_directory_index(extended, level, device)], make);
    if (table == NULL)
        return NULL;
    return table +
           (size_t)(device & ((1u << riommu_leaf_bits(extended)) - 1)) * context_words(riommu);
}

static bool in_reach(const struct riommu *riommu, uint32_t device)
{
    unsigned bits = riommu->levels != 0 ? bits_of(riommu, riommu->levels) : RIOMMU_DEVICE_BITS_MAX;

    return device >> bits == 0;
}

static void context_get(struct riommu *riommu, directory_word *at, struct riommu_context *out)
{
    *out = riommu_context_blocked();
    for (unsigned i = 0; i < context_words(riommu); i++)
        out->word[i] = word_get(&at[i]);
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

static void context_block(struct riommu *riommu, directory_word *at)
{
    word_set(riommu, &at[RIOMMU_WORD_TC], 0);
}

/* All other words before the one that makes them count. */
static void context_fill(struct riommu *riommu, directory_word *at, const struct riommu_context *to)
{
    for (unsigned i = context_words(riommu) - 1; i > RIOMMU_WORD_TC; i--)
        word_set(riommu, &at[i], to->word[i]);
    word_set(riommu, &at[RIOMMU_WORD_TC], to->word[RIOMMU_WORD_TC]);
}

/* ---- device TLBs ---- */

static struct riommu_ats *ats_find(struct riommu *riommu, const struct source *source)
{
    list_for_each(node, &riommu->ats)
    {
        struct riommu_ats *ats = container_of(node, struct riommu_ats, node);

        if (ats->device == source->id && ats->link == source->link)
            return ats;
    }
    return NULL;
}

static void ats_add(struct riommu *riommu, struct riommu_ats *ats)
{
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->ring.lock);

    list_append(&riommu->ats, &ats->node);
    sluice_spin_unlock(&riommu->ring.lock, irq);
}

static void ats_remove(struct riommu *riommu, struct riommu_ats *ats)
{
    sluice_irqstate_t irq;

    if (ats == NULL)
        return;
    irq = sluice_spin_lock(&riommu->ring.lock);
    list_remove(&ats->node);
    sluice_spin_unlock(&riommu->ring.lock, irq);
    host_free(riommu->unit.sluice, ats, sizeof(*ats));
}

void riommu_ats_forget(struct riommu *riommu, const struct domain_link *link)
{
    list_for_each_safe(node, &riommu->ats)
    {
        struct riommu_ats *ats = container_of(node, struct riommu_ats, node);

        if (ats->link == link)
            ats_remove(riommu, ats);
    }
}

/* ---- attaching ---- */

/* Old context to new one, with the unit running. */
static enum sluice_status context_switch(struct riommu *riommu, struct source *source,
                                         directory_word *at, const struct riommu_context *to,
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

static enum sluice_status move(struct riommu *riommu, struct source *source, directory_word *at,
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
    if (!is_valid(&old) &&
        atomic_load_explicit(&riommu->unit.degraded, memory_order_relaxed) != 0) {
        enum sluice_status status = riommu_invalidate_everything(riommu);

        if (status != SLUICE_OK)
            return status;
        had_ats = source->ats_enabled && riommu->unit.caps.ats;
    }
    return context_switch(riommu, source, at, to, had_ats);
}

static enum sluice_status attach_at(struct riommu *riommu, struct source *source,
                                    directory_word *at, struct domain_link *to, bool ats)
{
    struct riommu_ats *old_ats = ats_find(riommu, source);
    const struct riommu_context want = riommu_context_for(to, ats);
    enum sluice_status status;

    if (ats) {
        struct riommu_ats *new_ats = host_alloc(riommu->unit.sluice, sizeof(*new_ats));

        if (new_ats == NULL)
            return SLUICE_ERR_NO_MEMORY;
        *new_ats = (struct riommu_ats){.link = to, .device = source->id};
        ats_add(riommu, new_ats);
    }
    status = move(riommu, source, at, &want, old_ats != NULL);
    ats_remove(riommu, old_ats);
    if (status != SLUICE_OK) {
        context_block(riommu, at);
        unit_degrade(&riommu->unit, "device %#x could not be moved and is blocked",
                     (unsigned)source->id);
    }
    return status;
}

enum sluice_status riommu_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                 struct domain_link *to)
{
    struct riommu *riommu = riommu_of(unit);
    bool ats = to != NULL && to->pt != NULL && source->ats_enabled && unit->caps.ats;
    directory_word *at;

    if (pasid != SLUICE_NO_PASID)
        return SLUICE_ERR_UNSUPPORTED;
    if (!in_reach(riommu, source->id)) {
        if (to == NULL)
            return SLUICE_OK; /* no entry: blocked already */
        log_error(unit->sluice, "%s: device %#x is beyond the device directory", unit->name,
                  (unsigned)source->id);
        return SLUICE_ERR_UNSUPPORTED;
    }
    at = context_at(riommu, source->id, to != NULL);
    if (at == NULL)
        return to == NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
    return attach_at(riommu, source, at, to, ats);
}
