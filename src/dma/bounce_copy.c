// SPDX-License-Identifier: MIT
/*
 * Copies between a buffer and its bounce pages.
 */
#include "dma/bounce.h"

#define STRETCH_MAX ((uint64_t)1 << 30) /**< fits a size_t everywhere */

static uint8_t *run_virt(const struct bounce_run *run, sluice_phys_t phys)
{
    return (uint8_t *)run->block->pages.virt + (phys - run->block->pages.phys);
}

size_t dma_stretch(const struct sluice *sluice, sluice_phys_t phys, uint64_t bytes)
{
    uint64_t room = sluice->config.linear_map
                        ? STRETCH_MAX
                        : SLUICE_PAGE_BYTES - (phys & (SLUICE_PAGE_BYTES - 1));

    return (size_t)(bytes < room ? bytes : room);
}

void bounce_copy(struct bounce_run *run, sluice_phys_t phys, uint64_t bytes, bool to_device)
{
    struct sluice *sluice = run->block->pool->bounce->sluice;
    sluice_phys_t original = run->original + (phys - run->phys);
    uint8_t *bounce = run_virt(run, phys);

    while (bytes > 0) {
        size_t now = dma_stretch(sluice, original, bytes);
        void *buffer = host_phys_to_virt(sluice, original);

        if (to_device)
            __builtin_memcpy(bounce, buffer, now);
        else
            __builtin_memcpy(buffer, bounce, now);
        original += now;
        bounce += now;
        bytes -= now;
    }
}

void bounce_wipe(struct bounce_run *run)
{
    sluice_phys_t page = bounce_page(run);
    sluice_phys_t end = page + ((uint64_t)run->pages << SLUICE_PAGE_LG2);
    sluice_phys_t buffer_end = run->phys + run->bytes;

    __builtin_memset(run_virt(run, page), 0, (size_t)(run->phys - page));
    __builtin_memset(run_virt(run, buffer_end - 1) + 1, 0, (size_t)(end - buffer_end));
}
