// SPDX-License-Identifier: MIT
/*
 * Which way a buffer goes.
 */
#include "dma/dma.h"

enum dma_route dma_route(const struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes)
{
    bool shares_a_page;

    /* No translation: the device sees physical addresses, and bounces what it cannot reach. */
    if (dma->space == NULL)
        return phys + (bytes - 1) <= dma->last ? DMA_ROUTE_DIRECT : DMA_ROUTE_COPY;

    /*
     * Pages are the least that can be mapped. What else lies in the first and the last one is
     * no business of a device that could be anybody's.
     */
    shares_a_page =
        space_offset(dma->space, phys) != 0 || space_offset(dma->space, phys + bytes) != 0;
    return dma->untrusted && shares_a_page ? DMA_ROUTE_EDGES : DMA_ROUTE_MAPPED;
}
