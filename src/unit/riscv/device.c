// SPDX-License-Identifier: MIT
/*
 * What the driver remembers beside the directory: who uses a link, for invalidations that have to
 * name them, and what devices have of their own.
 */
#include "unit/riscv/riommu.h"

/* ---- users ---- */

struct riommu_user *riommu_user_find(struct riommu *riommu, uint32_t device, uint32_t pasid,
                                     const struct domain_link *link)
{
    list_for_each(node, &riommu->users)
    {
        struct riommu_user *user = container_of(node, struct riommu_user, node);

        if (user->device == device && user->pasid == pasid && user->link == link)
            return user;
    }
    return NULL;
}

bool riommu_user_add(struct riommu *riommu, const struct riommu_user *what,
                     struct riommu_user **out)
{
    struct riommu_user *user = host_alloc(riommu->unit.sluice, sizeof(*user));
    sluice_irqstate_t irq;

    *out = user;
    if (user == NULL)
        return false;
    *user = *what;
    irq = sluice_spin_lock(&riommu->ring.lock);
    list_append(&riommu->users, &user->node);
    sluice_spin_unlock(&riommu->ring.lock, irq);
    return true;
}

void riommu_user_remove(struct riommu *riommu, struct riommu_user *user)
{
    sluice_irqstate_t irq;

    if (user == NULL)
        return;
    irq = sluice_spin_lock(&riommu->ring.lock);
    list_remove(&user->node);
    sluice_spin_unlock(&riommu->ring.lock, irq);
    host_free(riommu->unit.sluice, user, sizeof(*user));
}

void riommu_users_forget(struct riommu *riommu, const struct domain_link *link)
{
    list_for_each_safe(node, &riommu->users)
    {
        struct riommu_user *user = container_of(node, struct riommu_user, node);

        if (user->link == link)
            riommu_user_remove(riommu, user);
    }
}

static bool has_user(struct riommu *riommu, uint32_t device)
{
    list_for_each(node, &riommu->users)
    {
        if (container_of(node, struct riommu_user, node)->device == device)
            return true;
    }
    return false;
}

/* ---- devices ---- */

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
    if (riommu->remaps && !riommu_tag_take(riommu, &device->tag)) {
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
        riommu_tag_release(riommu, device->tag);
    list_remove(&device->node);
    host_free(riommu->unit.sluice, device, sizeof(*device));
}

void riommu_devices_release(struct riommu *riommu)
{
    struct sluice *sluice = riommu->unit.sluice;

    list_for_each_safe(node, &riommu->users)
    {
        list_remove(node);
        host_free(sluice, container_of(node, struct riommu_user, node), sizeof(struct riommu_user));
    }
    list_for_each_safe(node, &riommu->devices)
    {
        struct riommu_device *device = container_of(node, struct riommu_device, node);

        list_remove(node);
        riommu_processes_free(riommu, &device->processes);
        host_free(sluice, device, sizeof(*device));
    }
}
