// SPDX-License-Identifier: MIT
/*
 * Windows onto the device's registers. The host maps whole pages; a window may begin inside one.
 */
#include "unit/virtio/virtio.h"

bool viommu_window_map(struct viommu *viommu, enum viommu_window_index index, sluice_phys_t phys,
                       uint64_t bytes)
{
    struct sluice *sluice = viommu->unit.sluice;
    struct viommu_window *window = &viommu->windows[index];

    window->at = phys & (SLUICE_PAGE_BYTES - 1);
    window->bytes = window->at + bytes;
    if (sluice->ops->mmio_map(sluice->config.ctx, phys - window->at, window->bytes,
                              &window->handle))
        return true;
    window->handle = NULL;
    log_error(sluice, "%s: registers at %#llx could not be mapped", viommu->unit.name,
              (unsigned long long)phys);
    return false;
}

void viommu_windows_unmap(struct viommu *viommu)
{
    struct sluice *sluice = viommu->unit.sluice;

    for (unsigned i = 0; i < VIOMMU_WINDOWS; i++) {
        struct viommu_window *window = &viommu->windows[i];

        if (window->handle != NULL)
            sluice->ops->mmio_unmap(sluice->config.ctx, window->handle, window->bytes);
        window->handle = NULL;
    }
}

uint8_t viommu_read8(struct viommu *viommu, enum viommu_window_index index, uint64_t offset)
{
    const struct viommu_window *window = &viommu->windows[index];
    struct sluice *sluice = viommu->unit.sluice;

    return sluice->ops->mmio_read8(sluice->config.ctx, window->handle, window->at + offset);
}

uint16_t viommu_read16(struct viommu *viommu, enum viommu_window_index index, uint64_t offset)
{
    const struct viommu_window *window = &viommu->windows[index];
    struct sluice *sluice = viommu->unit.sluice;

    return sluice->ops->mmio_read16(sluice->config.ctx, window->handle, window->at + offset);
}

uint32_t viommu_read32(struct viommu *viommu, enum viommu_window_index index, uint64_t offset)
{
    const struct viommu_window *window = &viommu->windows[index];
    struct sluice *sluice = viommu->unit.sluice;

    return sluice->ops->mmio_read32(sluice->config.ctx, window->handle, window->at + offset);
}

void viommu_write8(struct viommu *viommu, enum viommu_window_index index, uint64_t offset,
                   uint8_t value)
{
    const struct viommu_window *window = &viommu->windows[index];
    struct sluice *sluice = viommu->unit.sluice;

    sluice->ops->mmio_write8(sluice->config.ctx, window->handle, window->at + offset, value);
}

void viommu_write16(struct viommu *viommu, enum viommu_window_index index, uint64_t offset,
                    uint16_t value)
{
    const struct viommu_window *window = &viommu->windows[index];
    struct sluice *sluice = viommu->unit.sluice;

    sluice->ops->mmio_write16(sluice->config.ctx, window->handle, window->at + offset, value);
}

void viommu_write32(struct viommu *viommu, enum viommu_window_index index, uint64_t offset,
                    uint32_t value)
{
    const struct viommu_window *window = &viommu->windows[index];
    struct sluice *sluice = viommu->unit.sluice;

    sluice->ops->mmio_write32(sluice->config.ctx, window->handle, window->at + offset, value);
}
