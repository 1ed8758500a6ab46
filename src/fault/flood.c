// SPDX-License-Identifier: MIT
/*
 * Sources that fault without end: their unit is told not to record their faults for a while, so
 * that others' are not lost behind them and no CPU is kept busy with them. Also sources that are no
 * known device's, as many of them as there are watches for strangers: each may cost the unit a page
 * of tables, which it keeps.
 *
 * Called by work.c outside interrupts, and by quarantine.c when a device comes back.
 */
#include "fault/fault.h"

/** Host clock at which the silence of a source ends. */
static uint64_t end_of(const struct source *source)
{
    uint64_t end = source->silenced_ns + source->unit->sluice->config.silence_ns;

    return end >= source->silenced_ns ? end : UINT64_MAX;
}

/** The first end of a silence that goes on. */
static void next_end_locked(struct sluice *sluice)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < SOURCE_BUCKETS; i++) {
        list_for_each(node, &sluice->sources[i])
        {
            const struct source *source = container_of(node, struct source, node);

            if (source->silenced && end_of(source) < next)
                next = end_of(source);
        }
    }
    atomic_store_explicit(&sluice->faults->silence_end_ns, next, memory_order_relaxed);
}

static void silence_locked(const struct sluice_device *device, struct source *source,
                           struct watch *watch)
{
    struct sluice *sluice = device->sluice;
    enum sluice_status status = source_silence_locked(source, true);

    if (source->silenced) {
        atomic_fetch_add_explicit(&sluice->faults->silences, 1, memory_order_relaxed);
        log_warning(sluice,
                    "%s '%s': %u faults within %llu ms: %s does not report its faults "
                    "for %llu ms%s%s",
                    device->label, device->name, watch_flood_most(watch),
                    (unsigned long long)(sluice->config.flood_window_ns / 1000000),
                    device->unit->name, (unsigned long long)(sluice->config.silence_ns / 1000000),
                    status != SLUICE_OK ? ": " : "",
                    status != SLUICE_OK ? sluice_status_text(status) : "");
        return;
    }
    /* Said once: nothing about it will change. */
    if (!watch->cannot_silence)
        log_warning(sluice, "%s '%s': faults without end, and %s cannot be told not to report: %s",
                    device->label, device->name, device->unit->name, sluice_status_text(status));
    watch->cannot_silence = true;
}

/** Silences whoever floods; a source that several devices share once. */
static void silence_floods_locked(struct sluice *sluice)
{
    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        for (unsigned i = 0; i < device->source_count; i++) {
            struct watch *watch = fault_watch_of(device, i);

            if (watch != NULL && watch_flood_take(watch) && !device->sources[i]->silenced)
                silence_locked(device, device->sources[i], watch);
        }
    }
}

static struct unit *unit_named_locked(struct sluice *sluice, const char *name)
{
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);

        if (unit->name == name)
            return unit;
    }
    return NULL;
}

/** Makes the stranger a source, which is blocked as it was, and silences it. */
static enum sluice_status silence_stranger_locked(struct sluice *sluice, struct unit *unit,
                                                  uint32_t id, bool *out_silenced)
{
    struct source *source;
    enum sluice_status status = source_get_locked(sluice, unit, id, &source);

    *out_silenced = false;
    if (status != SLUICE_OK)
        return status;
    status = source_silence_locked(source, true);
    *out_silenced = source->silenced;
    if (!source->silenced && source->users == 0)
        source_put_locked(sluice, source);
    return status;
}

static void stranger_floods_locked(struct sluice *sluice, struct watch *watch, struct unit *unit)
{
    uint32_t id = atomic_load_explicit(&watch->id, memory_order_relaxed);
    enum sluice_status status = silence_stranger_locked(sluice, unit, id, &watch->silenced);

    if (watch->silenced) {
        atomic_fetch_add_explicit(&sluice->faults->silences, 1, memory_order_relaxed);
        log_warning(sluice,
                    "%s: source %#x, of no known device: %u faults within %llu ms: they are not "
                    "reported for %llu ms",
                    unit->name, (unsigned)id, watch_flood_most(watch),
                    (unsigned long long)(sluice->config.flood_window_ns / 1000000),
                    (unsigned long long)(sluice->config.silence_ns / 1000000));
    } else if (!watch->cannot_silence) {
        log_warning(sluice,
                    "%s: source %#x, of no known device: faults without end, and it cannot be told "
                    "not to report them: %s",
                    unit->name, (unsigned)id, sluice_status_text(status));
    }
    watch->cannot_silence = !watch->silenced;
}

