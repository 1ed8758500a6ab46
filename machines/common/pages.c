// SPDX-License-Identifier: MIT
/*
 * A bitmap a RAM region, searched first fit. Plain on purpose: what is under test here is the
 * library's handling of pages, and a bitmap makes double frees and leaks easy to see.
 */
#include "pages.h"

#include "arch.h"
#include "print.h"
#include "string.h"

#define REGIONS_LIMIT 16u
#define LOW_LIMIT     0x100000000ull
#define POISON        0xdb
#define SIZE_CLASSES  12u /* objects of up to 2^11 bytes are cut from pages */
#define SMALLEST_LG2  4u

struct region {
    uint64_t first_page, pages, hint;
    uint8_t *used; /* a bit a page, at the region's own start */
};

struct free_object {
    struct free_object *next;
};

struct extent {
    uint64_t start, end;
};

static struct region regions[REGIONS_LIMIT];
static struct extent extents[REGIONS_LIMIT];
static unsigned extent_count;
static uint64_t kept_pages; /* handed out for good */
static unsigned region_count;
static uint64_t free_pages;
static struct free_object *free_objects[SIZE_CLASSES];
static uint64_t objects_in_use;

static bool is_used(const struct region *region, uint64_t page)
{
    return (region->used[page >> 3] & (1u << (page & 7))) != 0;
}

static void set_used(struct region *region, uint64_t page, uint64_t count, bool used)
{
    for (uint64_t i = page; i < page + count; i++) {
        if (is_used(region, i) == used)
            machine_die(used ? "page handed out twice" : "page freed twice");
        region->used[i >> 3] ^= (uint8_t)(1u << (i & 7));
    }
    free_pages = used ? free_pages - count : free_pages + count;
}

static void add_region(uint64_t start, uint64_t end)
{
    uint64_t first = (start + MACHINE_PAGE_BYTES - 1) / MACHINE_PAGE_BYTES;
    uint64_t last_end = end / MACHINE_PAGE_BYTES;
    if (last_end <= first || region_count == REGIONS_LIMIT)
        return;
    uint64_t pages = last_end - first;
    uint64_t map_bytes = (pages + 7) / 8;
    uint64_t map_pages = (map_bytes + MACHINE_PAGE_BYTES - 1) / MACHINE_PAGE_BYTES;
    if (map_pages >= pages)
        return;
    struct region *region = &regions[region_count++];
    region->used = arch_phys_to_virt(first * MACHINE_PAGE_BYTES);
    memset(region->used, 0, map_bytes);
    region->first_page = first + map_pages;
    region->pages = pages - map_pages;
    region->hint = 0;
    free_pages += region->pages;
}

void machine_pages_add(uint64_t start, uint64_t end)
{
    uint64_t image_start, image_end;
    if (extent_count < REGIONS_LIMIT)
        extents[extent_count++] = (struct extent){start, end};
    arch_image_range(&image_start, &image_end);
    if (image_end <= start || image_start >= end) {
        add_region(start, end);
        return;
    }
    if (image_start > start)
        add_region(start, image_start);
    if (image_end < end)
        add_region(image_end, end);
}

bool machine_ram_extent(unsigned index, uint64_t *out_first, uint64_t *out_last)
{
    if (index >= extent_count)
        return false;
    *out_first = extents[index].start;
    *out_last = extents[index].end - 1;
    return true;
}

/* Alignment is of the physical address, so the search steps in multiples of the size. */
static bool find_run(struct region *region, uint64_t count, uint64_t from, uint64_t *out_page)
{
    uint64_t skip = (count - (region->first_page + from) % count) % count;
    for (uint64_t page = from + skip; page + count <= region->pages; page += count) {
        uint64_t i = 0;
        while (i < count && !is_used(region, page + i))
            i++;
        if (i == count) {
            *out_page = page;
            return true;
        }
    }
    return false;
}

static bool take_from(struct region *region, unsigned order, unsigned flags, uint64_t *out_phys)
{
    uint64_t count = 1ull << order, page;
    uint64_t end = (region->first_page + region->pages) * MACHINE_PAGE_BYTES;
    if ((flags & MACHINE_PAGES_LOW) != 0 && end > LOW_LIMIT)
        return false;
    if (!find_run(region, count, order == 0 ? region->hint : 0, &page)) {
        if (order != 0 || !find_run(region, count, 0, &page))
            return false;
    }
    if (order == 0)
        region->hint = page + 1;
    set_used(region, page, count, true);
    *out_phys = (region->first_page + page) * MACHINE_PAGE_BYTES;
    return true;
}

