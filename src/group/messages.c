// SPDX-License-Identifier: MIT
/*
 * Interrupt messages that need no remapping: those of devices whose sender the interrupt controller
 * knows, as a GICv3's ITS does. It is what a level above basic asks of them where units do not
 * remap.
 *
 * Three things have to hold, each as firmware or the host says it: all that is behind a unit is
 * known as a sender; no two senders are one to the controller; and the doorbells that domains map
 * are such controllers' alone, since another's would raise anybody's interrupt.
 *
 * Called by level.c, by src/interrupt when it decides, and for reports.
 */
#include "core/doorbell.h"
#include "group/group.h"

#define EVERY_RID_LAST 0xffffu
#define NAME_BYTES     40u /* of a device, as far as it is shown */

static bool remaps(const struct sluice *sluice)
{
    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->caps.interrupt_entries > 0)
            return true;
    }
    return false;
}

/** Sources of interrupts themselves, which no device's DMA comes from. */
static bool is_wired(const struct platform_scope *scope)
{
    return scope->kind == PLATFORM_SCOPE_IOAPIC || scope->kind == PLATFORM_SCOPE_HPET;
}

static bool functions_known(const struct sluice *sluice, uint16_t segment, uint16_t first,
                            uint16_t last, char gap[MESSAGES_GAP_BYTES])
{
    uint16_t rid;

    if (platform_knows_senders(&sluice->platform, segment, first, last, &rid))
        return true;
    format_text(gap, MESSAGES_GAP_BYTES,
                "nobody says that the interrupt controller knows messages of " LOG_RID
                " by their sender",
                LOG_RID_ARGS(segment, rid));
    return false;
}

static bool device_known(const struct platform_scope *scope, char gap[MESSAGES_GAP_BYTES])
{
    char name[NAME_BYTES] = "a device";

    if (scope->tells_senders)
        return true;
    for (uint32_t i = 0; scope->name != NULL && i + 1 < NAME_BYTES; i++) {
        bool inside = i < scope->name_bytes;

        /* Firmware's bytes: none of them may end a line of the log. */
        name[i] = !inside ? 0 : scope->name[i] < ' ' || scope->name[i] > '~' ? '?' : scope->name[i];
    }
    format_text(gap, MESSAGES_GAP_BYTES,
                "nobody says that the interrupt controller knows messages of '%s' by their sender",
                name);
    return false;
}

static bool scope_known(const struct sluice *sluice, const struct platform_scope *scope,
                        char gap[MESSAGES_GAP_BYTES])
{
    bool exact = scope->kind == PLATFORM_SCOPE_PCI_RANGE && scope->rid_ignored == 0;
    uint32_t last = exact ? scope->last_segment : scope->segment;

    if (scope->kind == PLATFORM_SCOPE_NAMED || scope->kind == PLATFORM_SCOPE_ACPI_NAME)
        return device_known(scope, gap);
    /* Who is meant by a path is not looked up: then every function has to be known. */
    for (uint32_t segment = scope->segment; segment <= last; segment++) {
        if (!functions_known(sluice, (uint16_t)segment, exact ? scope->first_rid : 0,
                             exact ? scope->last_rid : EVERY_RID_LAST, gap))
            return false;
    }
    return true;
}

static bool unit_known(const struct sluice *sluice, const struct platform_unit *unit,
                       char gap[MESSAGES_GAP_BYTES])
{
    if (unit->covers_rest && !functions_known(sluice, unit->segment, 0, EVERY_RID_LAST, gap))
        return false;
    list_for_each(node, &unit->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (!is_wired(scope) && !scope_known(sluice, scope, gap))
            return false;
    }
    return true;
}

static bool doorbells_known(struct sluice *sluice, char gap[MESSAGES_GAP_BYTES])
{
    sluice_phys_t first, last;

    for (unsigned i = 0; host_doorbell(sluice, i, &first, &last); i++) {
        if (platform_is_doorbell(&sluice->platform, first, last))
            continue;
        format_text(gap, MESSAGES_GAP_BYTES,
                    "nobody says that what takes messages at %#llx knows them by their sender",
                    (unsigned long long)first);
        return false;
    }
    return true;
}

static bool is_isolated(struct sluice *sluice, char gap[MESSAGES_GAP_BYTES])
{
    if (list_empty(&sluice->platform.senders)) {
        format_text(gap, MESSAGES_GAP_BYTES,
                    "no interrupt controller is said to know messages by their sender");
        return false;
    }
    list_for_each(node, &sluice->platform.units)
    {
        if (!unit_known(sluice, container_of(node, struct platform_unit, node), gap))
            return false;
    }
    if (!doorbells_known(sluice, gap))
        return false;
    if (!platform_mixes_senders(&sluice->platform))
        return true;
    format_text(gap, MESSAGES_GAP_BYTES, "two devices are one sender to the interrupt controller");
    return false;
}

bool messages_isolated(struct sluice *sluice, char out_gap[MESSAGES_GAP_BYTES])
{
    char gap[MESSAGES_GAP_BYTES];

    return !remaps(sluice) && is_isolated(sluice, out_gap != NULL ? out_gap : gap);
}

const char *messages_text(struct sluice *sluice)
{
    if (sluice->remaps_interrupts)
        return "remapped";
    if (!messages_isolated(sluice, NULL))
        return "left alone";
    list_for_each(node, &sluice->platform.senders)
    {
        if (container_of(node, struct platform_senders, node)->kind != SLUICE_MESSAGES_GIC_ITS)
            return "isolated by the interrupt controller";
    }
    return "isolated by GIC ITS";
}
