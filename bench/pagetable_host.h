// SPDX-License-Identifier: MIT
/*
 * The host that the page-table benchmark runs on: a direct map and a stack of free pages for each
 * thread, as a kernel has them for each CPU.
 */
#ifndef BENCH_PAGETABLE_HOST_H
#define BENCH_PAGETABLE_HOST_H

#include "core/instance.h"

#define BENCH_PHYS_BASE 0x100000000ull
#define BENCH_POOLS     2u
#define POOL_PAGES      3072u

/** Which pool this thread takes pages from. */
extern _Thread_local unsigned bench_pool;

/** Sets an instance up that page tables can be made on. */
void bench_host_init(struct sluice *sluice);

/** Virtual minus physical address. */
uintptr_t bench_host_base(void);

bool bench_pages_alloc(void *ctx, const struct sluice_page_request *request,
                       struct sluice_pages *out);
void bench_pages_free(void *ctx, struct sluice_pages pages, unsigned order);

#endif
