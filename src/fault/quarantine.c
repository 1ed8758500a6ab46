// SPDX-License-Identifier: MIT
/*
 * Quarantine: a device is cut off from memory and from interrupts, and comes back after a reset.
 */
#include "fault/fault.h"
#include "interrupt/interrupt.h"

/** Whether it has bus mastering, and the host lets us at it. */
static bool has_master(const struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;

    return device->bus == SLUICE_BUS_PCI && sluice->ops->pci_read != NULL &&
           sluice->ops->pci_write != NULL && pci_present(sluice, device->segment, device->rid);
}

static bool master_is_on(const struct sluice_device *device)
{
    return (pci_read(device->sluice, device->segment, device->rid, PCI_COMMAND, 2) &
            PCI_COMMAND_MASTER) != 0;
}

static void master_set(const struct sluice_device *device, bool on)
{
    struct sluice *sluice = device->sluice;
    uint32_t command = pci_read(sluice, device->segment, device->rid, PCI_COMMAND, 2);

    sluice->ops->pci_write(sluice->config.ctx, device->segment, device->rid, PCI_COMMAND, 2,
                           on ? command | PCI_COMMAND_MASTER : command & ~PCI_COMMAND_MASTER);
}

/** Turns bus mastering off; false when there is none to turn off, or it stays on. */
static bool master_off(const struct sluice_device *device)
{
    if (!has_master(device))
        return false;
    master_set(device, false);
    return !master_is_on(device);
}

/** Whom nothing may stop but this. */
static void hold(struct sluice_device *device)
{
    if (device->master_held || !has_master(device) || !master_is_on(device))
        return;
    device->master_held = true;
    if (master_off(device))
        log_error(device->sluice, "%s '%s': bus mastering off: %s did not wake up", device->label,
                  device->name, device->unit->name);
    else
        log_error(device->sluice, "%s '%s': bus mastering stays on, and %s did not wake up",
                  device->label, device->name, device->unit->name);
}

static void let_go(struct sluice_device *device)
{
    if (!device->master_held)
        return;
    device->master_held = false;
    if (!device->quarantined && has_master(device))
        master_set(device, true);
}

void fault_hold_devices_locked(struct sluice *sluice)
{
    list_for_each(node, &sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (unit_is_lost(device->unit))
            hold(device);
        else
            let_go(device);
    }
}

/** Makes every entry of a device refuse; returns how many, and in *out_status the first error. */
static unsigned refuse_interrupts(struct sluice_device *device, enum sluice_status *out_status)
{
    unsigned refusing = 0;

    list_for_each(node, &device->sluice->interrupts)
    {
        struct sluice_interrupt *interrupt =
            container_of(node, struct sluice_interrupt, block.node);
        struct interrupt_block *block = &interrupt->block;

        if (interrupt->device != device)
            continue;
        interrupt->routed = false;
        for (unsigned i = 0; i < block->count; i++) {
            enum sluice_status status =
                block->unit->ops->interrupt_write(block->unit, block, i, NULL);

            *out_status = *out_status == SLUICE_OK ? status : *out_status;
            refusing++;
        }
    }
    return refusing;
}

/** Whom the unit cannot tell from it. */
static void name_others(const struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;

    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *other = container_of(node, struct sluice_device, node);
        bool shares = false;

        for (unsigned i = 0; other != device && i < other->source_count; i++) {
            for (unsigned j = 0; j < device->source_count; j++)
                shares = shares || other->sources[i] == device->sources[j];
        }
        if (shares)
            log_error(sluice, "%s '%s': cut off with %s, whose requester ID it shares",
                      other->label, other->name, device->label);
    }
}

static uint64_t faults_of(const struct sluice_device *device)
{
    uint64_t faults = 0;

    for (unsigned i = 0; i < device->source_count; i++) {
        struct watch *watch = fault_watch_of(device, i);

        if (watch != NULL)
            faults += atomic_load_explicit(&watch->faults, memory_order_relaxed);
    }
    return faults;
}

void quarantine_locked(struct sluice_device *device, const char *why)
{
    struct sluice *sluice = device->sluice;
    enum sluice_status status = device_cut_off_locked(device);

    device->cut_interrupts = refuse_interrupts(device, &status);
    device->cut_confirmed = status == SLUICE_OK;
    device->bus_master_off = master_off(device);
    device->quarantined_ns = host_now_ns(sluice);
    atomic_fetch_add_explicit(&sluice->faults->quarantines, 1, memory_order_relaxed);
    log_error(sluice,
              "%s '%s': cut off from domain '%s': %s (%llu faults so far); sluice_device_recover() "
              "resets it and brings it back",
              device->label, device->name, device->domain != NULL ? device->domain->name : "", why,
              (unsigned long long)faults_of(device));
    if (status != SLUICE_OK)
        log_error(sluice, "%s '%s': %s did not confirm that it let go of it: %s", device->label,
                  device->name, device->unit->name, sluice_status_text(status));
    name_others(device);
}

static void notify(struct sluice_device *device, enum sluice_device_state state)
{
    const struct sluice_config *config = &device->sluice->config;

    if (config->on_quarantine != NULL)
        config->on_quarantine(config->on_quarantine_arg, device, state);
}

