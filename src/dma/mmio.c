// SPDX-License-Identifier: MIT
/*
 * Other devices' memory: mapped as it is, without caches and copies.
 */
#include "dma/check.h"
#include "dma/dma.h"

static enum sluice_status map_mmio(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                                   uint32_t flags, sluice_iova_t *out)
{
    uint32_t prot;

    if (dma->space == NULL) {
        if (phys + (bytes - 1) > dma->last)
            return SLUICE_ERR_RANGE;
        *out = phys;
        return SLUICE_OK;
    }
    prot = (space_prot(dma, flags) & ~(uint32_t)SLUICE_PROT_SNOOP) | SLUICE_PROT_MMIO;
    return dma_map_pages(dma, phys, bytes, prot, out);
}

enum sluice_status sluice_dma_map_mmio(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                                       uint32_t flags, const char *site, sluice_iova_t *out)
{
    enum sluice_status status;

    if (dma == NULL || out == NULL || bytes == 0 || !dma_has_direction(flags))
        return SLUICE_ERR_INVALID;
    if (phys + (bytes - 1) < phys || bytes >> 52 != 0)
        return SLUICE_ERR_RANGE;
    status = map_mmio(dma, phys, bytes, flags, out);
    if (status != SLUICE_OK) {
        dma_count_failure(dma);
        return status;
    }
    dma_count(dma, bytes, true);
    if (dma->check != NULL)
        check_mapped(dma, CHECK_MMIO, &(struct sluice_dma_chunk){*out, bytes}, flags, site);
    return SLUICE_OK;
}

enum sluice_status sluice_dma_unmap_mmio(struct sluice_dma *dma, sluice_iova_t address,
                                         uint64_t bytes, uint32_t flags, const char *site)
{
    enum sluice_status status = SLUICE_OK;
    uint64_t offset;

    if (dma == NULL || bytes == 0 || !dma_has_direction(flags))
        return SLUICE_ERR_INVALID;
    if (dma->check != NULL)
        status = check_unmapping(dma, CHECK_MMIO, &(struct sluice_dma_chunk){address, bytes}, flags,
                                 site);
    if (status == SLUICE_OK && dma->space != NULL) {
        offset = space_offset(dma->space, address);
        status = space_unmap(dma, address - offset, space_round(dma->space, offset + bytes), true);
    }
    if (status == SLUICE_OK || status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE)
        dma_count(dma, bytes, false);
    return status;
}
