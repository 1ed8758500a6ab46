// SPDX-License-Identifier: MIT
/*
 * Stop and suspend.
 */
#include "instance/units.h"

static bool any_attached(struct sluice *sluice)
{
    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (device->held > 0) {
            log_error(sluice, "%s '%s' is being reset, tested or told of: not stopped",
                      device->label, device->name);
            return true;
        }
        if (device->domain != NULL) {
            log_error(sluice, "%s '%s' is still attached to domain '%s': not stopped",
                      device->label, device->name, device->domain->name);
            return true;
        }
    }
    return false;
}

/** Their messages would mean other vectors once they are no longer remapped. */
static bool any_interrupts(struct sluice *sluice)
{
    const struct interrupt_block *block;

    if (list_empty(&sluice->interrupts))
        return false;
    block = container_of(sluice->interrupts.next, struct interrupt_block, node);
    log_error(sluice,
              "interrupt entries are still allocated, %u on %s for " LOG_RID ": not stopped",
              block->count, block->unit->name, LOG_RID_ARGS(block->segment, block->rids[0]));
    return true;
}

enum sluice_status instance_turn_off(struct sluice *sluice)
{
    enum sluice_status status = units_stop(sluice);

    if (status == SLUICE_OK)
        units_clear(sluice);
    return status;
}

enum sluice_status sluice_stop(struct sluice *sluice)
{
    enum sluice_status status;
    enum instance_state was;

    if (sluice == NULL)
        return SLUICE_ERR_INVALID;
    if (instance_change_begin(sluice, INSTANCE_IN(INSTANCE_DISABLED), &was) == SLUICE_OK) {
        instance_change_end(sluice, INSTANCE_STOPPED);
        return SLUICE_OK;
    }
    status = instance_change_begin(sluice,
                                   INSTANCE_IN(INSTANCE_STARTED) | INSTANCE_IN(INSTANCE_SUSPENDED) |
                                       INSTANCE_IN(INSTANCE_HALF_RESUMED) |
                                       INSTANCE_IN(INSTANCE_HALF_STOPPED),
                                   &was);
    if (status != SLUICE_OK)
        return status;
    if (any_attached(sluice) || any_interrupts(sluice)) {
        instance_change_end(sluice, was);
        return SLUICE_ERR_BUSY;
    }
    status = instance_turn_off(sluice);
    instance_change_end(sluice, status == SLUICE_OK ? INSTANCE_STOPPED : INSTANCE_HALF_STOPPED);
    return status;
}

/** A self-test would find the units asleep. */
static bool any_tested(struct sluice *sluice)
{
    list_for_each(node, &sluice->devices)
    {
        if (container_of(node, struct sluice_device, node)->tested)
            return true;
    }
    return false;
}

enum sluice_status sluice_suspend(struct sluice *sluice)
{
    enum sluice_status status;
    enum instance_state was;

    if (sluice == NULL)
        return SLUICE_ERR_INVALID;
    status = instance_change_begin(
        sluice, INSTANCE_IN(INSTANCE_STARTED) | INSTANCE_IN(INSTANCE_HALF_RESUMED), &was);
    if (status != SLUICE_OK)
        return status;
    if (any_tested(sluice)) {
        instance_change_end(sluice, was);
        return SLUICE_ERR_BUSY;
    }
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);
        enum sluice_status suspended = unit->started ? unit->ops->suspend(unit) : SLUICE_OK;

        if (suspended == SLUICE_OK)
            continue;
        log_error(sluice, "%s: not quiet: %s", unit->name, sluice_status_text(suspended));
        status = status == SLUICE_OK ? suspended : status;
    }
    /* Suspended also after an error: only resume programs every unit again. */
    instance_change_end(sluice, INSTANCE_SUSPENDED);
    return status;
}
