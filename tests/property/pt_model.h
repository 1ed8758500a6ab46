// SPDX-License-Identifier: MIT
/*
 * A page table beside a plain array that says what it should hold, over a window of IOVA space.
 * Every operation is applied to both, and everything an operation promises is checked.
 */
#ifndef TESTS_PROPERTY_PT_MODEL_H
#define TESTS_PROPERTY_PT_MODEL_H

#include "pt_walk.h"

#define MODEL_WINDOW_BYTES (5ull << 29) /* 2.5 GiB: holds aligned 1 GiB pages wherever it lies */
#define MODEL_PAGES        (MODEL_WINDOW_BYTES / 4096u)

struct pt_model {
    struct pt_world world;
    const struct pt_subject *subject;
    struct pagetable pt;
    sluice_iova_t base; /**< of the window */
    uint64_t *oracle;   /**< a page: physical address | prot, 0 when nothing is mapped */
    uint64_t random;
    uint64_t run_seen; /**< first page of the run that was last compared */
};

/** What a test case varies. */
struct pt_case {
    const struct pt_subject *subject;
    unsigned levels;
    uint64_t page_sizes;
    bool coherent;
    bool snoop;
    bool linear;
    bool fixed; /**< large pages and tables may not take each other's place */
};

/** `base` is where the window lies. Ends the test on an error. */
void pt_model_init(struct pt_model *model, const struct pt_case *test, sluice_iova_t base,
                   uint64_t seed);

/** Destroys the table and checks that not a page is left over. */
void pt_model_fini(struct pt_model *model);

/** Where the window straddles many table boundaries, or ends the address space. */
sluice_iova_t pt_model_base(const struct pt_case *test);

/**
 * Maps and checks: status against the oracle, page sizes, what was gathered, that the walker and
 * lookup see the oracle's view in the range. The host may be failing allocations.
 */
enum sluice_status pt_model_map(struct pt_model *model, uint64_t page, uint64_t pages,
                                sluice_phys_t phys, uint32_t prot);

/** The same for a list of pieces, one behind the other from `page` on. */
enum sluice_status pt_model_map_list(struct pt_model *model, uint64_t page,
                                     const struct sluice_dma_segment *pieces, unsigned count,
                                     uint32_t prot);

/** The short ways for one page: true when it was done, and then checks that it was right. */
bool pt_model_map_page(struct pt_model *model, uint64_t page, sluice_phys_t phys, uint32_t prot);
bool pt_model_unmap_page(struct pt_model *model, uint64_t page);

/** Unmaps and checks: byte count, coverage of the gather, stale walks, that nothing else went. */
enum sluice_status pt_model_unmap(struct pt_model *model, uint64_t page, uint64_t pages);

/** Compares pages [first, end) of the window with the walker and with lookup. */
void pt_model_verify(struct pt_model *model, uint64_t first, uint64_t end);

#endif
