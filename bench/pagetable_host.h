// SPDX-License-Identifier: MIT
/*
 * The host that the page-table benchmark runs on: a direct map and a stack of free pages for each
 * thread, as a kernel has them for each CPU.
 */
#ifndef BENCH_PAGETABLE_HOST_H
#define BENCH_PAGETABLE_HOST_H

#include "core/instance.h"
#include "pagetable/pagetable.h"

#define BENCH_PHYS_BASE 0x100000000ull
#define BENCH_POOLS     2u
#define POOL_PAGES      3072u
#define ROOT_PAGES      64u /**< for roots of more than one page, which are given out once */

/** Which pool this thread takes pages from. */
extern _Thread_local unsigned bench_pool;

/** Sets an instance up that page tables can be made on. */
void bench_host_init(struct sluice *sluice);

/** Virtual minus physical address. */
uintptr_t bench_host_base(void);

/** Ends the program with a word when the status is not OK. */
void bench_check(enum sluice_status status);

uint64_t bench_now_ns(void);

/** One operation of a table's format with a gather of its own, as a caller has it. */
void bench_map(struct pagetable *pt, sluice_iova_t iova, sluice_phys_t phys, uint64_t bytes);
/** The same; frees what was unlinked. @param out_bytes   may be NULL */
void bench_unmap(struct pagetable *pt, sluice_iova_t iova, uint64_t bytes, uint64_t *out_bytes);

bool bench_pages_alloc(void *ctx, const struct sluice_page_request *request,
                       struct sluice_pages *out);
void bench_pages_free(void *ctx, struct sluice_pages pages, unsigned order);

#endif
