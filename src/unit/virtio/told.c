// SPDX-License-Identifier: MIT
/*
 * The skip list of runs. See told.h.
 */
#include "unit/virtio/told.h"

static size_t run_bytes(unsigned height)
{
    return sizeof(struct told_run) + height * sizeof(struct told_run *);
}

void told_init(struct told *told, struct sluice *sluice)
{
    *told = (struct told){.sluice = sluice, .random = 0x9e3779b9u};
}

/* Each level has a quarter of the runs of the one below. */
static unsigned choose_height(struct told *told)
{
    unsigned height = 1;
    uint32_t bits;

    /* xorshift: any sequence will do that does not follow the addresses. */
    told->random ^= told->random << 13;
    told->random ^= told->random >> 17;
    told->random ^= told->random << 5;
    for (bits = told->random; (bits & 3u) == 0 && height < TOLD_HEIGHT; bits >>= 2)
        height++;
    return height;
}

/* What points at the first run that ends at or after `iova`, on each level. */
static void find(struct told *told, uint64_t iova, struct told_run ***links)
{
    struct told_run *at = NULL;

    for (unsigned level = TOLD_HEIGHT; level-- > 0;) {
        struct told_run **link = at == NULL ? &told->head[level] : &at->next[level];

        while (*link != NULL && (*link)->mapping.last < iova) {
            at = *link;
            link = &at->next[level];
        }
        links[level] = link;
    }
}

struct told_run *told_from(const struct told *told, uint64_t iova)
{
    const struct told_run *at = NULL;
    struct told_run *next = NULL;

    for (unsigned level = TOLD_HEIGHT; level-- > 0;) {
        next = at == NULL ? told->head[level] : at->next[level];
        while (next != NULL && next->mapping.last < iova) {
            at = next;
            next = at->next[level];
        }
    }
    return next;
}

struct told_run *told_make(struct told *told, const struct viommu_mapping *mapping)
{
    unsigned height = choose_height(told);
    struct told_run *run = host_alloc(told->sluice, run_bytes(height));

    if (run == NULL)
        return NULL;
    run->mapping = *mapping;
    run->height = height;
    return run;
}

void told_free(struct told *told, struct told_run *run)
{
    host_free(told->sluice, run, run_bytes(run->height));
}

void told_add(struct told *told, struct told_run *run)
{
    struct told_run **links[TOLD_HEIGHT];

    find(told, run->mapping.first, links);
    for (unsigned level = 0; level < run->height; level++) {
        run->next[level] = *links[level];
        *links[level] = run;
    }
    told->count++;
}

void told_remove(struct told *told, struct told_run *run)
{
    struct told_run **links[TOLD_HEIGHT];

    find(told, run->mapping.first, links);
    for (unsigned level = 0; level < run->height; level++)
        *links[level] = run->next[level];
    told->count--;
    told_free(told, run);
}

void told_clear(struct told *told)
{
    struct told_run *run = told->head[0];

    while (run != NULL) {
        struct told_run *next = run->next[0];

        told_free(told, run);
        run = next;
    }
    for (unsigned level = 0; level < TOLD_HEIGHT; level++)
        told->head[level] = NULL;
    told->count = 0;
}
