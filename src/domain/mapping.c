// SPDX-License-Identifier: MIT
/*
 * Mapping, unmapping, looking up: argument checks, reserved ranges, and the two phases of an unmap.
 */
#include "domain/domain.h"

/** Most pages that are looked at for whether addresses are free, under a lock. */
#define KEPT_FREE_MAX_PAGES ((uint64_t)1 << 18)

/** Checks a range against the smallest page and the aperture. */
static enum sluice_status check_range(const struct sluice_domain *domain, sluice_iova_t iova,
                                      uint64_t bytes)
{
    const struct pt_config *config = &domain->pt.config;
    uint64_t smallest = domain_page_bytes(domain);

    if (bytes == 0)
        return SLUICE_ERR_INVALID;
    if (((iova | bytes) & (smallest - 1)) != 0)
        return SLUICE_ERR_ALIGNMENT;
    if (iova + (bytes - 1) < iova)
        return SLUICE_ERR_RANGE;
    if (config->iova_bits < 64 && ((iova + (bytes - 1)) >> config->iova_bits) != 0)
        return SLUICE_ERR_RANGE;
    return SLUICE_OK;
}

static enum sluice_status check_target(const struct sluice_domain *domain, sluice_phys_t phys,
                                       uint64_t bytes, uint32_t prot)
{
    const struct pt_config *config = &domain->pt.config;
    uint64_t smallest = domain_page_bytes(domain);

    if ((prot & (SLUICE_PROT_READ | SLUICE_PROT_WRITE)) == 0)
        return SLUICE_ERR_INVALID;
    if ((phys & (smallest - 1)) != 0)
        return SLUICE_ERR_ALIGNMENT;
    if (phys + (bytes - 1) < phys)
        return SLUICE_ERR_RANGE;
    if (config->phys_bits < 64 && ((phys + (bytes - 1)) >> config->phys_bits) != 0)
        return SLUICE_ERR_RANGE;
    return SLUICE_OK;
}

/** Whether callers may map and unmap in this domain at all. */
static bool takes_mappings(struct sluice_domain *domain)
{
    return (domain->kind == SLUICE_DOMAIN_DMA || domain->kind == SLUICE_DOMAIN_UNMANAGED) &&
           atomic_load_explicit(&domain->manager, memory_order_relaxed) == NULL;
}

static bool hits_reserved(struct sluice_domain *domain, sluice_iova_t first, sluice_iova_t last)
{
    /* Acquire: pairs with the release in domain_reserve_locked. */
    unsigned count = atomic_load_explicit(&domain->reserved_count, memory_order_acquire);

    for (unsigned i = 0; i < count; i++) {
        const struct domain_reserved *reserved = domain_reserved_at(domain, i);

        if (first <= reserved->last && last >= reserved->first)
            return true;
    }
    return false;
}

bool domain_is_free(struct sluice_domain *domain, sluice_iova_t iova, uint64_t bytes)
{
    struct sluice_mapping mapping;

    if (check_range(domain, iova, bytes) != SLUICE_OK ||
        hits_reserved(domain, iova, iova + (bytes - 1)))
        return false;
    for (uint64_t at = 0; at < bytes; at += SLUICE_PAGE_BYTES) {
        if (domain_lookup(domain, iova + at, &mapping) == SLUICE_OK)
            return false;
    }
    return true;
}

/** Room for one more range than `count`. */
static enum sluice_status make_room(struct sluice_domain *domain, unsigned count)
{
    struct domain_reserved_block *block = &domain->reserved;

    if (count == DOMAIN_RESERVED_MAX) {
        log_error(domain->sluice, "domain '%s': %u reserved ranges, and one more: refused",
                  domain->name, count);
        return SLUICE_ERR_NO_SPACE;
    }
    if (count == 0 || count % DOMAIN_RESERVED_BLOCK != 0)
        return SLUICE_OK;
    for (unsigned i = DOMAIN_RESERVED_BLOCK; i < count; i += DOMAIN_RESERVED_BLOCK)
        block = block->next;
    if (block->next == NULL)
        block->next = host_alloc(domain->sluice, sizeof(*block));
    return block->next != NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
}

enum sluice_status domain_reserve_locked(struct sluice_domain *domain,
                                         enum sluice_reserved_kind kind, sluice_iova_t first,
                                         sluice_iova_t last)
{
    struct domain_manager *manager = atomic_load_explicit(&domain->manager, memory_order_relaxed);
    unsigned count = atomic_load_explicit(&domain->reserved_count, memory_order_relaxed);
    enum sluice_status status;

    for (unsigned i = 0; i < count; i++) {
        const struct domain_reserved *reserved = domain_reserved_at(domain, i);

        if (reserved->first <= first && reserved->last >= last)
            return SLUICE_OK;
    }
    status = make_room(domain, count);
    if (status == SLUICE_OK && manager != NULL)
        status = manager->reserve(manager, first, last);
    if (status != SLUICE_OK)
        return status;
    *domain_reserved_at(domain, count) =
        (struct domain_reserved){.first = first, .last = last, .kind = kind};
    /* Release: the entry is whole before it is counted; pairs with hits_reserved. */
    atomic_store_explicit(&domain->reserved_count, count + 1, memory_order_release);
    return SLUICE_OK;
}

