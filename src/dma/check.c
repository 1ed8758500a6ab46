// SPDX-License-Identifier: MIT
/*
 * The checking mode judges calls. See check.h.
 */
#include "dma/check.h"

void check_report(struct dma_check *check, const struct sluice_dma_misuse *misuse)
{
    struct sluice *sluice = check->context->sluice;
    char text[224];

    (void)misuse_text_call(misuse, text, sizeof(text));
    log_error(sluice, "%s", text);
    /* Apart, because both together would not fit a line of the log. */
    if (misuse->mapped_bytes != 0) {
        misuse_text_mapping(misuse, text, sizeof(text));
        log_error(sluice, "%s: %s", misuse->device != NULL ? misuse->device : "", text);
    }
    if (sluice->config.on_dma_misuse != NULL)
        sluice->config.on_dma_misuse(sluice->config.on_dma_misuse_arg, misuse);
}

static void report_call(struct sluice_dma *dma, const struct sluice_dma_misuse *misuse)
{
    atomic_fetch_add_explicit(&dma->misuses, 1, memory_order_relaxed);
    check_report(dma->check, misuse);
}

void check_mapped(struct sluice_dma *dma, enum check_kind kind,
                  const struct sluice_dma_chunk *range, uint32_t flags, const char *site)
{
    struct dma_check *check = dma->check;
    struct check_entry *entry = host_alloc(dma->sluice, sizeof(*entry));
    sluice_irqstate_t irq;

    irq = sluice_spin_lock(&check->lock);
    if (entry != NULL) {
        struct check_entry **bucket = check_bucket(check, range->address);

        *entry = (struct check_entry){
            .next = *bucket,
            .dma_id = dma->id,
            .space_id = check_space_id(dma->space),
            .device = check_name_of(check, dma),
            .address = range->address,
            .bytes = range->bytes,
            .flags = flags & SLUICE_DMA_BOTH,
            .kind = kind,
            .site = site,
            .time_ns = host_now_ns(dma->sluice),
        };
        *bucket = entry;
    } else {
        check->untracked++;
    }
    sluice_spin_unlock(&check->lock, irq);
}

/** What an unmap does wrong with a mapping that begins where it says. */
static bool judge_unmap(const struct check_entry *entry, enum check_kind kind,
                        const struct sluice_dma_chunk *range, uint32_t flags,
                        enum sluice_dma_misuse_kind *out)
{
    if (entry->kind != kind)
        *out = SLUICE_DMA_WRONG_KIND;
    else if (entry->bytes != range->bytes)
        *out = SLUICE_DMA_WRONG_SIZE;
    else if (kind != CHECK_COHERENT && entry->flags != (flags & SLUICE_DMA_BOTH))
        *out = SLUICE_DMA_WRONG_DIRECTION;
    else
        return false;
    return true;
}

/** The mapping that an unmap means: of several at one physical address, one that fits. */
static struct check_entry **find_meant(struct sluice_dma *dma, enum check_kind kind,
                                       const struct sluice_dma_chunk *range, uint32_t flags)
{
    struct check_entry **first = NULL;
    enum sluice_dma_misuse_kind wrong;

    for (struct check_entry **at = check_bucket(dma->check, range->address); *at != NULL;
         at = &(*at)->next) {
        if ((*at)->dma_id != dma->id || (*at)->address != range->address)
            continue;
        if (!judge_unmap(*at, kind, range, flags, &wrong))
            return at;
        first = first != NULL ? first : at;
    }
    return first;
}

/** Nothing begins there: it was unmapped before, lies inside a mapping, or never was any. */
static void judge_unknown(struct sluice_dma *dma, const struct sluice_dma_chunk *range,
                          struct sluice_dma_misuse *misuse)
{
    struct check_entry **inside = check_find(dma->check, dma, range->address);
    const struct check_entry *ended =
        check_find_ended(dma->check, dma, check_space_id(dma->space), range->address);
    uint64_t now = host_now_ns(dma->sluice);

    misuse->kind = SLUICE_DMA_UNMAP_UNKNOWN;
    if (inside != NULL) {
        misuse->kind = SLUICE_DMA_WRONG_SIZE;
        check_describe(*inside, false, now, misuse);
    } else if (ended != NULL) {
        misuse->kind = SLUICE_DMA_UNMAP_TWICE;
        check_describe(ended, true, now, misuse);
    }
}

static enum sluice_status judge_locked(struct sluice_dma *dma, enum check_kind kind,
                                       const struct sluice_dma_chunk *range,
                                       struct sluice_dma_misuse *misuse)
{
    struct dma_check *check = dma->check;
    struct check_entry **at = find_meant(dma, kind, range, misuse->flags);

    if (at != NULL && !judge_unmap(*at, kind, range, misuse->flags, &misuse->kind)) {
        check_end(check, at, misuse->site);
        return SLUICE_OK;
    }
    if (at != NULL) {
        check_describe(*at, false, host_now_ns(dma->sluice), misuse);
        return SLUICE_ERR_INVALID;
    }
    if (check->untracked != 0) {
        check->untracked--; /* it may be one of those that were not remembered */
        return SLUICE_OK;
    }
    judge_unknown(dma, range, misuse);
    return SLUICE_ERR_NOT_FOUND;
}

