// SPDX-License-Identifier: MIT
/*
 * The device table [AMD 2.2.2]: who each requester is translated for.
 *
 * A translation takes words 0 and 1 of an entry, interrupts take word 2, and word 3 stays clear. So
 * each changes by itself: the interrupts with a store of 8 bytes; the translation from one domain
 * to another with one 16-byte store where the CPU has one, and the unit sees the old or the new
 * entry and never a mixture. Elsewhere it becomes a blocked one first. V is never clear: that would
 * let everything pass.
 */
#include "unit/amd/amdvi.h"
#include "unit/amd/irte.h"

/** Settings of a device entry in IVRS [AMD 5.2.2.1]: where they go in the table entry. */
#define SETTING_INIT_PASS  0x01u
#define SETTING_EINT_PASS  0x02u
#define SETTING_NMI_PASS   0x04u
#define SETTING_SYSMGT_LOW 4u
#define SETTING_LINT0_PASS 0x40u
#define SETTING_LINT1_PASS 0x80u

struct table_entry {
    _Atomic uint64_t word[4];
};

_Static_assert(sizeof(struct table_entry) == sizeof(struct amdvi_device_entry),
               "device table entries are 256 bits");

static struct table_entry *entry_of(struct amdvi *amdvi, uint16_t rid)
{
    return (struct table_entry *)(void *)amdvi_entry_at(amdvi, rid);
}

static uint64_t word_get(struct table_entry *entry, unsigned index)
{
    return atomic_load_explicit(&entry->word[index], memory_order_relaxed);
}

static void word_set(struct table_entry *entry, unsigned index, uint64_t value)
{
    /* Release: what was stored before, tables and other words, is seen before this word. */
    atomic_store_explicit(&entry->word[index], value, memory_order_release);
}

/* Bits that firmware demands for a requester, whatever domain it is in. */
static void settings_add(struct amdvi *amdvi, uint16_t rid, uint8_t settings)
{
    struct table_entry *entry = entry_of(amdvi, rid);
    uint64_t interrupts = 0;

    if (rid >= amdvi_devices(amdvi))
        return;
    if ((settings & SETTING_INIT_PASS) != 0)
        interrupts |= AMDVI_MASK(DTE2_INITPASS);
    if ((settings & SETTING_EINT_PASS) != 0)
        interrupts |= AMDVI_MASK(DTE2_EINTPASS);
    if ((settings & SETTING_NMI_PASS) != 0)
        interrupts |= AMDVI_MASK(DTE2_NMIPASS);
    if ((settings & SETTING_LINT0_PASS) != 0)
        interrupts |= AMDVI_MASK(DTE2_LINT0PASS);
    if ((settings & SETTING_LINT1_PASS) != 0)
        interrupts |= AMDVI_MASK(DTE2_LINT1PASS);
    word_set(entry, 1,
             word_get(entry, 1) | AMDVI_PREP(DTE1_SYSMGT, settings >> SETTING_SYSMGT_LOW & 3u));
    word_set(entry, 2, word_get(entry, 2) | interrupts);
}

static void settings_of_scope(struct amdvi *amdvi, const struct platform_scope *scope)
{
    if (scope->settings == 0)
        return;
    if (scope->kind != PLATFORM_SCOPE_PCI_RANGE) {
        settings_add(amdvi, scope->source_rid, scope->settings);
        return;
    }
    for (uint32_t rid = scope->first_rid; rid <= scope->last_rid; rid++)
        settings_add(amdvi, (uint16_t)rid, scope->settings);
    if (scope->aliased)
        settings_add(amdvi, scope->source_rid, scope->settings);
}

/*
 * What else is in word 2 stays as it was filled: NMI, INIT, ExtInt and the two LINTs have no
 * entries to be remapped by, and pass where firmware says so, as for the IOAPIC that brings them,
 * and nowhere else.
 */
static uint64_t fields_of_table(void)
{
    return AMDVI_MASK(DTE2_IV) | AMDVI_MASK(DTE2_INTTABLEN) | AMDVI_MASK(DTE2_IG) |
           AMDVI_MASK(DTE2_INTROOT) | AMDVI_MASK(DTE2_INTCTL);
}