bool domain_has_reserved(struct sluice_domain *domain, enum sluice_reserved_kind kind,
                         sluice_iova_t first, sluice_iova_t last)
{
    unsigned count = atomic_load_explicit(&domain->reserved_count, memory_order_relaxed);

    for (unsigned i = 0; i < count; i++) {
        const struct domain_reserved *reserved = domain_reserved_at(domain, i);

        if (reserved->kind == kind && reserved->first <= first && reserved->last >= last)
            return true;
    }
    return false;
}

/** Whether nothing is mapped in `pages` pages and one more. Returns: OK; EXISTS; NO_SPACE. */
static enum sluice_status look_through(struct sluice_domain *domain, sluice_iova_t begin,
                                       uint64_t pages)
{
    const uint64_t step = domain_page_bytes(domain);
    struct sluice_mapping mapping;

    if (!domain_maps_nothing(domain) && pages >= KEPT_FREE_MAX_PAGES) {
        log_error(domain->sluice,
                  "domain '%s': from %#llx on it is too much to look through: attach the device "
                  "before anything is mapped",
                  domain->name, (unsigned long long)begin);
        return SLUICE_ERR_NO_SPACE;
    }
    for (uint64_t i = 0; i <= pages && !domain_maps_nothing(domain); i++) {
        if (domain_lookup(domain, begin + i * step, &mapping) != SLUICE_OK)
            continue;
        log_error(domain->sluice, "domain '%s': %#llx is mapped, and to be kept free", domain->name,
                  (unsigned long long)(begin + i * step));
        return SLUICE_ERR_EXISTS;
    }
    return SLUICE_OK;
}

enum sluice_status domain_keep_free_locked(struct sluice_domain *domain,
                                           enum sluice_reserved_kind kind, sluice_iova_t first,
                                           sluice_iova_t last)
{
    const unsigned bits = domain->pt.config.iova_bits;
    enum sluice_status status;

    if (domain->kind == SLUICE_DOMAIN_IDENTITY || last == 0 || (bits < 64 && first >> bits != 0))
        return SLUICE_OK;
    first &= ~(domain_page_bytes(domain) - 1);
    last |= domain_page_bytes(domain) - 1;
    if (bits < 64 && last >> bits != 0)
        last = ((sluice_iova_t)1 << bits) - 1;
    if (domain_has_reserved(domain, kind, first, last))
        return SLUICE_OK;
    status = look_through(domain, first, (last - first) / domain_page_bytes(domain));
    return status == SLUICE_OK ? domain_reserve_locked(domain, kind, first, last) : status;
}

/** Clears what was mapped when a unit did not confirm: the caller is told that it failed. */
static void take_back(struct sluice_domain *domain, sluice_iova_t iova, uint64_t bytes)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    if (domain_clear(domain, iova, bytes, &gather, NULL) != SLUICE_OK ||
        domain_flush(domain, &gather) != SLUICE_OK)
        log_error(domain->sluice, "domain '%s': %#llx, %#llx bytes: a unit may still use it",
                  domain->name, (unsigned long long)iova, (unsigned long long)bytes);
}

/** What a map owes the units, whether it worked or not. */
static enum sluice_status finish_map(struct sluice_domain *domain,
                                     const struct unit_mapping *mapping, struct pt_gather *gather,
                                     enum sluice_status status)
{
    const struct unit_mapping *mapped = NULL;
    enum sluice_status flushed;

    if (status == SLUICE_OK &&
        atomic_load_explicit(&domain->flush_on_map, memory_order_acquire) != 0) {
        const struct pt_range range = {.first = mapping->iova,
                                       .last = mapping->iova + (mapping->list->bytes - 1),
                                       .page_lg2 = SLUICE_PAGE_LG2,
                                       .tables = true};

        pt_gather_add(gather, &range);
        mapped = mapping;
    }
    /* Also when the map failed: what was there for a moment and taken back may be cached. */
    flushed =
        mapped != NULL ? domain_flush_mapped(domain, gather, mapped) : domain_flush(domain, gather);
    if (flushed != SLUICE_OK && status == SLUICE_OK)
        take_back(domain, mapping->iova, mapping->list->bytes);
    return flushed != SLUICE_OK ? flushed : status;
}

enum sluice_status domain_map_unchecked(struct sluice_domain *domain, sluice_iova_t iova,
                                        sluice_phys_t phys, uint64_t bytes, uint32_t prot)
{
    const struct sluice_dma_segment piece = {phys, bytes};
    const struct pt_list list = pt_list_of(&piece, 1);
    const struct unit_mapping mapping = {.iova = iova, .list = &list, .prot = prot};
    struct pt_gather gather;
    enum sluice_status status;

    pt_gather_init(&gather);
    /* The format takes it for granted. */
    if (((iova | phys | bytes) & (domain_page_bytes(domain) - 1)) != 0)
        return SLUICE_ERR_ALIGNMENT;
    if (domain->history != NULL)
        history_mark(domain->history, iova, bytes);
    status = domain->pt.format->map(&domain->pt, iova, phys, bytes, prot, &gather);
    return finish_map(domain, &mapping, &gather, status);
}

