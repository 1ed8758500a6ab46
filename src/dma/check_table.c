// SPDX-License-Identifier: MIT
/*
 * What the checking mode remembers. See check.h.
 */
#include "dma/check.h"

enum sluice_status check_get_locked(struct dma_context *context, struct dma_check **out)
{
    struct dma_check *check = atomic_load_explicit(&context->check, memory_order_relaxed);

    if (check != NULL) {
        *out = check;
        return SLUICE_OK;
    }
    check = host_alloc(context->sluice, sizeof(*check));
    if (check == NULL)
        return SLUICE_ERR_NO_MEMORY;
    check->context = context;
    *out = check;
    /* Release: the table is whole; pairs with the acquire in check_fault.c. */
    atomic_store_explicit(&context->check, check, memory_order_release);
    atomic_store_explicit(&context->sluice->fault_observer, check_observe, memory_order_release);
    return SLUICE_OK;
}

void check_destroy(struct dma_check *check)
{
    struct sluice *sluice;

    if (check == NULL)
        return;
    sluice = check->context->sluice;
    for (unsigned i = 0; i < CHECK_BUCKETS; i++) {
        while (check->buckets[i] != NULL) {
            struct check_entry *entry = check->buckets[i];

            check->buckets[i] = entry->next;
            host_free(sluice, entry, sizeof(*entry));
        }
    }
    while (check->names != NULL) {
        struct check_name *name = check->names;

        check->names = name->next;
        host_free(sluice, name, sizeof(*name));
    }
    host_free(sluice, check, sizeof(*check));
}

/* ---- names ---- */

static bool same_text(const char *a, const char *b)
{
    size_t i = 0;

    while (a[i] == b[i] && a[i] != '\0')
        i++;
    return a[i] == b[i];
}

static struct check_name *find_name(struct dma_check *check, const char *text)
{
    struct check_name *name = check->names;

    while (name != NULL && !same_text(name->text, text))
        name = name->next;
    return name;
}

const char *check_name_of(struct dma_check *check, const struct sluice_dma *dma)
{
    const struct check_name *name = find_name(check, dma->name);

    return name != NULL ? name->text : "";
}

enum sluice_status check_join(struct dma_check *check, struct sluice_dma *dma)
{
    struct sluice *sluice = check->context->sluice;
    struct check_name *name = find_name(check, dma->name);
    sluice_irqstate_t irq;

    if (name == NULL) {
        name = host_alloc(sluice, sizeof(*name));
        if (name == NULL)
            return SLUICE_ERR_NO_MEMORY;
        format_text(name->text, sizeof(name->text), "%s", dma->name);
        irq = sluice_spin_lock(&check->lock);
        name->next = check->names;
        check->names = name;
        sluice_spin_unlock(&check->lock, irq);
    }
    dma->check = check;
    return SLUICE_OK;
}

/* ---- entries ---- */

uint64_t check_space_id(const struct dma_space *space)
{
    return space != NULL ? (uint64_t)space->order + 1 : 0;
}

struct check_entry **check_bucket(struct dma_check *check, sluice_iova_t address)
{
    uint64_t page = address >> SLUICE_PAGE_LG2;

    return &check->buckets[(page ^ (page >> 10) ^ (page >> 20)) & (CHECK_BUCKETS - 1)];
}

static bool holds(const struct check_entry *entry, sluice_iova_t address)
{
    return address >= entry->address && address - entry->address < entry->bytes;
}

/** Where an entry of a bucket is that begins at the address, or (`inside`) has it in it. */
static struct check_entry **find_in(struct check_entry **bucket, const struct sluice_dma *dma,
                                    sluice_iova_t address, bool inside)
{
    for (struct check_entry **at = bucket; *at != NULL; at = &(*at)->next) {
        if ((*at)->dma_id == dma->id && (inside ? holds(*at, address) : (*at)->address == address))
            return at;
    }
    return NULL;
}

struct check_entry **check_find(struct dma_check *check, const struct sluice_dma *dma,
                                sluice_iova_t address)
{
    struct check_entry **bucket = check_bucket(check, address);
    struct check_entry **at = find_in(bucket, dma, address, false);

    if (at == NULL)
        at = find_in(bucket, dma, address, true);
    for (unsigned i = 0; at == NULL && i < CHECK_BUCKETS; i++)
        at = find_in(&check->buckets[i], dma, address, true);
    return at;
}

const struct check_entry *check_find_ended(struct dma_check *check, const struct sluice_dma *dma,
                                           uint64_t space_id, sluice_iova_t address)
{
    uint64_t kept = check->ended < CHECK_HISTORY ? check->ended : CHECK_HISTORY;

    for (uint64_t back = 1; back <= kept; back++) {
        const struct check_entry *entry = &check->history[(check->ended - back) % CHECK_HISTORY];

        if (entry->space_id == space_id && (dma == NULL || entry->dma_id == dma->id) &&
            holds(entry, address))
            return entry;
    }
    return NULL;
}

void check_end(struct dma_check *check, struct check_entry **at, const char *site)
{
    struct sluice *sluice = check->context->sluice;
    struct check_entry *entry = *at;
    struct check_entry *old = &check->history[check->ended++ % CHECK_HISTORY];

    *at = entry->next;
    *old = *entry;
    old->next = NULL;
    old->ended_site = site;
    old->time_ns = host_now_ns(sluice);
    host_free(sluice, entry, sizeof(*entry));
}

void check_describe(const struct check_entry *entry, bool ended, uint64_t now_ns,
                    struct sluice_dma_misuse *out)
{
    out->mapped_address = entry->address;
    out->mapped_bytes = entry->bytes;
    out->mapped_flags = entry->flags;
    out->mapped_site = entry->site;
    out->unmapped_site = ended ? entry->ended_site : NULL;
    out->age_ns = now_ns - entry->time_ns;
}
