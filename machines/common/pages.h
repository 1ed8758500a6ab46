// SPDX-License-Identifier: MIT
/*
 * The machine's memory: pages over the RAM map, and small objects with a sized free on top.
 * One CPU; callable with interrupts on or off, not from interrupt handlers.
 */
#ifndef MACHINE_PAGES_H
#define MACHINE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_PAGE_BYTES 4096u
#define MACHINE_PAGES_LOW  (1u << 0) /**< must lie below 4 GiB */
#define MACHINE_PAGES_HIGH (1u << 2) /**< above 4 GiB where there is such RAM */
#define MACHINE_PAGES_KEPT (1u << 1) /**< the kernel's own for good; counted as free */

/** Gives the RAM [start, end) to the allocator, less what the kernel image takes of it. */
void machine_pages_add(uint64_t start, uint64_t end);

/** The RAM given so far: the `index`th extent, last byte included; false past the end. */
bool machine_ram_extent(unsigned index, uint64_t *out_first, uint64_t *out_last);

/** 2^order zeroed pages, aligned to their size. */
bool machine_pages_alloc(unsigned order, unsigned flags, uint64_t *out_phys);

/** Fills the pages with 0xdb first, so that a use after the free is seen. */
void machine_pages_free(uint64_t phys, unsigned order);

/** Free pages, counting those kept or cut into objects as free, so that leaks of pages show. */
uint64_t machine_pages_free_count(void);

/** Whether the page at `phys` is RAM that is free at present. */
bool machine_page_is_free(uint64_t phys);

#define MACHINE_OBJECT_SMALL 2048u /**< larger ones are pages of their own */

/** Zeroed; NULL when there is no memory. Aligned to its size rounded up to a power of two. */
void *machine_object_alloc(size_t bytes);
void machine_object_free(void *object, size_t bytes);
uint64_t machine_objects_in_use(void);

#endif
