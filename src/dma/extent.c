// SPDX-License-Identifier: MIT
/*
 * The tree of free extents: a height-balanced binary tree without recursion. A path from the root
 * is kept as the addresses of the pointers that were followed, so that rotations can be made on the
 * way back without parent pointers.
 */
#include "dma/extent.h"

struct extent_path {
    unsigned depth;
    struct extent **link[EXTENT_DEPTH];
};

/** log2 of the largest naturally aligned block in [first, first + pages). */
static uint8_t block_lg2_of(uint64_t first, uint64_t pages)
{
    unsigned lg2 = 63u - (unsigned)__builtin_clzll(pages);
    uint64_t block = (uint64_t)1 << lg2;
    uint64_t start = (first + block - 1) & ~(block - 1);

    /* A run of at least 2^n pages always holds an aligned block of 2^(n-1). */
    if (start < first || start - first > pages - block)
        lg2--;
    return (uint8_t)lg2;
}

static unsigned height_of(const struct extent *node)
{
    return node != NULL ? node->height : 0;
}

/** Recomputes what a node knows about the tree below it. */
static void extent_update(struct extent *node)
{
    unsigned height = 0;

    node->longest = node->pages;
    node->largest = node->block_lg2;
    for (unsigned side = 0; side < 2; side++) {
        const struct extent *child = node->child[side];

        if (child == NULL)
            continue;
        if (child->longest > node->longest)
            node->longest = child->longest;
        if (child->largest > node->largest)
            node->largest = child->largest;
        if (child->height > height)
            height = child->height;
    }
    node->height = (uint8_t)(height + 1);
}

/** Sets an extent's place and what follows from that alone. */
static void extent_set(struct extent *node, uint64_t first, uint64_t pages)
{
    node->first = first;
    node->pages = pages;
    node->block_lg2 = block_lg2_of(first, pages);
}

/** Moves the child on `side` up into the place of *link. */
static void rotate_up(struct extent **link, unsigned side)
{
    struct extent *top = *link;
    struct extent *child = top->child[side];

    top->child[side] = child->child[1 - side];
    child->child[1 - side] = top;
    *link = child;
    extent_update(top);
    extent_update(child);
}

static void rebalance(struct extent **link)
{
    struct extent *node = *link;
    int lean = (int)height_of(node->child[1]) - (int)height_of(node->child[0]);
    unsigned side = lean > 0 ? 1 : 0;
    struct extent *child = node->child[side];

    /* A node that leans has a child on that side. */
    if ((lean >= -1 && lean <= 1) || child == NULL) {
        extent_update(node);
        return;
    }
    if (height_of(child->child[1 - side]) > height_of(child->child[side]))
        rotate_up(&node->child[side], 1 - side);
    rotate_up(link, side);
}

/** Brings every node of a path up to date, from the bottom. */
static void path_settle(struct extent_path *path)
{
    while (path->depth > 0) {
        struct extent **link = path->link[--path->depth];

        if (*link != NULL)
            rebalance(link);
    }
}

/**
 * Follows the tree to the extent that holds `page`, or to the empty place where it would be.
 * The path ends with that place.
 */
static struct extent *path_find(struct extents *extents, uint64_t page, struct extent_path *path)
{
    struct extent **link = &extents->root;

    path->depth = 0;
    for (;;) {
        struct extent *node = *link;

        path->link[path->depth++] = link;
        if (node == NULL || path->depth == EXTENT_DEPTH)
            return node;
        if (page < node->first)
            link = &node->child[0];
        else if (page - node->first >= node->pages)
            link = &node->child[1];
        else
            return node;
    }
}

static struct extent *spare_pop(struct extents *extents)
{
    struct extent *node = extents->spare;

    extents->spare = node->child[0];
    extents->used++;
    node->child[0] = NULL;
    node->child[1] = NULL;
    return node;
}

static void spare_push(struct extents *extents, struct extent *node)
{
    node->child[0] = extents->spare;
    extents->spare = node;
    extents->used--;
}