enum sluice_status sluice_device_quarantine(struct sluice_device *device)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    struct sluice *sluice;
    sluice_irqstate_t irq;
    bool fresh = false;

    if (device == NULL)
        return SLUICE_ERR_INVALID;
    sluice = device->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED) {
        fresh = !device->quarantined;
        if (fresh)
            quarantine_locked(device, "asked for");
        status = device->cut_confirmed ? SLUICE_OK : SLUICE_ERR_TIMEOUT;
    }
    sluice_spin_unlock(&sluice->lock, irq);
    if (fresh)
        notify(device, SLUICE_DEVICE_QUARANTINED);
    return status;
}

/* ---- the way back ---- */

static enum sluice_status recover_begin(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);
    bool may = sluice->state == INSTANCE_STARTED && device->quarantined && device->held == 0;

    if (may)
        device->held++;
    sluice_spin_unlock(&sluice->lock, irq);
    return may ? SLUICE_OK : SLUICE_ERR_STATE;
}

static enum sluice_status bring_back_locked(struct sluice_device *device)
{
    enum sluice_status status;

    /* Before the first access: what it does from now on counts. */
    for (unsigned i = 0; i < device->source_count; i++) {
        struct watch *watch = fault_watch_of(device, i);

        if (watch != NULL)
            watch_reset(watch);
    }
    status = flood_forgive_locked(device);
    return status == SLUICE_OK ? device_restore_locked(device) : status;
}

enum sluice_status sluice_device_recover(struct sluice_device *device)
{
    enum sluice_status status;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (device == NULL)
        return SLUICE_ERR_INVALID;
    sluice = device->sluice;
    status = recover_begin(device);
    if (status != SLUICE_OK)
        return status;
    status = device->bus == SLUICE_BUS_PCI ? reset_function(sluice, device->segment, device->rid)
                                           : SLUICE_ERR_UNSUPPORTED;
    irq = sluice_spin_lock(&sluice->lock);
    device->held--;
    if (status == SLUICE_OK)
        status = sluice->state == INSTANCE_STARTED ? bring_back_locked(device) : SLUICE_ERR_STATE;
    if (status == SLUICE_OK) {
        atomic_fetch_add_explicit(&sluice->faults->recoveries, 1, memory_order_relaxed);
        log_info(sluice, "%s '%s': was reset, and is back in domain '%s'", device->label,
                 device->name, device->domain != NULL ? device->domain->name : "");
    } else {
        log_error(sluice, "%s '%s': stays cut off: %s", device->label, device->name,
                  status == SLUICE_ERR_UNSUPPORTED ? "it cannot be reset"
                                                   : sluice_status_text(status));
    }
    sluice_spin_unlock(&sluice->lock, irq);
    if (status == SLUICE_OK)
        notify(device, SLUICE_DEVICE_OPERATIONAL);
    return status;
}

/* ---- how it does ---- */

static unsigned recent_of(const struct sluice_device *device)
{
    uint64_t now = host_now_ns(device->sluice);
    unsigned recent = 0;

    for (unsigned i = 0; i < device->source_count; i++) {
        struct watch *watch = fault_watch_of(device, i);

        recent += watch != NULL ? watch_recent(watch, now) : 0;
    }
    return recent;
}

static enum sluice_device_state state_of(const struct sluice_device *device, unsigned recent,
                                         bool silenced)
{
    if (device->quarantined)
        return SLUICE_DEVICE_QUARANTINED;
    if (recent != 0 || silenced ||
        atomic_load_explicit(&device->unit->degraded, memory_order_relaxed) != 0)
        return SLUICE_DEVICE_DEGRADED;
    return SLUICE_DEVICE_OPERATIONAL;
}

void fault_health_locked(const struct sluice_device *device, struct sluice_device_health *out)
{
    struct watch *watch = fault_watch_of(device, 0);

    *out = (struct sluice_device_health){.fault_count = faults_of(device),
                                         .recent = recent_of(device),
                                         .max_faults = SLUICE_FAULTS_UNLIMITED};
    out->silenced = flood_is_silenced(device, &out->silenced_since_ns);
    out->state = state_of(device, out->recent, out->silenced);
    if (watch != NULL) {
        unsigned most = atomic_load_explicit(&watch->most, memory_order_relaxed);

        out->max_faults = most != 0 ? most : SLUICE_FAULTS_UNLIMITED;
        out->window_ns = atomic_load_explicit(&watch->window_ns, memory_order_relaxed);
    }
    if (device->quarantined) {
        out->confirmed = device->cut_confirmed;
        out->bus_master_off = device->bus_master_off;
        out->interrupts = device->cut_interrupts;
        out->since_ns = device->quarantined_ns;
    }
}

enum sluice_status sluice_device_health(struct sluice_device *device,
                                        struct sluice_device_health *out)
{
    sluice_irqstate_t irq;

    if (device == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&device->sluice->lock);
    fault_health_locked(device, out);
    sluice_spin_unlock(&device->sluice->lock, irq);
    return SLUICE_OK;
}

bool sluice_device_is_operational(struct sluice_device *device)
{
    struct sluice_device_health health;

    return sluice_device_health(device, &health) == SLUICE_OK &&
           health.state == SLUICE_DEVICE_OPERATIONAL;
}