enum sluice_status domain_map_list(struct sluice_domain *domain, sluice_iova_t iova,
                                   const struct pt_list *list, uint32_t prot)
{
    const struct unit_mapping mapping = {.iova = iova, .list = list, .prot = prot & ~PT_PROT_WHOLE};
    struct pt_gather gather;
    enum sluice_status status;

    pt_gather_init(&gather);
    if (domain->history != NULL)
        history_mark(domain->history, iova, list->bytes);
    status = domain->pt.format->map_list(&domain->pt, iova, list, prot, &gather);
    return finish_map(domain, &mapping, &gather, status);
}

enum sluice_status sluice_domain_map(struct sluice_domain *domain, sluice_iova_t iova,
                                     sluice_phys_t phys, uint64_t bytes, uint32_t prot)
{
    enum sluice_status status;

    if (domain == NULL)
        return SLUICE_ERR_INVALID;
    if (!takes_mappings(domain))
        return SLUICE_ERR_DENIED;
    status = check_range(domain, iova, bytes);
    if (status == SLUICE_OK)
        status = check_target(domain, phys, bytes, prot);
    if (status != SLUICE_OK)
        return status;
    if (hits_reserved(domain, iova, iova + (bytes - 1)))
        return SLUICE_ERR_DENIED;
    if (!atomic_load_explicit(&domain->mapped_by_caller, memory_order_relaxed))
        atomic_store_explicit(&domain->mapped_by_caller, true, memory_order_relaxed);
    return domain_map_unchecked(domain, iova, phys, bytes, prot);
}

enum sluice_status domain_clear(struct sluice_domain *domain, sluice_iova_t iova, uint64_t bytes,
                                struct pt_gather *gather, uint64_t *out_unmapped_bytes)
{
    return domain->pt.format->unmap(&domain->pt, iova, bytes, gather, out_unmapped_bytes);
}

/** What of [iova, iova + bytes) was mapped, as well as the gather knows; returns how many pieces.
 */
static unsigned gone_of(const struct pt_gather *gather, sluice_iova_t iova, uint64_t bytes,
                        struct sluice_dma_chunk gone[PT_GATHER_RANGES])
{
    const sluice_iova_t last = iova + (bytes - 1);
    unsigned count = 0;

    for (unsigned i = 0; i < gather->count; i++) {
        const struct pt_range *range = &gather->ranges[i];
        sluice_iova_t from = range->first > iova ? range->first : iova;
        sluice_iova_t to = range->last < last ? range->last : last;

        if (from <= to && to - from != UINT64_MAX)
            gone[count++] = (struct sluice_dma_chunk){from, to - from + 1};
    }
    return count;
}

enum sluice_status sluice_domain_unmap(struct sluice_domain *domain, sluice_iova_t iova,
                                       uint64_t bytes, uint64_t *out_unmapped_bytes)
{
    struct sluice_dma_chunk gone[PT_GATHER_RANGES];
    struct pt_gather gather;
    enum sluice_status status;

    if (domain == NULL)
        return SLUICE_ERR_INVALID;
    if (!takes_mappings(domain))
        return SLUICE_ERR_DENIED;
    status = check_range(domain, iova, bytes);
    if (status != SLUICE_OK)
        return status;
    if (hits_reserved(domain, iova, iova + (bytes - 1)))
        return SLUICE_ERR_DENIED;
    pt_gather_init(&gather);
    status = domain_clear(domain, iova, bytes, &gather, out_unmapped_bytes);
    if (status == SLUICE_OK)
        status = domain_flush_unmapped(domain, &gather, gone, gone_of(&gather, iova, bytes, gone));
    return status;
}

enum sluice_status domain_lookup(struct sluice_domain *domain, sluice_iova_t iova,
                                 struct sluice_mapping *out)
{
    sluice_irqstate_t irq = sluice_spin_lock(&domain->tables_lock);
    enum sluice_status status = domain->pt.format->lookup(&domain->pt, iova, out);

    sluice_spin_unlock(&domain->tables_lock, irq);
    return status;
}

enum sluice_status sluice_domain_lookup(struct sluice_domain *domain, sluice_iova_t iova,
                                        struct sluice_mapping *out)
{
    if (domain == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    if (!domain->has_tables) {
        if (domain->kind != SLUICE_DOMAIN_IDENTITY)
            return SLUICE_ERR_NOT_FOUND;
        *out = (struct sluice_mapping){.phys = iova,
                                       .page_bytes = SLUICE_PAGE_BYTES,
                                       .prot = SLUICE_PROT_READ | SLUICE_PROT_WRITE};
        return SLUICE_OK;
    }
    if (domain->pt.config.iova_bits < 64 && (iova >> domain->pt.config.iova_bits) != 0)
        return SLUICE_ERR_RANGE;
    return domain_lookup(domain, iova, out);
}
