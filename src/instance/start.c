// SPDX-License-Identifier: MIT
/*
 * Start and resume: what firmware's devices may reach is mapped first, then every unit is turned
 * on; all or none (invariant 2).
 */
#include "fault/fault.h"
#include "group/group.h"
#include "instance/units.h"
#include "interrupt/interrupt.h"

static enum sluice_status start_units(struct sluice *sluice)
{
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);
        enum sluice_status status = unit->ops->start(unit);

        if (status != SLUICE_OK) {
            log_error(sluice, "%s: not started: %s", unit->name, sluice_status_text(status));
            return status;
        }
    }
    return SLUICE_OK;
}

/** Two units at one address would be programmed twice, each undoing the other. */
static enum sluice_status check_addresses(struct sluice *sluice)
{
    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        for (struct list_node *other = node->next; other != &sluice->platform.units;
             other = other->next) {
            if (!platform_same_unit(unit, container_of(other, struct platform_unit, node)))
                continue;
            if (unit->on_pci)
                log_error(sluice, "firmware describes two units as function " LOG_RID,
                          LOG_RID_ARGS(unit->segment, unit->rid));
            else
                log_error(sluice, "firmware describes two units with registers at %#llx",
                          (unsigned long long)unit->base);
            return SLUICE_ERR_FIRMWARE;
        }
    }
    return SLUICE_OK;
}

static void undo_start(struct sluice *sluice)
{
    if (units_revert(sluice) != SLUICE_OK)
        log_error(sluice, "start failed, and not every unit could be put back");
    units_clear(sluice);
}

/** Whether what was probed keeps the promise of the level that is asked for. */
static enum sluice_status check_level(struct sluice *sluice, enum sluice_protection level,
                                      enum sluice_status interrupts)
{
    struct obstacle_sink sink = {.sluice = sluice,
                                 .level = level,
                                 .handler = sluice->config.on_obstacle,
                                 .arg = sluice->config.on_obstacle_arg,
                                 .quiet = interrupts != SLUICE_OK}; /* its own words stand there */

    level_check_demands(&sink);
    protection_check_dma(&sink);
    if (interrupts != SLUICE_OK)
        return interrupts;
    if (sink.missing != 0)
        return SLUICE_ERR_UNSUPPORTED;
    return sink.in_use != 0 ? SLUICE_ERR_BUSY : SLUICE_OK;
}

static enum sluice_status probe(struct sluice *sluice, enum sluice_protection level)
{
    struct obstacle_sink sink = {.sluice = sluice,
                                 .level = level,
                                 .handler = sluice->config.on_obstacle,
                                 .arg = sluice->config.on_obstacle_arg};
    enum sluice_status status = check_addresses(sluice);

    if (status == SLUICE_OK && list_empty(&sluice->platform.units))
        obstacle_tell(&sink, &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_NO_UNIT},
                      "no IOMMU is described");
    return status == SLUICE_OK ? units_probe(sluice) : status;
}

enum sluice_status instance_turn_on(struct sluice *sluice, enum sluice_protection level)
{
    enum sluice_status status;

    sluice->config.interrupts = level >= SLUICE_PROTECTION_STANDARD || sluice->host_asked_remapping
                                    ? SLUICE_INTERRUPTS_REMAPPED
                                    : SLUICE_INTERRUPTS_LEFT_ALONE;
    status = probe(sluice, level);
    if (status == SLUICE_OK) {
        pci_chipset_start(sluice);
        status = group_scan(sluice);
    }
    if (status == SLUICE_OK)
        status = check_level(sluice, level, interrupts_decide(sluice));
    if (status == SLUICE_OK)
        status = firmware_regions_prepare_locked(sluice);
    if (status == SLUICE_OK)
        status = start_units(sluice);
    if (status == SLUICE_OK)
        sluice->level = level;
    else
        undo_start(sluice);
    return status;
}

enum sluice_status sluice_start(struct sluice *sluice)
{
    enum sluice_status status;
    enum instance_state was;
    bool disabled;

    if (sluice == NULL)
        return SLUICE_ERR_INVALID;
    status = instance_change_begin(sluice, INSTANCE_IN(INSTANCE_STOPPED), &was);
    if (status != SLUICE_OK)
        return status;
    disabled = sluice->level == SLUICE_PROTECTION_DISABLED;
    if (disabled)
        log_warning(sluice, "protection level disabled: devices reach all of memory");
    else
        status = instance_turn_on(sluice, sluice->level);
    instance_change_end(sluice, status != SLUICE_OK ? INSTANCE_STOPPED
                                : disabled          ? INSTANCE_DISABLED
                                                    : INSTANCE_STARTED);
    return status;
}

/** Wakes every unit that is not awake. Returns the first error and goes on. */
static enum sluice_status wake_units(struct sluice *sluice, bool again)
{
    enum sluice_status status = SLUICE_OK;

    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);
        enum sluice_status resumed;

        if (again && unit->started)
            continue;
        /* Its events begin anew, and nobody may remember to poll. */
        atomic_store_explicit(&unit->events_held, 0, memory_order_relaxed);
        resumed = unit->ops->resume(unit);
        if (resumed == SLUICE_OK)
            continue;
        log_error(sluice, "%s: not resumed: %s; resume again, or let its devices go and stop",
                  unit->name, sluice_status_text(resumed));
        status = status == SLUICE_OK ? resumed : status;
    }
    return status;
}

enum sluice_status sluice_resume(struct sluice *sluice)
{
    enum sluice_status status;
    enum instance_state was;

    if (sluice == NULL)
        return SLUICE_ERR_INVALID;
    status = instance_change_begin(
        sluice, INSTANCE_IN(INSTANCE_SUSPENDED) | INSTANCE_IN(INSTANCE_HALF_RESUMED), &was);
    if (status != SLUICE_OK)
        return status;
    status = wake_units(sluice, was == INSTANCE_HALF_RESUMED);
    sources_drop_refused_locked(sluice);
    group_restore(sluice);
    fault_hold_devices_locked(sluice);
    instance_change_end(sluice, status == SLUICE_OK ? INSTANCE_STARTED : INSTANCE_HALF_RESUMED);
    if (status == SLUICE_OK)
        quarantine_refused(sluice);
    return status;
}
