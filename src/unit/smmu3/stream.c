// SPDX-License-Identifier: MIT
/*
 * The stream table [SMMU 3.3, 5.1, 5.2]: whose accesses go where. One level, or two, of which the
 * second is made when a stream of it is first attached. Every entry there is aborts from the moment
 * the unit can see it; a stream without an entry is refused by the unit.
 *
 * The unit reads an entry as several words and may cache it while it changes. So an entry of which
 * only word 0 differs (stage 1, from one context descriptor to another) is changed by one store;
 * any other becomes an aborting one first, and the unit confirms that it forgot the old one.
 */
#include "unit/smmu3/smmu3.h"

struct stream_entry {
    _Atomic uint64_t word[STRUCTURE_WORDS];
};

static uint32_t l2_tables(const struct smmu3 *smmu3)
{
    return (uint32_t)1 << (smmu3->capability.sid_bits - SMMU3_SPLIT);
}

static void fill_with_abort(struct smmu3 *smmu3, const struct sluice_pages *pages, uint32_t count)
{
    const struct smmu3_ste abort = smmu3_ste_abort();

    for (uint32_t i = 0; i < count; i++)
        ((struct smmu3_ste *)pages->virt)[i] = abort;
    smmu3_clean(smmu3, pages->virt, count * sizeof(abort));
}

static unsigned order_of(uint64_t bytes)
{
    unsigned order = 0;

    while (SLUICE_PAGE_BYTES << order < bytes)
        order++;
    return order;
}

bool smmu3_table_make(struct smmu3 *smmu3)
{
    struct sluice *sluice = smmu3->unit.sluice;
    bool two = smmu3->capability.two_level;
    uint32_t entries = two ? l2_tables(smmu3) : (uint32_t)1 << smmu3->capability.sid_bits;

    smmu3->table_order =
        order_of((uint64_t)entries * (two ? sizeof(uint64_t) : sizeof(struct smmu3_ste)));
    if (!host_pages_alloc(sluice, smmu3->table_order, -1, &smmu3->table)) {
        smmu3->table.virt = NULL;
        return false;
    }
    if (!two) {
        fill_with_abort(smmu3, &smmu3->table, entries);
        return true;
    }
    smmu3_clean(smmu3, smmu3->table.virt, (size_t)SLUICE_PAGE_BYTES << smmu3->table_order);
    smmu3->streams = host_alloc(sluice, entries * sizeof(*smmu3->streams));
    return smmu3->streams != NULL;
}

void smmu3_table_free(struct smmu3 *smmu3)
{
    if (smmu3->streams != NULL) {
        for (uint32_t i = 0; i < l2_tables(smmu3); i++)
            smmu3_give_back(smmu3, &smmu3->streams[i], SMMU3_L2_ORDER);
        host_free(smmu3->unit.sluice, smmu3->streams, l2_tables(smmu3) * sizeof(*smmu3->streams));
    }
    smmu3_give_back(smmu3, &smmu3->table, smmu3->table_order);
}

uint32_t smmu3_table_config(const struct smmu3 *smmu3)
{
    uint64_t config = SMMU3_PREP(STRTAB_BASE_CFG_LOG2SIZE, smmu3->capability.sid_bits);

    if (smmu3->capability.two_level)
        config |=
            SMMU3_PREP(STRTAB_BASE_CFG_FMT, 1) | SMMU3_PREP(STRTAB_BASE_CFG_SPLIT, SMMU3_SPLIT);
    return (uint32_t)config;
}

/* NULL: there is none (yet). */
static struct stream_entry *entry_of(struct smmu3 *smmu3, uint32_t sid)
{
    if (sid >> smmu3->capability.sid_bits != 0)
        return NULL;
    if (!smmu3->capability.two_level)
        return (struct stream_entry *)smmu3->table.virt + sid;
    if (smmu3->streams[sid >> SMMU3_SPLIT].virt == NULL)
        return NULL;
    return (struct stream_entry *)smmu3->streams[sid >> SMMU3_SPLIT].virt + sid % SMMU3_L2_STREAMS;
}

static uint64_t word_get(struct stream_entry *entry, unsigned index)
{
    return atomic_load_explicit(&entry->word[index], memory_order_relaxed);
}

static void word_set(struct stream_entry *entry, unsigned index, uint64_t value)
{
    /* Release: what was stored before, tables and other words, is seen before this word. */
    atomic_store_explicit(&entry->word[index], value, memory_order_release);
}

/* Makes the second-level table that a stream is in. A first-level entry that was refused may be
 * cached, so the unit is told of it like of any entry that changed [SMMU 3.3.1, 4.3.1]. */
