// SPDX-License-Identifier: MIT
/*
 * What the driver remembers of devices beside the directory.
 */
#include "unit/riscv/riommu.h"

static bool has_user(struct riommu *riommu, uint32_t device)
{
    list_for_each(node, &riommu->users.list)
    {
        if (container_of(node, struct unit_user, node)->source == device)
            return true;
    }
    return false;
}

struct riommu_device *riommu_device_find(struct riommu *riommu, uint32_t id)
{
    list_for_each(node, &riommu->devices)
    {
        struct riommu_device *device = container_of(node, struct riommu_device, node);

        if (device->id == id)
            return device;
    }
    return NULL;
}

enum sluice_status riommu_device_get(struct riommu *riommu, uint32_t id, struct riommu_device **out)
{
    struct riommu_device *device = riommu_device_find(riommu, id);

    *out = device;
    if (device != NULL)
        return SLUICE_OK;
    device = host_alloc(riommu->unit.sluice, sizeof(*device));
    if (device == NULL)
        return SLUICE_ERR_NO_MEMORY;
    device->id = id;
    if (riommu->remaps && unit_index_take_tag(&riommu->tags, &device->tag) != SLUICE_OK) {
        host_free(riommu->unit.sluice, device, sizeof(*device));
        return SLUICE_ERR_NO_SPACE;
    }
    list_append(&riommu->devices, &device->node);
    *out = device;
    return SLUICE_OK;
}

void riommu_device_settle(struct riommu *riommu, struct riommu_device *device)
{
    if (device == NULL || device->in_doubt || device->messages != NULL ||
        device->processes.levels != 0 || has_user(riommu, device->id))
        return;
    if (riommu->remaps)
        unit_index_give(&riommu->tags, device->tag, 1);
    list_remove(&device->node);
    host_free(riommu->unit.sluice, device, sizeof(*device));
}

void riommu_devices_release(struct riommu *riommu)
{
    struct sluice *sluice = riommu->unit.sluice;

    unit_users_release(&riommu->users);
    list_for_each_safe(node, &riommu->devices)
    {
        struct riommu_device *device = container_of(node, struct riommu_device, node);

        list_remove(node);
        riommu_processes_free(riommu, &device->processes);
        host_free(sluice, device, sizeof(*device));
    }
}
