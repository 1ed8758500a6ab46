// SPDX-License-Identifier: MIT
/*
 * Streams with PASIDs, which the specification calls substreams: a table of context descriptors for
 * each such stream, of one level or two [SMMU 3.3.2, 5.4, 5.5].
 *
 * A stream without PASIDs points at the one descriptor of its domain, as link.c makes it. With the
 * first PASID it gets a table, with the last one it loses it. Descriptor 0 of the table is that of
 * requests without a PASID (S1DSS 2), so that PASID 0 is nobody's; a request that carries it is
 * refused.
 *
 * A descriptor that is in use becomes invalid, and the unit confirms that it forgot it, before
 * another takes its place: the unit reads it as several words.
 */
#include "unit/smmu3/smmu3.h"

#define LINEAR_BITS 6u  /* descriptors in one page */
#define LEAF_4K     6u  /* and in a second-level table of 4 KiB */
#define LEAF_64K    10u /* and of 64 KiB */
#define BITS_4K     15u /* up to here a first level of one page leads to tables of 4 KiB */

struct context_entry {
    _Atomic uint64_t word[STRUCTURE_WORDS];
};

struct smmu3_substreams *smmu3_substreams_of(struct smmu3 *smmu3, uint32_t sid)
{
    list_for_each(node, &smmu3->substreams)
    {
        struct smmu3_substreams *streams = container_of(node, struct smmu3_substreams, node);

        if (streams->sid == sid)
            return streams;
    }
    return NULL;
}

/* ---- tables ---- */

static unsigned order_of_bits(unsigned bits)
{
    return bits > LINEAR_BITS ? bits - LINEAR_BITS : 0; /* of 64-byte descriptors */
}

static uint32_t leaf_count(const struct smmu3_substreams *streams)
{
    return streams->leaf_bits == 0 ? 0 : (uint32_t)1 << (streams->bits - streams->leaf_bits);
}

static unsigned table_order(const struct smmu3_substreams *streams)
{
    size_t bytes = leaf_count(streams) * sizeof(uint64_t);
    unsigned order = 0;

    if (streams->leaf_bits == 0)
        return order_of_bits(streams->bits);
    while (SLUICE_PAGE_BYTES << order < bytes)
        order++;
    return order;
}

static bool pages_make(struct smmu3 *smmu3, unsigned order, struct sluice_pages *out)
{
    if (!host_pages_alloc(smmu3->unit.sluice, order, -1, out)) {
        out->virt = NULL;
        return false;
    }
    /* Zeroes: no descriptor is valid. */
    smmu3_clean(smmu3, out->virt, (size_t)SLUICE_PAGE_BYTES << order);
    return true;
}

static void streams_free(struct smmu3 *smmu3, struct smmu3_substreams *streams)
{
    struct sluice *sluice = smmu3->unit.sluice;
    uint32_t count = leaf_count(streams);

    for (uint32_t i = 0; streams->leaves != NULL && i < count; i++)
        smmu3_give_back(smmu3, &streams->leaves[i], order_of_bits(streams->leaf_bits));
    if (streams->leaves != NULL)
        host_free(sluice, streams->leaves, count * sizeof(*streams->leaves));
    smmu3_give_back(smmu3, &streams->table, table_order(streams));
    list_remove(&streams->node);
    host_free(sluice, streams, sizeof(*streams));
}

void smmu3_substreams_free_all(struct smmu3 *smmu3)
{
    list_for_each_safe(node, &smmu3->substreams)
    {
        streams_free(smmu3, container_of(node, struct smmu3_substreams, node));
    }
}

/* Makes a second-level table and leads to it. */
static bool leaf_link(struct smmu3 *smmu3, struct smmu3_substreams *streams, uint32_t index)
{
    _Atomic uint64_t *descriptor = (_Atomic uint64_t *)streams->table.virt + index;

    if (!pages_make(smmu3, order_of_bits(streams->leaf_bits), &streams->leaves[index]))
        return false;
    /* Release: the table is seen empty before the unit is led to it. */
    atomic_store_explicit(descriptor, streams->leaves[index].phys | SMMU3_MASK(L1CD_V),
                          memory_order_release);
    smmu3_clean(smmu3, (const void *)(uintptr_t)descriptor, sizeof(*descriptor));
    return true;
}

/* The table of a stream, which nothing points at yet; descriptor 0 always has its place. */
static struct smmu3_substreams *streams_make(struct smmu3 *smmu3, uint32_t sid)
{
    struct sluice *sluice = smmu3->unit.sluice;
    struct smmu3_substreams *streams = host_alloc(sluice, sizeof(*streams));
    bool two = SMMU3_GET(IDR0_CD2L, smmu3->capability.idr0) != 0;

    if (streams == NULL)
        return NULL;
    streams->sid = sid;
    streams->bits = smmu3->capability.ssid_bits;
    if (two && streams->bits > LINEAR_BITS)
        streams->leaf_bits = streams->bits <= BITS_4K ? LEAF_4K : LEAF_64K;
    list_append(&smmu3->substreams, &streams->node);
    if (streams->leaf_bits != 0)
        streams->leaves = host_alloc(sluice, leaf_count(streams) * sizeof(*streams->leaves));
    if (!pages_make(smmu3, table_order(streams), &streams->table) ||
        (streams->leaf_bits != 0 && (streams->leaves == NULL || !leaf_link(smmu3, streams, 0)))) {
        streams_free(smmu3, streams);
        return NULL;
    }
    return streams;
}