bool machine_pages_alloc(unsigned order, unsigned flags, uint64_t *out_phys)
{
    if (order > 18)
        return false;
    for (unsigned i = 0; i < region_count; i++) {
        /* Regions above 4 GiB were added last. */
        unsigned index = (flags & MACHINE_PAGES_HIGH) != 0 ? region_count - 1 - i : i;
        if (take_from(&regions[index], order, flags, out_phys)) {
            memset(arch_phys_to_virt(*out_phys), 0, (size_t)MACHINE_PAGE_BYTES << order);
            if ((flags & MACHINE_PAGES_KEPT) != 0)
                kept_pages += 1ull << order;
            return true;
        }
    }
    return false;
}

static struct region *region_of(uint64_t phys)
{
    uint64_t page = phys / MACHINE_PAGE_BYTES;
    for (unsigned i = 0; i < region_count; i++) {
        if (page >= regions[i].first_page && page - regions[i].first_page < regions[i].pages)
            return &regions[i];
    }
    return NULL;
}

void machine_pages_free(uint64_t phys, unsigned order)
{
    struct region *region = region_of(phys);
    uint64_t count = 1ull << order;
    if (region == NULL || (phys & (count * MACHINE_PAGE_BYTES - 1)) != 0)
        machine_die("freed pages that were never handed out");
    uint64_t page = phys / MACHINE_PAGE_BYTES - region->first_page;
    if (count > region->pages - page)
        machine_die("freed pages that were never handed out");
    memset(arch_phys_to_virt(phys), POISON, (size_t)count * MACHINE_PAGE_BYTES);
    set_used(region, page, count, false);
    if (page < region->hint)
        region->hint = page;
}

uint64_t machine_pages_free_count(void)
{
    return free_pages + kept_pages;
}

bool machine_page_is_free(uint64_t phys)
{
    struct region *region = region_of(phys);
    return region != NULL && !is_used(region, phys / MACHINE_PAGE_BYTES - region->first_page);
}

static unsigned class_of(size_t bytes)
{
    unsigned lg2 = SMALLEST_LG2;
    while (((size_t)1 << lg2) < bytes)
        lg2++;
    return lg2;
}

static bool refill(unsigned lg2)
{
    uint64_t phys;
    if (!machine_pages_alloc(0, MACHINE_PAGES_KEPT, &phys))
        return false;
    uint8_t *page = arch_phys_to_virt(phys);
    for (size_t at = 0; at < MACHINE_PAGE_BYTES; at += (size_t)1 << lg2) {
        struct free_object *object = (struct free_object *)(void *)(page + at);
        object->next = free_objects[lg2];
        free_objects[lg2] = object;
    }
    return true;
}

void *machine_object_alloc(size_t bytes)
{
    unsigned lg2 = class_of(bytes);
    if (lg2 >= SIZE_CLASSES) {
        uint64_t phys;
        if (!machine_pages_alloc(lg2 < 12 ? 0 : lg2 - 12, 0, &phys))
            return NULL;
        objects_in_use++;
        return arch_phys_to_virt(phys);
    }
    if (free_objects[lg2] == NULL && !refill(lg2))
        return NULL;
    struct free_object *object = free_objects[lg2];
    free_objects[lg2] = object->next;
    memset(object, 0, (size_t)1 << lg2);
    objects_in_use++;
    return object;
}

void machine_object_free(void *object, size_t bytes)
{
    if (object == NULL)
        return;
    unsigned lg2 = class_of(bytes);
    objects_in_use--;
    if (lg2 >= SIZE_CLASSES) {
        machine_pages_free(arch_virt_to_phys(object), lg2 < 12 ? 0 : lg2 - 12);
        return;
    }
    memset(object, POISON, (size_t)1 << lg2);
    struct free_object *entry = object;
    entry->next = free_objects[lg2];
    free_objects[lg2] = entry;
}

uint64_t machine_objects_in_use(void)
{
    return objects_in_use;
}