static enum sluice_status l2_make(struct smmu3 *smmu3, uint32_t sid)
{
    struct sluice_pages *l2 = &smmu3->streams[sid >> SMMU3_SPLIT];
    _Atomic uint64_t *descriptor = (_Atomic uint64_t *)smmu3->table.virt + (sid >> SMMU3_SPLIT);

    if (!host_pages_alloc(smmu3->unit.sluice, SMMU3_L2_ORDER, -1, l2)) {
        l2->virt = NULL;
        return SLUICE_ERR_NO_MEMORY;
    }
    fill_with_abort(smmu3, l2, SMMU3_L2_STREAMS);
    /* Release: the table's entries abort before the unit is led to them. */
    atomic_store_explicit(descriptor, l2->phys | SMMU3_PREP(L1STD_SPAN, SMMU3_SPLIT + 1),
                          memory_order_release);
    smmu3_clean(smmu3, (const void *)(uintptr_t)descriptor, sizeof(*descriptor));
    if (!smmu3->unit.started)
        return SLUICE_OK;
    return smmu3_invalidate_first_level(smmu3, sid);
}

bool smmu3_stream_blocked(struct smmu3 *smmu3, uint32_t sid)
{
    struct stream_entry *entry = entry_of(smmu3, sid);

    return entry == NULL || word_get(entry, 0) == smmu3_ste_abort().word[0];
}

/* ---- changing an entry ---- */

static void entry_block(struct smmu3 *smmu3, struct stream_entry *entry)
{
    word_set(entry, 0, smmu3_ste_abort().word[0]);
    smmu3_clean(smmu3, entry, sizeof(*entry));
}

static void entry_fill(struct smmu3 *smmu3, struct stream_entry *entry, const struct smmu3_ste *to)
{
    for (unsigned i = STRUCTURE_WORDS - 1; i > 0; i--)
        word_set(entry, i, to->word[i]);
    smmu3_clean(smmu3, entry, sizeof(*entry)); /* the rest before the word that makes it count */
    word_set(entry, 0, to->word[0]);
    smmu3_clean(smmu3, entry, sizeof(*entry));
}

/* Whether one store of word 0 is the whole change. */
static bool only_word0(struct stream_entry *entry, const struct smmu3_ste *to)
{
    for (unsigned i = 1; i < STRUCTURE_WORDS; i++) {
        if (word_get(entry, i) != to->word[i])
            return false;
    }
    return true;
}

/*
 * Old entry to new one, with the unit running. A stream with PASIDs keeps its table, and gets
 * another descriptor 0 while no entry points there.
 */
static enum sluice_status entry_switch(struct smmu3 *smmu3, const struct source *source,
                                       const struct domain_link *link, const struct smmu3_ste *to,
                                       bool had_ats)
{
    struct smmu3_substreams *streams = smmu3_substreams_of(smmu3, source->id);
    struct stream_entry *entry = entry_of(smmu3, source->id);
    bool blocked = smmu3_stream_blocked(smmu3, source->id);
    enum sluice_status status;

    if (!blocked && (streams != NULL || !only_word0(entry, to))) {
        entry_block(smmu3, entry);
        status = smmu3_invalidate_stream(smmu3, source->id, had_ats);
        if (status != SLUICE_OK)
            return status;
        had_ats = false;
    }
    if (streams != NULL)
        smmu3_substreams_base(smmu3, streams, link);
    entry_fill(smmu3, entry, to);
    return smmu3_invalidate_stream(smmu3, source->id, had_ats);
}

enum sluice_status smmu3_stream_refresh(struct smmu3 *smmu3, const struct source *source)
{
    struct stream_entry *entry = entry_of(smmu3, source->id);
    const struct unit_user *user = unit_user_of(&smmu3->users, source);
    const struct smmu3_ste want =
        smmu3_ste_for(smmu3, source->link, smmu3_substreams_of(smmu3, source->id),
                      unit_user_has_device_tlb(user), source->silenced);
    enum sluice_status status = SLUICE_OK;

    if (source->link == NULL)
        return SLUICE_OK;
    /* The same translations through another table: what a device TLB holds stays right. */
    if (smmu3->unit.started && !only_word0(entry, &want)) {
        entry_block(smmu3, entry);
        status = smmu3_invalidate_stream(smmu3, source->id, false);
    }
    if (status != SLUICE_OK)
        return status;
    entry_fill(smmu3, entry, &want);
    return smmu3->unit.started ? smmu3_invalidate_stream(smmu3, source->id, false) : SLUICE_OK;
}

