// SPDX-License-Identifier: MIT
/*
 * Protection levels: what each demands of hardware and firmware, and what it does not allow in use.
 * Called by src/instance when the instance starts and when the level changes, and by trust.c.
 */
#include "group/group.h"

#define CLASS_IOMMU 0x0806u

void obstacle_tell(struct obstacle_sink *sink, struct sluice_obstacle *obstacle, const char *format,
                   ...)
{
    char text[192];
    va_list args;

    va_start(args, format);
    format_text_va(text, sizeof(text), format, args);
    va_end(args);
    obstacle->level = sink->level;
    obstacle->text = text;
    if (obstacle->kind >= SLUICE_OBSTACLE_IDENTITY_IN_USE)
        sink->in_use++;
    else
        sink->missing++;
    if (!sink->quiet)
        log_error(sink->sluice, "protection level %s: %s", sluice_protection_text(sink->level),
                  text);
    if (sink->handler != NULL)
        sink->handler(sink->arg, obstacle);
}

/* ---- what is demanded ---- */

/** Whether messages are the senders' own, by remapping or by the interrupt controller. */
static void check_remapping(struct obstacle_sink *sink)
{
    struct sluice *sluice = sink->sluice;
    char gap[MESSAGES_GAP_BYTES] = "";

    if (!sluice->host_asked_remapping && messages_isolated(sluice, gap))
        return;
    if (!sluice->platform.interrupt_remapping)
        obstacle_tell(sink, &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_NO_REMAPPING},
                      "firmware says that this platform does not remap interrupts");
    list_for_each(node, &sluice->units)
    {
        const struct unit *unit = container_of(node, struct unit, node);

        if (unit->ops->interrupt_alloc != NULL && unit->caps.interrupt_entries > 0)
            continue;
        if (sluice->config.interrupts == SLUICE_INTERRUPTS_REMAPPED ||
            unit->ops->interrupt_alloc == NULL || unit->caps.interrupt_obstacle != NULL)
            obstacle_tell(
                sink,
                &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_NO_REMAPPING, .unit = unit->name},
                "%s does not remap interrupts: %s%s%s", unit->name,
                unit->caps.interrupt_obstacle != NULL ? unit->caps.interrupt_obstacle
                                                      : "its driver does not do that",
                gap[0] != 0 ? "; and " : "", gap);
    }
    if (sink->missing == 0 && sluice->state == INSTANCE_STARTED && !sluice->remaps_interrupts)
        obstacle_tell(sink, &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_REMAPPING_OFF},
                      "the instance was started without interrupt remapping: stop and start it");
}

/** Whether this function could do DMA: neither a bridge, nor a host bridge, nor an IOMMU. */
static bool could_do_dma(const struct group_function *function)
{
    return !function->is_bridge && !function->is_platform &&
           function->class_code != PCI_CLASS_HOST_BRIDGE && function->class_code != CLASS_IOMMU;
}

/** A function that is a unit itself, whatever class it has (QEMU's virtio-iommu has none). */
static bool is_unit(struct sluice *sluice, const struct group_function *function)
{
    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        if (unit->on_pci && unit->segment == function->segment && unit->rid == function->rid)
            return true;
    }
    return false;
}

static void check_coverage(struct obstacle_sink *sink)
{
    const struct group_map *map = sink->sluice->groups;

    if (map == NULL || map->blind) {
        obstacle_tell(sink, &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_UNKNOWN_TOPOLOGY},
                      "no configuration space: nobody knows which devices there are");
        return;
    }
    for (uint32_t i = 0; i < map->count; i++) {
        const struct group_function *function = &map->functions[i];

        if (could_do_dma(function) && !is_unit(sink->sluice, function) &&
            pci_find_unit(sink->sluice, function->segment, function->rid) == NULL)
            obstacle_tell(sink,
                          &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_UNCOVERED,
                                                    .has_function = true,
                                                    .segment = function->segment,
                                                    .rid = function->rid},
                          "no unit is above " LOG_RID,
                          LOG_RID_ARGS(function->segment, function->rid));
    }
}

static void check_units(struct obstacle_sink *sink)
{
    list_for_each(node, &sink->sluice->units)
    {
        const struct unit *unit = container_of(node, struct unit, node);

        if (atomic_load_explicit(&unit->degraded, memory_order_relaxed) != 0)
            obstacle_tell(
                sink,
                &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_DEGRADED, .unit = unit->name},
                "%s is degraded", unit->name);
    }
}

/** The first step that keeps a unit from passing, or NULL. */
static const struct sluice_selftest_result *
worst_step(struct sluice *sluice, const struct sluice_selftest_evidence *evidence, bool required,
           unsigned *out_step)
{
    /* Nothing is remapped there, so there is no format that goes past it. */
    bool no_formats = required && messages_isolated(sluice, NULL);

    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++) {
        const struct sluice_selftest_result *step = &evidence->steps[i];
        bool needed = required && (i != SLUICE_SELFTEST_INTERRUPT_FORMAT || !no_formats);

        *out_step = i;
        if (step->outcome == SLUICE_SELFTEST_FAILED ||
            (needed && step->outcome != SLUICE_SELFTEST_PASSED))
            return step;
    }
    return NULL;
}