enum sluice_status check_unmapping(struct sluice_dma *dma, enum check_kind kind,
                                   const struct sluice_dma_chunk *range, uint32_t flags,
                                   const char *site)
{
    struct dma_check *check = dma->check;
    struct sluice_dma_misuse misuse = {.address = range->address,
                                       .bytes = range->bytes,
                                       .flags = flags & SLUICE_DMA_BOTH,
                                       .site = site};
    sluice_irqstate_t irq = sluice_spin_lock(&check->lock);
    enum sluice_status status = judge_locked(dma, kind, range, &misuse);

    misuse.device = check_name_of(check, dma);
    sluice_spin_unlock(&check->lock, irq);
    if (status != SLUICE_OK)
        report_call(dma, &misuse);
    return status;
}

/* ---- lists: one entry for one range, else one a chunk ---- */

/** What of a list's one range is the mapping. */
static struct sluice_dma_chunk one_range(const struct sluice_dma *dma,
                                         const struct sluice_dma_sg *sg, uint64_t whole_bytes)
{
    sluice_iova_t first = sg->chunks[0].address;

    return (struct sluice_dma_chunk){first, whole_bytes - space_offset(dma->space, first)};
}

void check_list_mapped(struct sluice_dma *dma, const struct sluice_dma_sg *sg, uint64_t whole_bytes,
                       uint32_t flags, const char *site)
{
    if (whole_bytes != 0) {
        const struct sluice_dma_chunk whole = one_range(dma, sg, whole_bytes);

        check_mapped(dma, CHECK_LIST, &whole, flags, site);
        return;
    }
    for (unsigned i = 0; i < sg->chunk_count; i++)
        check_mapped(dma, CHECK_LIST, &sg->chunks[i], flags, site);
}

enum sluice_status check_list_unmapping(struct sluice_dma *dma, const struct sluice_dma_sg *sg,
                                        uint64_t whole_bytes, uint32_t flags, const char *site)
{
    enum sluice_status status = SLUICE_OK;

    if (whole_bytes != 0) {
        const struct sluice_dma_chunk whole = one_range(dma, sg, whole_bytes);

        return check_unmapping(dma, CHECK_LIST, &whole, flags, site);
    }
    for (unsigned i = 0; i < sg->chunk_count && status == SLUICE_OK; i++)
        status = check_unmapping(dma, CHECK_LIST, &sg->chunks[i], flags, site);
    return status;
}

/* ---- sync ---- */

static enum sluice_status judge_sync_locked(struct sluice_dma *dma,
                                            const struct sluice_dma_chunk *range,
                                            struct sluice_dma_misuse *misuse)
{
    struct dma_check *check = dma->check;
    struct check_entry **at = check_find(check, dma, range->address);
    const struct check_entry *ended;
    uint64_t now = host_now_ns(dma->sluice);

    if (at == NULL) {
        if (check->untracked != 0)
            return SLUICE_OK;
        misuse->kind = SLUICE_DMA_SYNC_UNKNOWN;
        ended = check_find_ended(check, dma, check_space_id(dma->space), range->address);
        if (ended != NULL)
            check_describe(ended, true, now, misuse);
        return SLUICE_ERR_NOT_FOUND;
    }
    check_describe(*at, false, now, misuse);
    if (range->bytes > (*at)->bytes - (range->address - (*at)->address))
        misuse->kind = SLUICE_DMA_SYNC_OUTSIDE;
    else if ((misuse->flags & ~(*at)->flags) != 0)
        misuse->kind = SLUICE_DMA_WRONG_DIRECTION;
    else
        return SLUICE_OK;
    return SLUICE_ERR_INVALID;
}

enum sluice_status check_sync(struct sluice_dma *dma, const struct sluice_dma_chunk *range,
                              uint32_t flags, const char *site)
{
    struct dma_check *check = dma->check;
    struct sluice_dma_misuse misuse = {.address = range->address,
                                       .bytes = range->bytes,
                                       .flags = flags & SLUICE_DMA_BOTH,
                                       .site = site};
    sluice_irqstate_t irq = sluice_spin_lock(&check->lock);
    enum sluice_status status = judge_sync_locked(dma, range, &misuse);

    misuse.device = check_name_of(check, dma);
    sluice_spin_unlock(&check->lock, irq);
    if (status != SLUICE_OK)
        report_call(dma, &misuse);
    return status;
}

/* ---- leaks ---- */

/** Takes one live mapping of a device out of the table; false when there is none. */
static bool take_leak(struct sluice_dma *dma, struct sluice_dma_misuse *misuse)
{
    struct dma_check *check = dma->check;
    sluice_irqstate_t irq = sluice_spin_lock(&check->lock);
    bool found = false;

    for (unsigned i = 0; i < CHECK_BUCKETS && !found; i++) {
        for (struct check_entry **at = &check->buckets[i]; *at != NULL; at = &(*at)->next) {
            if ((*at)->dma_id != dma->id)
                continue;
            check_describe(*at, false, host_now_ns(dma->sluice), misuse);
            misuse->device = (*at)->device;
            misuse->address = (*at)->address;
            check_end(check, at, NULL);
            found = true;
            break;
        }
    }
    sluice_spin_unlock(&check->lock, irq);
    return found;
}

void check_leave(struct sluice_dma *dma)
{
    struct sluice_dma_misuse misuse = {.kind = SLUICE_DMA_LEAK};

    for (unsigned count = 0; take_leak(dma, &misuse); count++) {
        if (count < CHECK_LEAKS)
            report_call(dma, &misuse);
    }
}