/** Puts a new node into the empty place at the end of the path. */
static void path_insert(struct extents *extents, struct extent_path *path, uint64_t first,
                        uint64_t pages)
{
    struct extent *node = spare_pop(extents);

    extent_set(node, first, pages);
    *path->link[path->depth - 1] = node;
    path_settle(path);
}

/** Removes the node at the end of the path. */
static void path_remove(struct extents *extents, struct extent_path *path)
{
    struct extent **link = path->link[path->depth - 1];
    struct extent *node = *link;

    if (node->child[0] != NULL && node->child[1] != NULL) {
        struct extent *target = node;

        /* Its successor has no lower child: it gives up its content and goes instead. */
        link = &node->child[1];
        path->link[path->depth++] = link;
        while ((*link)->child[0] != NULL) {
            link = &(*link)->child[0];
            path->link[path->depth++] = link;
        }
        node = *link;
        extent_set(target, node->first, node->pages);
    }
    *link = node->child[0] != NULL ? node->child[0] : node->child[1];
    spare_push(extents, node);
    path_settle(path);
}

void extents_init(struct extents *extents, struct sluice *sluice)
{
    *extents = (struct extents){.sluice = sluice};
}

void extents_clear(struct extents *extents)
{
    struct extent *node = extents->root;

    /* Rotating lower children up flattens the tree, so that no stack is needed. */
    while (node != NULL) {
        struct extent *next = node->child[0];

        if (next != NULL) {
            node->child[0] = next->child[1];
            next->child[1] = node;
        } else {
            next = node->child[1];
            spare_push(extents, node);
        }
        node = next;
    }
    extents->root = NULL;
    extents->free_pages = 0;
    extents_trim(extents, 0);
}

enum sluice_status extents_reserve(struct extents *extents, uint64_t nodes)
{
    while (extents->nodes < nodes) {
        struct extent *node = host_alloc(extents->sluice, sizeof(*node));

        if (node == NULL)
            return SLUICE_ERR_NO_MEMORY;
        node->child[0] = extents->spare;
        extents->spare = node;
        extents->nodes++;
    }
    return SLUICE_OK;
}

void extents_trim(struct extents *extents, uint64_t nodes)
{
    while (extents->spare != NULL && extents->nodes > nodes) {
        struct extent *node = extents->spare;

        extents->spare = node->child[0];
        extents->nodes--;
        host_free(extents->sluice, node, sizeof(*node));
    }
}

/** Whether the tree at `node` may hold a place at all. */
static bool may_fit(const struct extent *node, uint64_t pages, unsigned least_lg2)
{
    return node != NULL && node->longest >= pages && node->largest >= least_lg2;
}

/** The lowest place in one extent, or false. */
static bool place_in(const struct extent *node, const struct extent_want *want, uint64_t *out_first)
{
    uint64_t align = (uint64_t)1 << want->align_lg2;
    uint64_t low = node->first > want->first ? node->first : want->first;
    uint64_t high = node->first + (node->pages - 1);
    uint64_t at = (low + align - 1) & ~(align - 1);

    if (high > want->last)
        high = want->last;
    if (at < low || at > high || high - at < want->pages - 1)
        return false;
    if (want->boundary_pages != 0 && want->pages > 1) {
        uint64_t last = at + (want->pages - 1);

        if ((at ^ last) >= want->boundary_pages) {
            /* The next multiple: aligned as wanted, since a larger alignment never gets here. */
            at = last & ~(want->boundary_pages - 1);
            if (at > high || high - at < want->pages - 1)
                return false;
        }
    }
    *out_first = at;
    return true;
}

/**
 * Visits, in rising order, the extents that may hold what is wanted. Each step down enters a
 * subtree that is known to have a large enough extent, so for naturally aligned blocks the walk
 * goes astray only beside the limits want->first and want->last: once each.
 */
