// SPDX-License-Identifier: MIT
/*
 * State changes of an instance, and its units as a list.
 */
#include "instance/units.h"
#include "fault/fault.h"
#include "group/group.h"

enum sluice_status instance_change_begin(struct sluice *sluice, uint32_t states,
                                         enum instance_state *out_was)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);

    *out_was = sluice->state;
    if ((states & INSTANCE_IN(sluice->state)) != 0) {
        sluice->state = INSTANCE_CHANGING;
        status = SLUICE_OK;
    }
    sluice_spin_unlock(&sluice->lock, irq);
    /* Acquire: what pollers did to the units is done; pairs with sluice_fault_poll's release. A
     * poll is bounded by the fault logs, and none begins in this state. */
    while (status == SLUICE_OK && atomic_load_explicit(&sluice->pollers, memory_order_acquire) != 0)
        sluice_cpu_pause();
    return status;
}

void instance_change_end(struct sluice *sluice, enum instance_state to)
{
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);

    sluice->state = to;
    sluice_spin_unlock(&sluice->lock, irq);
}

static const struct unit_ops *driver_for(enum sluice_unit_kind kind)
{
    for (unsigned i = 0; unit_drivers[i] != NULL; i++) {
        if (unit_drivers[i]->kind == kind)
            return unit_drivers[i];
    }
    return NULL;
}

static enum sluice_status probe_unit(struct sluice *sluice, const struct platform_unit *desc)
{
    const struct unit_ops *driver = driver_for(desc->kind);
    enum sluice_status status;
    struct unit *unit;

    if (driver == NULL) {
        log_error(sluice, "unit at %#llx: this build has no driver for its kind",
                  (unsigned long long)desc->base);
        return SLUICE_ERR_UNSUPPORTED;
    }
    status = driver->probe(sluice, desc, &unit);
    if (status != SLUICE_OK) {
        log_error(sluice, "%s unit at %#llx (segment %04x): %s", driver->driver,
                  (unsigned long long)desc->base, (unsigned)desc->segment,
                  sluice_status_text(status));
        return status;
    }
    list_append(&sluice->units, &unit->node);
    return SLUICE_OK;
}

enum sluice_status units_probe(struct sluice *sluice)
{
    if (list_empty(&sluice->platform.units)) {
        log_error(sluice, "no IOMMU is described: no table was added that names one, or the "
                          "firmware's set-up has it turned off");
        return SLUICE_ERR_NOT_FOUND;
    }
    list_for_each(node, &sluice->platform.units)
    {
        enum sluice_status status =
            probe_unit(sluice, container_of(node, struct platform_unit, node));

        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}

enum sluice_status units_stop(struct sluice *sluice)
{
    enum sluice_status result = SLUICE_OK;

    for (struct list_node *node = sluice->units.prev; node != &sluice->units; node = node->prev) {
        struct unit *unit = container_of(node, struct unit, node);
        enum sluice_status status = SLUICE_OK;

        if (unit->started || unit_is_lost(unit))
            status = unit->ops->stop(unit);
        if (status != SLUICE_OK) {
            log_error(sluice, "%s: did not turn off: %s", unit->name, sluice_status_text(status));
            result = result == SLUICE_OK ? status : result;
        }
    }
    return result;
}

enum sluice_status units_revert(struct sluice *sluice)
{
    enum sluice_status result = SLUICE_OK;

    for (struct list_node *node = sluice->units.prev; node != &sluice->units; node = node->prev) {
        struct unit *unit = container_of(node, struct unit, node);
        enum sluice_status status = SLUICE_OK;

        if (unit->started)
            status = unit->ops->revert(unit);
        if (status != SLUICE_OK) {
            log_error(sluice, "%s: not put back: %s", unit->name, sluice_status_text(status));
            result = result == SLUICE_OK ? status : result;
        }
    }
    return result;
}

/** A start or stop that failed may leave a unit walking tables: they are not freed then. */
static void withhold_exposed(struct sluice *sluice)
{
    list_for_each(node, &sluice->domains)
    {
        struct sluice_domain *domain = container_of(node, struct sluice_domain, node);

        list_for_each(link_node, &domain->links)
        {
            const struct unit *unit = container_of(link_node, struct domain_link, node)->unit;

            if (unit->exposed)
                domain_withhold_tables(domain);
        }
    }
}

void units_clear(struct sluice *sluice)
{
    lines_finish(sluice);
    withhold_exposed(sluice);
    domain_layer_clear_locked(sluice);
    group_clear(sluice);
    pci_chipset_stop(sluice);
    list_for_each_safe(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);

        list_remove(node);
        unit->ops->release(unit);
    }
    fault_center_forget(sluice);
}