static enum sluice_status move(struct smmu3 *smmu3, struct source *source, struct domain_link *to,
                               bool had_ats)
{
    struct smmu3_substreams *streams = smmu3_substreams_of(smmu3, source->id);
    struct stream_entry *entry = entry_of(smmu3, source->id);
    const struct unit_user *user = unit_user_find(&smmu3->users, source->id, SLUICE_NO_PASID, to);
    const struct smmu3_ste want =
        smmu3_ste_for(smmu3, to, streams, unit_user_has_device_tlb(user), source->silenced);
    bool blocked = smmu3_stream_blocked(smmu3, source->id);
    enum sluice_status status;

    if (!smmu3->unit.started) {
        entry_block(smmu3, entry);
        if (streams != NULL)
            smmu3_substreams_base(smmu3, streams, to);
        entry_fill(smmu3, entry, &want);
        return SLUICE_OK;
    }
    if (to == NULL) {
        if (blocked)
            return SLUICE_OK;
        entry_block(smmu3, entry);
        return smmu3_invalidate_stream(smmu3, source->id, had_ats);
    }
    /* An invalidation was lost before: the unit may hold any entry that was ever there, and the
     * device what it was told then. */
    if (blocked && atomic_load_explicit(&smmu3->unit.degraded, memory_order_relaxed) != 0) {
        status = smmu3_invalidate_everything(smmu3);
        if (status != SLUICE_OK)
            return status;
        had_ats = source->ats_enabled && smmu3->unit.caps.ats;
    }
    return entry_switch(smmu3, source, to, &want, had_ats);
}

static enum sluice_status attach_ready(struct smmu3 *smmu3, struct source *source,
                                       struct domain_link *to)
{
    struct unit_user *old = unit_user_of(&smmu3->users, source);
    enum sluice_status status = smmu3_user_add(smmu3, source, SLUICE_NO_PASID, to);

    if (status != SLUICE_OK)
        return status;
    status = move(smmu3, source, to, unit_user_has_device_tlb(old));
    unit_user_remove(&smmu3->users, old);
    if (status != SLUICE_OK) {
        entry_block(smmu3, entry_of(smmu3, source->id));
        unit_degrade(&smmu3->unit, "stream %#x could not be moved and is blocked",
                     (unsigned)source->id);
    }
    return status;
}

enum sluice_status smmu3_stream_make(struct smmu3 *smmu3, uint32_t sid)
{
    if (entry_of(smmu3, sid) != NULL)
        return SLUICE_OK;
    if (sid >> smmu3->capability.sid_bits != 0) {
        log_error(smmu3->unit.sluice, "%s: stream %#x is beyond the %u bits of the stream table",
                  smmu3->unit.name, (unsigned)sid, smmu3->capability.sid_bits);
        return SLUICE_ERR_UNSUPPORTED;
    }
    return l2_make(smmu3, sid);
}

enum sluice_status smmu3_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                struct domain_link *to)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    enum sluice_status status;

    if (pasid != SLUICE_NO_PASID)
        return smmu3_attach_pasid(smmu3, source, pasid, to);
    if (to == NULL && entry_of(smmu3, source->id) == NULL)
        return SLUICE_OK; /* no entry: blocked already */
    if (smmu3_substreams_of(smmu3, source->id) != NULL && !smmu3_carries_pasids(to))
        return SLUICE_ERR_UNSUPPORTED;
    status = smmu3_stream_make(smmu3, source->id);
    return status == SLUICE_OK ? attach_ready(smmu3, source, to) : status;
}

/*
 * A stream that aborts is silent anyway [SMMU 5.2, STE.Config]. Else one word differs, which is one
 * store: where the descriptor of stage 1 is, or S2R. A stream with PASIDs has descriptors of its
 * own for each, and is heard.
 */
enum sluice_status smmu3_source_silence(struct unit *unit, struct source *source, bool silence)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    struct smmu3_substreams *streams = smmu3_substreams_of(smmu3, source->id);
    struct stream_entry *entry = entry_of(smmu3, source->id);
    const struct unit_user *user = unit_user_of(&smmu3->users, source);
    struct smmu3_ste want;

    if (streams != NULL && silence)
        return SLUICE_ERR_UNSUPPORTED;
    /* A stream that no entry is there for is told of too [SMMU 7.3.3], CR2.RECINVSID being set:
     * one that aborts is not. */
    if (entry == NULL && silence)
        return smmu3_stream_make(smmu3, source->id);
    if (entry == NULL || source->link == NULL)
        return SLUICE_OK;
    want = smmu3_ste_for(smmu3, source->link, streams, unit_user_has_device_tlb(user), silence);
    for (unsigned i = STRUCTURE_WORDS; i-- > 0;) {
        if (word_get(entry, i) != want.word[i])
            word_set(entry, i, want.word[i]);
    }
    smmu3_clean(smmu3, entry, sizeof(*entry));
    return unit->started ? smmu3_invalidate_stream(smmu3, source->id, false) : SLUICE_OK;
}