static bool find_lowest(const struct extents *extents, const struct extent_want *want,
                        unsigned least_lg2, uint64_t *out_first)
{
    const struct extent *stack[EXTENT_DEPTH];
    const struct extent *node = extents->root;
    unsigned depth = 0;

    for (;;) {
        while (may_fit(node, want->pages, least_lg2) && depth < EXTENT_DEPTH) {
            if (node->first + (node->pages - 1) < want->first) {
                node = node->child[1];
                continue;
            }
            stack[depth++] = node;
            node = node->child[0];
        }
        if (depth == 0)
            return false;
        node = stack[--depth];
        if (node->first > want->last)
            return false;
        if (node->pages >= want->pages && node->block_lg2 >= least_lg2 &&
            place_in(node, want, out_first))
            return true;
        node = node->child[1];
    }
}

bool extents_find(const struct extents *extents, const struct extent_want *want,
                  uint64_t *out_first)
{
    unsigned pages_lg2 = 63u - (unsigned)__builtin_clzll(want->pages);
    bool exact = want->pages == (uint64_t)1 << pages_lg2 && want->align_lg2 == pages_lg2;
    unsigned sure_lg2 = pages_lg2 + (exact ? 0u : 1u);

    if (want->align_lg2 > sure_lg2)
        sure_lg2 = want->align_lg2;
    /* First what fits without looking closer. */
    if (sure_lg2 < 64 && find_lowest(extents, want, sure_lg2, out_first))
        return true;
    if (exact)
        return false;
    /* Then every extent that is long enough: slower, and only when nothing larger is left. */
    return find_lowest(extents, want, 0, out_first);
}

bool extents_next(const struct extents *extents, uint64_t page, uint64_t *out_first,
                  uint64_t *out_pages)
{
    const struct extent *node = extents->root;
    const struct extent *best = NULL;

    while (node != NULL) {
        if (node->first + (node->pages - 1) >= page) {
            best = node;
            node = node->child[0];
        } else {
            node = node->child[1];
        }
    }
    if (best == NULL)
        return false;
    *out_first = best->first;
    *out_pages = best->pages;
    return true;
}

bool extents_covers(const struct extents *extents, uint64_t first, uint64_t pages)
{
    uint64_t found;
    uint64_t found_pages;

    return extents_next(extents, first, &found, &found_pages) && found <= first &&
           first - found <= found_pages - 1 && found_pages - (first - found) >= pages;
}

void extents_take(struct extents *extents, uint64_t first, uint64_t pages)
{
    struct extent_path path;
    struct extent *node = path_find(extents, first, &path);
    uint64_t before = first - node->first;
    uint64_t after = node->pages - before - pages;

    extents->free_pages -= pages;
    if (before == 0 && after == 0) {
        path_remove(extents, &path);
        return;
    }
    if (before == 0)
        extent_set(node, first + pages, after);
    else
        extent_set(node, node->first, before);
    path_settle(&path);
    if (before != 0 && after != 0) {
        (void)path_find(extents, first + pages, &path);
        path_insert(extents, &path, first + pages, after);
    }
}

/** Removes the extent that starts at `first`. */
static void remove_at(struct extents *extents, uint64_t first)
{
    struct extent_path path;

    if (path_find(extents, first, &path) != NULL)
        path_remove(extents, &path);
}

bool extents_give(struct extents *extents, uint64_t first, uint64_t pages)
{
    struct extent_path path;
    uint64_t next_first = 0;
    uint64_t next_pages = 0;
    bool next = extents_next(extents, first, &next_first, &next_pages);
    bool joins_next = next && next_first - first == pages && next_first > first;
    struct extent *node;

    if (next && (next_first <= first || next_first - first < pages))
        return false;
    extents->free_pages += pages;
    if (joins_next) {
        remove_at(extents, next_first);
        pages += next_pages;
    }
    if (first != 0 && path_find(extents, first - 1, &path) != NULL) {
        node = *path.link[path.depth - 1];
        extent_set(node, node->first, node->pages + pages);
        path_settle(&path);
        return true;
    }
    (void)path_find(extents, first, &path);
    path_insert(extents, &path, first, pages);
    return true;
}