void amdvi_entry_set_interrupts(struct amdvi *amdvi, uint16_t rid, uint64_t fields)
{
    struct table_entry *entry = entry_of(amdvi, rid);

    /* Whose page faults are not logged, its interrupts are not either. */
    if ((word_get(entry, 1) & AMDVI_MASK(DTE1_SA)) != 0)
        fields |= AMDVI_MASK(DTE2_IG);
    word_set(entry, 2, (word_get(entry, 2) & ~fields_of_table()) | fields);
}

void amdvi_table_fill(struct amdvi *amdvi)
{
    const struct amdvi_device_entry blocked = amdvi_entry_blocked();
    bool remapped = amdvi->unit.sluice->config.interrupts == SLUICE_INTERRUPTS_REMAPPED;

    for (uint32_t rid = 0; rid < amdvi_devices(amdvi); rid++) {
        word_set(entry_of(amdvi, (uint16_t)rid), 0, blocked.word[0]);
        if (remapped)
            amdvi_entry_set_interrupts(amdvi, (uint16_t)rid, amdvi_dte_no_interrupts());
    }
    list_for_each(node, &amdvi->unit.desc->scopes)
    {
        settings_of_scope(amdvi, container_of(node, struct platform_scope, node));
    }
}

static bool blocks(uint64_t word0)
{
    return (word0 & (AMDVI_MASK(DTE0_MODE) | AMDVI_MASK(DTE0_IR) | AMDVI_MASK(DTE0_IW))) == 0;
}

bool amdvi_entry_blocks(struct amdvi *amdvi, uint16_t rid)
{
    return rid >= amdvi_devices(amdvi) || blocks(word_get(entry_of(amdvi, rid), 0));
}

/* What a move leaves: firmware's setting, and whether faults are logged. */
static uint64_t kept_in_word1(void)
{
    return AMDVI_MASK(DTE1_SYSMGT) | AMDVI_MASK(DTE1_SA);
}

/* Words 0 and 1 for a link; `kept` is what stays of word 1. */
static struct amdvi_device_entry entry_for(const struct domain_link *link, bool device_tlb,
                                           uint64_t kept)
{
    struct amdvi_device_entry entry;

    if (link == NULL) {
        entry = amdvi_entry_blocked();
    } else if (link->pt == NULL) {
        entry = amdvi_entry_pass((uint16_t)link->tag);
    } else {
        const struct amdvi_translation translation = {
            .root = link->pt->root_phys,
            .levels = link->pt->config.levels,
            .domain = (uint16_t)link->tag,
            .device_tlb = device_tlb,
        };

        entry = amdvi_entry_translated(&translation);
    }
    entry.word[1] |= kept;
    return entry;
}

/* ---- changing an entry ---- */

/* The unit forgets the entry that was there, and what it translated by it. */
static enum sluice_status forget_old(struct amdvi *amdvi, const struct source *source,
                                     const struct unit_user *user)
{
    const struct amdvi_entry_change change = {
        .rid = (uint16_t)source->id,
        .domain = source->link != NULL ? (uint16_t)source->link->tag : 0,
        .user = user,
    };

    return amdvi_invalidate_entry(amdvi, &change);
}

/*
 * An invalidation was lost before: the unit may hold any entry that was ever there, and the device
 * what it was told then, which it can use again as soon as the new entry lets it.
 */
static enum sluice_status forget_everything(struct amdvi *amdvi, const struct source *source,
                                            const struct domain_link *to)
{
    const struct unit_user user = {.source = source->id, .depth = source->ats_queue_depth};
    const struct amdvi_entry_change change = {
        .rid = (uint16_t)source->id,
        .domain = (uint16_t)to->tag,
        .user = &user,
    };
    enum sluice_status status = amdvi_invalidate_everything(amdvi);

    if (status != SLUICE_OK || !source->ats_enabled || !amdvi->unit.caps.ats)
        return status;
    return amdvi_invalidate_entry(amdvi, &change);
}

static void entry_store(struct table_entry *entry, const struct amdvi_device_entry *to)
{
    word_set(entry, 0, amdvi_entry_blocked().word[0]);
    word_set(entry, 1, to->word[1]);
    word_set(entry, 0, to->word[0]);
}