/* NULL: the second-level table that it would be in is not there. */
static struct context_entry *entry_of(const struct smmu3_substreams *streams, uint32_t ssid)
{
    const struct sluice_pages *leaf;

    if (streams->leaf_bits == 0)
        return (struct context_entry *)streams->table.virt + ssid;
    leaf = &streams->leaves[ssid >> streams->leaf_bits];
    if (leaf->virt == NULL)
        return NULL;
    return (struct context_entry *)leaf->virt + (ssid & ((1u << streams->leaf_bits) - 1));
}

/* Makes the second-level table that a descriptor is in, if there is none. */
static enum sluice_status leaf_make(struct smmu3 *smmu3, struct smmu3_substreams *streams,
                                    uint32_t ssid)
{
    if (entry_of(streams, ssid) != NULL)
        return SLUICE_OK;
    if (!leaf_link(smmu3, streams, ssid >> streams->leaf_bits))
        return SLUICE_ERR_NO_MEMORY;
    if (!smmu3->unit.started)
        return SLUICE_OK;
    return smmu3_invalidate_context_path(smmu3, streams->sid, ssid);
}

/* ---- descriptors ---- */

static bool is_valid(struct context_entry *entry)
{
    return (atomic_load_explicit(&entry->word[0], memory_order_relaxed) & SMMU3_MASK(CD0_V)) != 0;
}

static void word_set(struct context_entry *entry, unsigned index, uint64_t value)
{
    /* Release: the other words, and the tables they lead to, are seen before this one. */
    atomic_store_explicit(&entry->word[index], value, memory_order_release);
}

static void entry_void(struct smmu3 *smmu3, struct context_entry *entry)
{
    word_set(entry, 0, 0);
    smmu3_clean(smmu3, entry, sizeof(*entry));
}

static void entry_fill(struct smmu3 *smmu3, struct context_entry *entry, const struct smmu3_cd *to)
{
    for (unsigned i = STRUCTURE_WORDS - 1; i > 0; i--)
        word_set(entry, i, to->word[i]);
    smmu3_clean(smmu3, entry, sizeof(*entry)); /* the rest before the word that makes it count */
    word_set(entry, 0, to->word[0]);
    smmu3_clean(smmu3, entry, sizeof(*entry));
}

bool smmu3_carries_pasids(const struct domain_link *link)
{
    return link == NULL || link->pt == NULL || (link->parent == NULL && !smmu3_tag_of(link).stage2);
}

void smmu3_substreams_base(struct smmu3 *smmu3, struct smmu3_substreams *streams,
                           const struct domain_link *link)
{
    struct context_entry *entry = entry_of(streams, 0);

    entry_void(smmu3, entry);
    if (link != NULL && link->pt != NULL) {
        const struct smmu3_cd context = smmu3_cd_for(smmu3, link);

        entry_fill(smmu3, entry, &context);
    }
}

struct smmu3_contexts smmu3_substreams_contexts(const struct smmu3_substreams *streams,
                                                const struct domain_link *link)
{
    return (struct smmu3_contexts){
        .table = streams->table.phys,
        .format = streams->leaf_bits == 0         ? SMMU3_CONTEXTS_LINEAR
                  : streams->leaf_bits == LEAF_4K ? SMMU3_CONTEXTS_4K
                                                  : SMMU3_CONTEXTS_64K,
        .lg2 = streams->bits,
        .without = link->pt == NULL ? SMMU3_WITHOUT_BYPASS : SMMU3_WITHOUT_CONTEXT,
    };
}

/* ---- attaching ---- */

/* Whatever was lost before: the unit may hold any descriptor that was ever there. */
static enum sluice_status heal(struct smmu3 *smmu3)
{
    if (!smmu3->unit.started ||
        atomic_load_explicit(&smmu3->unit.degraded, memory_order_relaxed) == 0)
        return SLUICE_OK;
    return smmu3_invalidate_everything(smmu3);
}

/* Old descriptor to new one, or to none; the unit uses the old one no more. */
static enum sluice_status entry_switch(struct smmu3 *smmu3, struct smmu3_substreams *streams,
                                       uint32_t pasid, const struct smmu3_cd *to, bool had_tlb)
{
    struct context_entry *entry = entry_of(streams, pasid);
    enum sluice_status status = SLUICE_OK;

    if (is_valid(entry)) {
        entry_void(smmu3, entry);
        streams->used--;
        if (smmu3->unit.started)
            status = smmu3_invalidate_context(smmu3, streams->sid, pasid, had_tlb);
    }
    if (to == NULL || status != SLUICE_OK)
        return status;
    entry_fill(smmu3, entry, to);
    streams->used++;
    if (smmu3->unit.started)
        status = smmu3_invalidate_context(smmu3, streams->sid, pasid, false);
    if (status != SLUICE_OK) {
        entry_void(smmu3, entry);
        streams->used--;
    }
    return status;
}