static void silence_strangers_locked(struct sluice *sluice)
{
    for (unsigned i = 0; i < WATCH_STRANGERS; i++) {
        struct watch *watch = &sluice->faults->watches.strangers[i];
        struct unit *unit;

        /* Acquire: whose it is; pairs with the release in watch_stranger. */
        if (atomic_load_explicit(&watch->state, memory_order_acquire) != WATCH_THERE ||
            !watch_flood_take(watch) || watch->silenced)
            continue;
        unit = unit_named_locked(sluice, atomic_load_explicit(&watch->unit, memory_order_relaxed));
        if (unit != NULL)
            stranger_floods_locked(sluice, watch, unit);
    }
}

/** Its silence is over, or what it is about became a device's: the source made for it goes. */
static void end_stranger_locked(struct sluice *sluice, struct watch *watch)
{
    uint32_t id = atomic_load_explicit(&watch->id, memory_order_relaxed);
    struct unit *unit =
        unit_named_locked(sluice, atomic_load_explicit(&watch->unit, memory_order_relaxed));
    struct source *source = unit != NULL ? source_find_locked(sluice, unit, id) : NULL;

    if (source != NULL && source->silenced && source->users == 0)
        return;
    if (source != NULL && source->users == 0)
        source_put_locked(sluice, source);
    watch->silenced = false;
}

/** Gives the watches of strangers that keep quiet to others. */
static void let_strangers_go_locked(struct sluice *sluice)
{
    uint64_t now = host_now_ns(sluice);

    for (unsigned i = 0; i < WATCH_STRANGERS; i++) {
        struct watch *watch = &sluice->faults->watches.strangers[i];
        uint64_t seen = atomic_load_explicit(&watch->lines.seen, memory_order_relaxed);

        if (atomic_load_explicit(&watch->state, memory_order_acquire) != WATCH_THERE)
            continue;
        if (watch->silenced)
            end_stranger_locked(sluice, watch);
        if (!watch->silenced && seen == watch->lines.told && watch->lines.window_ns == 0 &&
            now - atomic_load_explicit(&watch->last_ns, memory_order_relaxed) >
                sluice->config.silence_ns)
            watch_dismiss_locked(watch);
    }
}

static void end_silences_locked(struct sluice *sluice)
{
    uint64_t now = host_now_ns(sluice);

    for (unsigned i = 0; i < SOURCE_BUCKETS; i++) {
        list_for_each(node, &sluice->sources[i])
        {
            struct source *source = container_of(node, struct source, node);

            if (!source->silenced || end_of(source) > now)
                continue;
            /* Not confirmed: the unit is degraded. Without memory it is tried again. */
            (void)!source_silence_locked(source, false);
            if (!source->silenced)
                log_info(sluice, "%s: source %#x: its faults are reported again",
                         source->unit->name, (unsigned)source->id);
        }
    }
}

static bool is_over(struct sluice *sluice)
{
    uint64_t end = atomic_load_explicit(&sluice->faults->silence_end_ns, memory_order_relaxed);

    return end != UINT64_MAX && host_now_ns(sluice) >= end;
}

void flood_work(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;
    bool floods = atomic_exchange_explicit(&center->floods, 0, memory_order_acquire) != 0;
    sluice_irqstate_t irq;

    if (atomic_exchange_explicit(&center->crowded, 0, memory_order_relaxed) == 0 && !floods &&
        !is_over(sluice))
        return;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED) {
        if (floods) {
            silence_floods_locked(sluice);
            silence_strangers_locked(sluice);
        }
        end_silences_locked(sluice);
        let_strangers_go_locked(sluice);
        next_end_locked(sluice);
    }
    sluice_spin_unlock(&sluice->lock, irq);
}

enum sluice_status flood_forgive_locked(struct sluice_device *device)
{
    enum sluice_status result = SLUICE_OK;

    for (unsigned i = 0; i < device->source_count; i++) {
        enum sluice_status status = source_silence_locked(device->sources[i], false);

        result = result == SLUICE_OK ? status : result;
    }
    next_end_locked(device->sluice);
    return result;
}

bool flood_is_silenced(const struct sluice_device *device, uint64_t *out_since_ns)
{
    for (unsigned i = 0; i < device->source_count; i++) {
        if (!device->sources[i]->silenced)
            continue;
        if (out_since_ns != NULL)
            *out_since_ns = device->sources[i]->silenced_ns;
        return true;
    }
    return false;
}