/* Old entry to new one, with the unit running. */
static enum sluice_status entry_switch(struct amdvi *amdvi, struct source *source,
                                       const struct amdvi_device_entry *to,
                                       const struct unit_user *old)
{
    struct table_entry *entry = entry_of(amdvi, (uint16_t)source->id);
#if SLUICE_HAVE_STORE128
    sluice_store128((uint64_t *)(void *)entry, to->word[0], to->word[1]);
    return forget_old(amdvi, source, old);
#else
    enum sluice_status status;

    /* A mixture of halves must not be in a cache: the blocked form takes their place first. */
    word_set(entry, 0, amdvi_entry_blocked().word[0]);
    status = forget_old(amdvi, source, old);
    if (status != SLUICE_OK)
        return status;
    entry_store(entry, to);
    return forget_old(amdvi, source, NULL);
#endif
}

static enum sluice_status move(struct amdvi *amdvi, struct source *source, struct domain_link *to,
                               bool device_tlb, const struct unit_user *old)
{
    struct table_entry *entry = entry_of(amdvi, (uint16_t)source->id);
    const struct amdvi_device_entry want =
        entry_for(to, device_tlb, word_get(entry, 1) & kept_in_word1());
    bool was_blocked = blocks(word_get(entry, 0));
    enum sluice_status status;

    if (!amdvi->unit.started) {
        entry_store(entry, &want);
        return SLUICE_OK;
    }
    if (was_blocked && to == NULL)
        return SLUICE_OK;
    if (was_blocked && atomic_load_explicit(&amdvi->unit.degraded, memory_order_relaxed) != 0) {
        status = forget_everything(amdvi, source, to);
        if (status != SLUICE_OK)
            return status;
    }
    return entry_switch(amdvi, source, &want, old);
}

enum sluice_status amdvi_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                struct domain_link *to)
{
    struct amdvi *amdvi = amdvi_of(unit);
    const struct unit_user user = {
        .link = to,
        .source = source->id,
        .pasid = SLUICE_NO_PASID,
        .depth = source->ats_queue_depth,
        .device_tlb = unit_keeps_translations(unit, source, to),
    };
    struct unit_user *old = unit_user_of(&amdvi->users, source);
    enum sluice_status status = SLUICE_OK;

    if (pasid != SLUICE_NO_PASID || source->id >= AMDVI_DEVICES)
        return SLUICE_ERR_UNSUPPORTED; /* host tables have no PASIDs */
    if (source->id >= amdvi_devices(amdvi))
        return to == NULL ? SLUICE_OK : SLUICE_ERR_UNSUPPORTED;
    if (user.device_tlb)
        status = unit_user_add(&amdvi->users, &user);
    if (status != SLUICE_OK)
        return status;
    status = move(amdvi, source, to, user.device_tlb, old);
    unit_user_remove(&amdvi->users, old);
    if (status != SLUICE_OK) {
        word_set(entry_of(amdvi, (uint16_t)source->id), 0, amdvi_entry_blocked().word[0]);
        unit_degrade(unit, "source " LOG_RID " could not be moved and is blocked",
                     LOG_RID_ARGS(source->segment, source->id));
    }
    return status;
}

enum sluice_status amdvi_source_silence(struct unit *unit, struct source *source, bool silence)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct table_entry *entry;
    uint64_t sa, ig;

    if (source->id >= amdvi_devices(amdvi))
        return SLUICE_ERR_UNSUPPORTED;
    entry = entry_of(amdvi, (uint16_t)source->id);
    /* SA for page faults, IG for interrupts that have no entry: each is one store [AMD 2.2.2.1]. */
    sa = word_get(entry, 1) & ~AMDVI_MASK(DTE1_SA);
    ig = word_get(entry, 2) & ~AMDVI_MASK(DTE2_IG);
    word_set(entry, 1, sa | AMDVI_PREP(DTE1_SA, silence));
    word_set(entry, 2, ig | AMDVI_PREP(DTE2_IG, silence));
    return unit->started ? forget_old(amdvi, source, NULL) : SLUICE_OK;
}
