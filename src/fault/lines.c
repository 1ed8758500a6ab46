// SPDX-License-Identifier: MIT
/*
 * Faults as lines of the log: of each source the first few of a window, and when the window is over
 * how many more there were. Whoever floods has no more lines than anybody else, and nobody's first
 * lines are hidden behind others'; what is not a line is counted in one.
 *
 * Called by work.c outside interrupts, lines_keep by who observes a fault.
 */
#include "fault/fault.h"

#define LINE_BYTES 240u
#define RETRY_NS   ((uint64_t)1000000) /* somebody is about to write a line: it is not waited for */

void lines_keep(struct fault_center *center, struct watch *watch, const struct sluice_fault *fault)
{
    if (center->lines_most != 0 && watch_keep_line(watch, fault, center->lines_most))
        atomic_store_explicit(&center->lines_new, 1, memory_order_release);
}

static void print_line(struct sluice *sluice, const struct sluice_fault *fault)
{
    struct sluice_fault_record record = {.fault = *fault};
    char text[LINE_BYTES];

    fault_describe_locked(sluice, &record);
    (void)sluice_fault_text(&record, text, sizeof(text));
    log_warning(sluice, "%s", text);
}

static const char *name_of(struct sluice *sluice, struct watch *watch, char *buffer, size_t bytes)
{
    const char *unit = atomic_load_explicit(&watch->unit, memory_order_relaxed);
    uint32_t id = atomic_load_explicit(&watch->id, memory_order_relaxed);

    if (watch == &sluice->faults->watches.crowd)
        return "further sources of no known device";
    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        for (unsigned i = 0; i < device->source_count; i++) {
            if (device->unit->name == unit && device->sources[i]->id == id)
                return device->label;
        }
    }
    format_text(buffer, bytes, "%s source %#x", unit, (unsigned)id);
    return buffer;
}

static void print_rest(struct sluice *sluice, struct watch *watch, uint64_t rest, uint64_t ns)
{
    char name[DEVICE_LABEL_BYTES];
    const uint64_t tenths = ns / 100000000;

    log_warning(sluice, "%llu more faults of %s in the last %llu.%u s", (unsigned long long)rest,
                name_of(sluice, watch, name, sizeof(name)), (unsigned long long)(tenths / 10),
                (unsigned)(tenths % 10));
}

static void print_new_locked(struct sluice *sluice, struct watch *watch)
{
    struct watch_lines *lines = &watch->lines;

    /* Acquire: the words are there; pairs with the release in watch_keep_line. */
    while (lines->printed < sluice->faults->lines_most &&
           atomic_load_explicit(&lines->lines[lines->printed].ready, memory_order_acquire) != 0) {
        struct sluice_fault fault;

        fault_words_load(lines->lines[lines->printed].words, &fault);
        print_line(sluice, &fault);
        lines->printed++;
        lines->told++;
    }
}

/** Lets the next window begin with the next fault; false: somebody is about to write a line. */
static bool end_window_locked(struct watch_lines *lines, unsigned most)
{
    unsigned taken = atomic_load_explicit(&lines->taken, memory_order_relaxed);

    if ((taken < most ? taken : most) != lines->printed)
        return false;
    for (unsigned i = 0; i < lines->printed; i++)
        atomic_store_explicit(&lines->lines[i].ready, 0, memory_order_relaxed);
    /* Release: the places are free; pairs with the acquire of who takes one. */
    if (!atomic_compare_exchange_strong_explicit(&lines->taken, &taken, 0, memory_order_release,
                                                 memory_order_relaxed))
        return false;
    lines->printed = 0;
    lines->window_ns = 0;
    return true;
}

/** Tells what is due of a source; returns when more will be, or UINT64_MAX. */
static uint64_t work_on_locked(struct sluice *sluice, struct watch *watch, uint64_t now, bool all)
{
    struct watch_lines *lines = &watch->lines;
    /* Acquire, and before the lines: what it counts has its line ready, if it is to have one. */
    uint64_t seen = atomic_load_explicit(&lines->seen, memory_order_acquire);
    uint64_t end;

    print_new_locked(sluice, watch);
    if (lines->window_ns == 0 && lines->printed == 0 && seen <= lines->told)
        return UINT64_MAX;
    if (lines->window_ns == 0)
        lines->window_ns = now != 0 ? now : 1;
    end = lines->window_ns + sluice->config.fault_lines_window_ns;
    if (now < end && !all)
        return end;
    if (seen > lines->told) {
        print_rest(sluice, watch, seen - lines->told, now - lines->window_ns);
        lines->told = seen;
    }
    return end_window_locked(lines, sluice->faults->lines_most) ? UINT64_MAX : now + RETRY_NS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t work_on_all_locked(struct sluice *sluice, bool all)
{
    struct watches *watches = &sluice->faults->watches;
    uint64_t now = host_now_ns(sluice);
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < WATCH_BUCKETS; i++) {
        struct watch *watch = atomic_load_explicit(&watches->buckets[i], memory_order_acquire);

        for (; watch != NULL; watch = watch->next)
            next = earlier(next, work_on_locked(sluice, watch, now, all));
    }
    for (unsigned i = 0; i < WATCH_STRANGERS; i++) {
        /* Acquire: whose it is; pairs with the release in watch_stranger. */
        if (atomic_load_explicit(&watches->strangers[i].state, memory_order_acquire) == WATCH_THERE)
            next = earlier(next, work_on_locked(sluice, &watches->strangers[i], now, all));
    }
    return earlier(next, work_on_locked(sluice, &watches->crowd, now, all));
}

void lines_work(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;
    /* Acquire: pairs with the release in lines_keep. */
    bool fresh = atomic_exchange_explicit(&center->lines_new, 0, memory_order_acquire) != 0;
    sluice_irqstate_t irq;
    uint64_t next;

    if (!fresh &&
        host_now_ns(sluice) < atomic_load_explicit(&center->lines_next_ns, memory_order_relaxed))
        return;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_is_listed(sluice)) {
        next = work_on_all_locked(sluice, false);
        atomic_store_explicit(&center->lines_next_ns, next, memory_order_relaxed);
    }
    sluice_spin_unlock(&sluice->lock, irq);
}

void lines_finish(struct sluice *sluice)
{
    if (sluice->faults->lines_most != 0)
        (void)work_on_all_locked(sluice, true);
    atomic_store_explicit(&sluice->faults->lines_next_ns, UINT64_MAX, memory_order_relaxed);
}
