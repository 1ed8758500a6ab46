// SPDX-License-Identifier: MIT
/*
 * Whether the instance remaps interrupts: all units or a start that fails (invariant 5). Where only
 * the level asks, and the interrupt controller isolates messages by itself, nothing is remapped.
 */
#include "group/group.h"
#include "interrupt/interrupt.h"

static enum sluice_status check_units(struct sluice *sluice)
{
    list_for_each(node, &sluice->units)
    {
        const struct unit *unit = container_of(node, struct unit, node);

        if (unit->ops->interrupt_alloc != NULL && unit->caps.interrupt_entries > 0)
            continue;
        log_error(sluice, "%s: interrupts are to be remapped, and cannot be: %s", unit->name,
                  unit->caps.interrupt_obstacle != NULL ? unit->caps.interrupt_obstacle
                                                        : "its driver does not do that");
        return SLUICE_ERR_UNSUPPORTED;
    }
    return SLUICE_OK;
}

static const struct unit *unit_without_x2apic(struct sluice *sluice)
{
    list_for_each(node, &sluice->units)
    {
        const struct unit *unit = container_of(node, struct unit, node);

        if (!unit->caps.x2apic)
            return unit;
    }
    return NULL;
}

static enum sluice_status decide_x2apic(struct sluice *sluice)
{
    bool required = sluice->config.x2apic == SLUICE_X2APIC_REQUIRED;
    const struct unit *without = unit_without_x2apic(sluice);

    if (sluice->config.x2apic == SLUICE_X2APIC_OFF)
        return SLUICE_OK;
    if (without != NULL) {
        if (required)
            log_error(sluice, "%s: the CPUs are in x2APIC mode, and it has no destinations for it",
                      without->name);
        else
            log_info(sluice, "%s: no x2APIC destinations, so no unit uses them", without->name);
        return required ? SLUICE_ERR_UNSUPPORTED : SLUICE_OK;
    }
    if (sluice->platform.x2apic_opt_out && !required) {
        log_info(sluice, "firmware asks to stay out of x2APIC mode (DMAR flag X2APIC_OPT_OUT)");
        return SLUICE_OK;
    }
    if (sluice->platform.x2apic_opt_out) /* too late to follow: the CPUs are there already */
        log_warning(sluice, "firmware asks to stay out of x2APIC mode, and the CPUs are in it");
    sluice->x2apic = true;
    return SLUICE_OK;
}

static enum sluice_status decide_remapping(struct sluice *sluice)
{
    enum sluice_status status;

    if (!sluice->platform.interrupt_remapping) {
        log_error(sluice, "interrupts are to be remapped, and firmware says that this platform "
                          "does not do it (DMAR flag INTR_REMAP is clear)");
        return SLUICE_ERR_UNSUPPORTED;
    }
    status = check_units(sluice);
    return status == SLUICE_OK ? decide_x2apic(sluice) : status;
}

enum sluice_status interrupts_decide(struct sluice *sluice)
{
    char gap[MESSAGES_GAP_BYTES] = "";
    enum sluice_status status;

    sluice->remaps_interrupts = false;
    sluice->x2apic = false;
    if (sluice->config.interrupts != SLUICE_INTERRUPTS_REMAPPED)
        return SLUICE_OK;
    if (!sluice->host_asked_remapping && messages_isolated(sluice, gap)) {
        log_info(sluice, "interrupts are %s, and not remapped", messages_text(sluice));
        return SLUICE_OK;
    }
    status = decide_remapping(sluice);
    if (status != SLUICE_OK && gap[0] != 0)
        log_error(sluice, "interrupts are not isolated without it either: %s", gap);
    sluice->remaps_interrupts = status == SLUICE_OK;
    return status;
}