/** What a self-test has shown counts always; that there is one, where it is demanded. */
static void check_selftest(struct obstacle_sink *sink, const struct unit *unit)
{
    const struct sluice_selftest_evidence *evidence = &unit->selftest;
    struct sluice_obstacle obstacle = {.kind = SLUICE_OBSTACLE_SELFTEST, .unit = unit->name};
    bool required = sink->sluice->config.require_selftest;
    const struct sluice_selftest_result *bad;
    unsigned step;

    if (!evidence->made) {
        if (required)
            obstacle_tell(sink, &obstacle,
                          "%s: no self-test was made: start at a lower level, test, and raise it",
                          unit->name);
        return;
    }
    bad = worst_step(sink->sluice, evidence, required, &step);
    if (bad == NULL)
        return;
    obstacle.name = sluice_selftest_step_text((enum sluice_selftest_step)step);
    obstacle_tell(sink, &obstacle, "%s: self-test with %s: %s: %s: %s", unit->name,
                  evidence->device, obstacle.name, sluice_selftest_outcome_text(bad->outcome),
                  bad->seen);
}

static void check_selftests(struct obstacle_sink *sink)
{
    list_for_each(node, &sink->sluice->units)
    {
        check_selftest(sink, container_of(node, struct unit, node));
    }
}

static void check_external_ports(struct obstacle_sink *sink)
{
    const struct group_map *map = sink->sluice->groups;

    list_for_each(node, &sink->sluice->external_ports)
    {
        const struct external_port *port = container_of(node, struct external_port, node);
        uint32_t at = map != NULL ? group_find(map, port->segment, port->rid) : GROUP_NONE;

        if (at != GROUP_NONE && map->functions[at].lacks != 0)
            obstacle_tell(sink,
                          &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_EXTERNAL_PORT,
                                                    .has_function = true,
                                                    .segment = port->segment,
                                                    .rid = port->rid,
                                                    .lacks = map->functions[at].lacks},
                          LOG_RID " leads outside and lacks access control (%#x)",
                          LOG_RID_ARGS(port->segment, port->rid),
                          (unsigned)map->functions[at].lacks);
    }
}

void level_check_demands(struct obstacle_sink *sink)
{
    if (sink->level >= SLUICE_PROTECTION_STANDARD)
        check_remapping(sink);
    if (sink->level < SLUICE_PROTECTION_STRICT)
        return;
    check_coverage(sink);
    check_units(sink);
    check_selftests(sink);
    check_external_ports(sink);
}

/* ---- what is in use ---- */

static void check_device_off(struct obstacle_sink *sink, const struct sluice_device *device)
{
    if (device->domain == NULL && device->held == 0)
        return;
    obstacle_tell(
        sink,
        &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_DEVICE_IN_USE,
                                  .has_function = device->bus == SLUICE_BUS_PCI,
                                  .segment = device->segment,
                                  .rid = device->rid,
                                  .name = device->name},
        "%s '%s' is %s%s%s", device->label, device->name,
        device->domain != NULL ? "attached to domain '" : "being reset, tested or told of",
        device->domain != NULL ? device->domain->name : "", device->domain != NULL ? "'" : "");
}

static void check_device_strict(struct obstacle_sink *sink, const struct sluice_device *device)
{
    struct sluice_obstacle obstacle = {.has_function = device->bus == SLUICE_BUS_PCI,
                                       .segment = device->segment,
                                       .rid = device->rid,
                                       .name = device->name};

    if (device->domain != NULL && device->domain->kind == SLUICE_DOMAIN_IDENTITY) {
        obstacle.kind = SLUICE_OBSTACLE_IDENTITY_IN_USE;
        obstacle_tell(sink, &obstacle, "%s '%s' is in identity domain '%s'", device->label,
                      device->name, device->domain->name);
    }
    if (device->untrusted && device->bus == SLUICE_BUS_PCI &&
        !pci_ats_disable(sink->sluice, device->segment, device->rid)) {
        obstacle.kind = SLUICE_OBSTACLE_ATS_IN_USE;
        obstacle_tell(sink, &obstacle, "%s '%s' is untrusted, and its ATS does not turn off",
                      device->label, device->name);
    }
}

static void check_domain_strict(struct obstacle_sink *sink, const struct sluice_domain *domain)
{
    struct sluice_obstacle obstacle = {.kind = SLUICE_OBSTACLE_LAZY_IN_USE, .name = domain->name};

    if (domain->lazy)
        obstacle_tell(sink, &obstacle, "domain '%s' is lazy", domain->name);
}

void level_check_use(struct obstacle_sink *sink)
{
    struct sluice *sluice = sink->sluice;
    bool off = sink->level == SLUICE_PROTECTION_DISABLED;

    if (!off && sink->level != SLUICE_PROTECTION_STRICT)
        return;
    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (off)
            check_device_off(sink, device);
        else
            check_device_strict(sink, device);
    }
    list_for_each(node, &sluice->domains)
    {
        if (!off)
            check_domain_strict(sink, container_of(node, struct sluice_domain, node));
    }
    if (off && !list_empty(&sluice->interrupts))
        obstacle_tell(sink, &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_INTERRUPTS_IN_USE},
                      "interrupt entries are still allocated");
}