/* The table of a stream and the place of a PASID in it, before anything is changed. */
static enum sluice_status streams_ready(struct smmu3 *smmu3, const struct source *source,
                                        uint32_t pasid, struct smmu3_substreams **out)
{
    struct smmu3_substreams *streams = smmu3_substreams_of(smmu3, source->id);

    if (streams == NULL)
        streams = streams_make(smmu3, source->id);
    if (streams == NULL)
        return SLUICE_ERR_NO_MEMORY;
    *out = streams;
    return leaf_make(smmu3, streams, pasid);
}

/*
 * Without PASIDs the stream goes back to its domain's own descriptor, and its table away. When the
 * unit does not confirm, the table stays where it is, with nothing valid for PASIDs in it, to be
 * used again or to be withheld with the unit.
 */
static enum sluice_status streams_put(struct smmu3 *smmu3, const struct source *source,
                                      struct smmu3_substreams *streams)
{
    enum sluice_status status;

    if (streams->used != 0)
        return SLUICE_OK;
    list_remove(&streams->node);
    status = smmu3_stream_refresh(smmu3, source);
    list_append(&smmu3->substreams, &streams->node);
    if (status == SLUICE_OK)
        streams_free(smmu3, streams);
    return status;
}

static enum sluice_status detach(struct smmu3 *smmu3, struct source *source, uint32_t pasid,
                                 struct unit_user *user)
{
    struct smmu3_substreams *streams = smmu3_substreams_of(smmu3, source->id);
    enum sluice_status status;

    if (streams == NULL || entry_of(streams, pasid) == NULL || !is_valid(entry_of(streams, pasid)))
        return SLUICE_OK;
    status = entry_switch(smmu3, streams, pasid, NULL, unit_user_has_device_tlb(user));
    return status == SLUICE_OK ? streams_put(smmu3, source, streams) : status;
}

static enum sluice_status attach(struct smmu3 *smmu3, struct source *source, uint32_t pasid,
                                 struct domain_link *to, struct unit_user *old)
{
    const struct smmu3_cd context = smmu3_cd_for(smmu3, to);
    struct smmu3_substreams *streams;
    enum sluice_status status = streams_ready(smmu3, source, pasid, &streams);

    if (status == SLUICE_OK)
        status = heal(smmu3);
    /* The first PASID: the stream is led to its table, which says what it had until now. */
    if (status == SLUICE_OK && streams->used == 0) {
        smmu3_substreams_base(smmu3, streams, source->link);
        status = smmu3_stream_refresh(smmu3, source);
    }
    if (status == SLUICE_OK)
        status = entry_switch(smmu3, streams, pasid, &context, unit_user_has_device_tlb(old));
    return status;
}

/* The record of the PASID, under whatever link; there is at most one. */
static struct unit_user *user_of(struct smmu3 *smmu3, uint32_t sid, uint32_t pasid)
{
    list_for_each(node, &smmu3->users.list)
    {
        struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->source == sid && user->pasid == pasid)
            return user;
    }
    return NULL;
}

/* Without memory nothing has changed: what was made for it goes. */
static enum sluice_status undo(struct smmu3 *smmu3, struct source *source, uint32_t pasid,
                               const struct domain_link *to)
{
    struct smmu3_substreams *streams = smmu3_substreams_of(smmu3, source->id);

    unit_user_remove(&smmu3->users, unit_user_find(&smmu3->users, source->id, pasid, to));
    if (streams == NULL || streams_put(smmu3, source, streams) == SLUICE_OK)
        return SLUICE_ERR_NO_MEMORY;
    return SLUICE_ERR_HARDWARE;
}

enum sluice_status smmu3_attach_pasid(struct smmu3 *smmu3, struct source *source, uint32_t pasid,
                                      struct domain_link *to)
{
    struct unit_user *old = user_of(smmu3, source->id, pasid);
    enum sluice_status status = SLUICE_OK;

    if (pasid == 0 || pasid >> smmu3->capability.ssid_bits != 0 ||
        !smmu3_carries_pasids(source->link) ||
        (to != NULL && (to->pt == NULL || !smmu3_carries_pasids(to))))
        return SLUICE_ERR_UNSUPPORTED;
    if (to != NULL) {
        status = smmu3_stream_make(smmu3, source->id);
        if (status == SLUICE_OK)
            status = smmu3_user_add(smmu3, source, pasid, to);
        if (status != SLUICE_OK)
            return status;
        status = attach(smmu3, source, pasid, to, old);
        if (status == SLUICE_ERR_NO_MEMORY)
            return undo(smmu3, source, pasid, to);
    } else {
        status = detach(smmu3, source, pasid, old);
    }
    unit_user_remove(&smmu3->users, old);
    if (status != SLUICE_OK)
        unit_degrade(&smmu3->unit, "PASID %u of stream %#x could not be moved and is refused",
                     (unsigned)pasid, (unsigned)source->id);
    return status;
}
