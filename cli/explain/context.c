// SPDX-License-Identifier: MIT
// See context.h.
#include "context.h"

#include "match.h"

#include <stdio.h>
#include <string.h>

enum {
    RESET_AFTER_S = 10, // a fault this long after its device was reset belongs to that
    BOOT_S = 20,        // where the log does not show the end of the kernel's own start
};

void context_add_region(struct context *context, enum region_kind kind, uint64_t start,
                        uint64_t last, struct span owner)
{
    struct region *region;

    if (last < start || context->region_count == CONTEXT_MOST_REGIONS)
        return;
    for (unsigned int i = 0; i < context->region_count; i++) {
        region = &context->regions[i];
        if (region->kind == kind && region->start == start && region->last == last)
            return;
    }
    region = &context->regions[context->region_count++];
    region->kind = kind;
    region->start = start;
    region->last = last;
    span_copy(region->owner, sizeof(region->owner), owner);
}

const struct region *context_find_region(const struct context *context, enum region_kind kind,
                                         uint64_t address)
{
    for (unsigned int i = 0; i < context->region_count; i++) {
        const struct region *region = &context->regions[i];

        if (region->kind == kind && address >= region->start && address <= region->last)
            return region;
    }
    return NULL;
}

const struct region *context_region_before(const struct context *context, enum region_kind kind,
                                           uint64_t address)
{
    for (unsigned int i = 0; i < context->region_count; i++) {
        const struct region *region = &context->regions[i];

        if (region->kind == kind && address > region->last &&
            region->last >> 12 < UINT64_MAX >> 12 && (region->last >> 12) + 1 == address >> 12)
            return region;
    }
    return NULL;
}

const struct pci_identity *context_find_device(const struct context *context, uint32_t bdf)
{
    for (unsigned int i = 0; i < context->device_count; i++)
        if (context->devices[i].bdf == bdf)
            return &context->devices[i];
    return NULL;
}

struct pci_identity *context_device(struct context *context, uint32_t bdf)
{
    struct pci_identity *device;

    for (unsigned int i = 0; i < context->device_count; i++)
        if (context->devices[i].bdf == bdf)
            return &context->devices[i];
    if (context->device_count == CONTEXT_MOST_DEVICES)
        return NULL;
    device = &context->devices[context->device_count++];
    memset(device, 0, sizeof(*device));
    device->bdf = bdf;
    return device;
}

void context_note(struct happening *happening, const struct message *message)
{
    uint64_t bdf;

    memset(happening, 0, sizeof(*happening));
    happening->valid = true;
    happening->when.valid = message->time.monotonic_valid || message->time.wall_valid;
    happening->when.monotonic = message->time.monotonic_valid;
    happening->when.seconds =
        message->time.monotonic_valid ? message->time.monotonic_s : message->time.wall_s;
    span_copy(happening->when.text, sizeof(happening->when.text), message->time.text);
    span_copy(happening->line, sizeof(happening->line), message->line);
    if (message->device.length_bytes > 0 &&
        read_bdf(message->device.text, message->device.length_bytes, &bdf) != 0) {
        happening->has_bdf = true;
        happening->bdf = (uint32_t)bdf;
    }
}

// Seconds from `happening` to the message, where both clocks are the same.
static bool elapsed(const struct happening *happening, const struct message *message, double *out_s)
{
    if (!happening->valid || !happening->when.valid)
        return false;
    if (happening->when.monotonic && message->time.monotonic_valid)
        *out_s = message->time.monotonic_s - happening->when.seconds;
    else if (!happening->when.monotonic && message->time.wall_valid)
        *out_s = message->time.wall_s - happening->when.seconds;
    else
        return false;
    return true;
}

static void cite(struct problem *problem, const char *what, const struct happening *happening,
                 double after_s)
{
    (void)snprintf(problem->evidence, sizeof(problem->evidence), "%.1f s after %s: \"%.160s\"",
                   after_s, what, happening->line);
}

// A reset concerns the faulting device, and all functions of the same slot.
static bool concerns(const struct happening *happening, const struct problem *problem)
{
    return !happening->has_bdf || !problem->has_bdf || happening->bdf >> 3 == problem->bdf >> 3;
}

static void judge_resets(const struct context *context, struct problem *problem,
                         const struct message *message)
{
    for (unsigned int i = 0; i < CONTEXT_MOST_RESETS; i++) {
        const struct happening *reset = &context->resets[i];
        double after_s;

        if (!elapsed(reset, message, &after_s) || after_s < 0 || after_s > RESET_AFTER_S ||
            !reset->has_bdf || !concerns(reset, problem))
            continue;
        problem->during.reset += message->repeat;
        cite(problem, "a reset of the device", reset, after_s);
        return;
    }
}

static bool in_boot(const struct context *context, const struct message *message)
{
    return !context->init_done && message->time.monotonic_valid &&
           message->time.monotonic_s < BOOT_S;
}

void context_judge(const struct context *context, struct problem *problem,
                   const struct message *message)
{
    double after_s;

    if (in_boot(context, message))
        problem->during.boot += message->repeat;
    if (context->kdump.valid) {
        problem->during.kdump += message->repeat;
        (void)snprintf(problem->evidence, sizeof(problem->evidence),
                       "this kernel was started after a crash: \"%.160s\"", context->kdump.line);
    }
    if (elapsed(&context->resume, message, &after_s) && after_s >= 0 && after_s < RESET_AFTER_S) {
        problem->during.resume += message->repeat;
        cite(problem, "a change of sleep state", &context->resume, after_s);
    }
    if (elapsed(&context->unbind, message, &after_s) && after_s >= 0 && after_s < 1 &&
        context->unbind.has_bdf && concerns(&context->unbind, problem)) {
        problem->during.unbind += message->repeat;
        cite(problem, "the device left its group", &context->unbind, after_s);
    }
    judge_resets(context, problem, message);
}
