// SPDX-License-Identifier: MIT
// See pattern.h.
#include "pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct readings {
    struct reading *list;
    unsigned int count;
};

__attribute__((format(printf, 3, 4))) static void add(struct readings *readings, const char *name,
                                                      const char *format, ...)
{
    struct reading *reading;
    va_list args;

    if (readings->count == READINGS_MOST)
        return;
    reading = &readings->list[readings->count++];
    reading->name = name;
    va_start(args, format);
    (void)vsnprintf(reading->text, sizeof(reading->text), format, args);
    va_end(args);
}

#define HEX(value) ((unsigned long long)(value))

// All ones in a width that hardware or software uses. A page-aligned 32-bit one is not counted:
// 0xfffff000 is also the first address that Linux hands out.
static bool all_ones(uint64_t address, bool masked)
{
    static const unsigned int widths[] = {36, 39, 40, 42, 44, 46, 48, 52, 57, 64};

    if (address == UINT32_MAX)
        return true;
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        uint64_t ones = UINT64_MAX >> (64 - widths[i]);

        if (address == ones || (masked && address == (ones & ~(uint64_t)0xfff)))
            return true;
    }
    return false;
}

// Values with which kernels and drivers fill memory that must not be used.
static bool poison(uint64_t address)
{
    static const uint32_t high[] = {0xdead0000, 0xdeadbeef, 0xdeadc0de, 0xbaadf00d,
                                    0x6b6b6b6b, 0x5a5a5a5a, 0xcccccccc, 0xa5a5a5a5};
    uint32_t top = (uint32_t)(address >> 32);
    uint32_t low = (uint32_t)address;

    for (size_t i = 0; i < sizeof(high) / sizeof(high[0]); i++) {
        if (top == high[i] ||
            (top == 0 && i > 0 && (low == high[i] || low == (high[i] & 0xfffff000u))))
            return true;
    }
    return false;
}

// [HyperTransport 3.1, table 1] as AMD systems use it; the kernel prints it sign-extended.
static bool amd_interrupt_range(uint64_t address)
{
    uint64_t low = address & 0xffffffffffu;

    return low >= 0xfdf8000000u && low <= 0xfdf8ffffffu &&
           (address >> 40 == 0 || address >> 32 == 0xfffffffdu);
}

static bool all_within(const struct address_stats *stats, bool (*test)(uint64_t))
{
    return test(stats->least) && test(stats->most);
}

// Constants: the address was never a buffer's. Returns whether one was found.
static bool read_constants(const struct context *context, const struct address_stats *stats,
                           struct readings *out)
{
    bool masked = stats->low_bits == 0;

    if (stats->most < 0x1000) {
        add(out, "null", "page zero: the device was given a null or cleared pointer");
    } else if (all_ones(stats->least, masked) && all_ones(stats->most, masked)) {
        add(out, "all-ones",
            "0x%llx is all ones: a read that failed (a device that is gone, an "
            "erased descriptor) was used as a pointer",
            HEX(stats->most));
    } else if (all_within(stats, poison)) {
        add(out, "poison",
            "0x%llx is a filler value: the device used memory after it was freed "
            "or before it was set up",
            HEX(stats->first));
    } else if (all_within(stats, amd_interrupt_range)) {
        add(out, "interrupt-range",
            "0x%llx lies in the range that interrupts and end-of-interrupt "
            "messages use on AMD systems",
            HEX(stats->first));
    } else if (stats->least >= 0xfee00000u && stats->most <= 0xfeefffffu) {
        add(out, "interrupt-range", "0x%llx is an interrupt message's address, not memory",
            HEX(stats->first));
    } else if (stats->least >> 47 == 0x1ffff) {
        add(out, "kernel-pointer",
            "0x%llx looks like a kernel virtual address: the driver gave "
            "the device a pointer instead of a DMA address",
            HEX(stats->first));
    } else if (context->address_bits != 0 && context->address_bits < 64 &&
               stats->most >> context->address_bits != 0) {
        add(out, "beyond-width", "0x%llx is beyond the %u bits that the log says are implemented",
            HEX(stats->most), context->address_bits);
    } else {
        return false;
    }
    return true;
}

static const struct {
    enum region_kind kind;
    const char *name;
    const char *text;
} insides[] = {
    {REGION_RESERVED_TABLE, "reserved-region",
     "a region that the firmware tables reserve for "
     "devices"},
    {REGION_BAR, "device-memory",
     "a device's memory (a base address register), so one device "
     "tried to reach another"},
    {REGION_BUFFER, "known-buffer", "a buffer that the log shows as mapped"},
    {REGION_BOUNCE, "bounce-pool", "the bounce buffer pool, by its physical address"},
    {REGION_FIRMWARE, "firmware-memory", "memory that the firmware kept for itself"},
    {REGION_RAM, "system-memory", "ordinary memory, if the device means physical addresses"},
};

static void read_regions(const struct context *context, const struct address_stats *stats,
                         struct readings *out)
{
    for (size_t i = 0; i < sizeof(insides) / sizeof(insides[0]); i++) {
        const struct region *region = context_find_region(context, insides[i].kind, stats->least);

        if (region == NULL || stats->most > region->last)
            continue;
        add(out, insides[i].name, "inside 0x%llx-0x%llx (%.40s): %s", HEX(region->start),
            HEX(region->last), region->owner, insides[i].text);
        return;
    }
}

// One page after the end of something known.
static void read_after(const struct context *context, const struct address_stats *stats,
                       struct readings *out)
{
    static const enum region_kind kinds[] = {REGION_BUFFER, REGION_RESERVED_TABLE, REGION_BOUNCE};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct region *region = context_region_before(context, kinds[i], stats->least);

        if (region == NULL)
            continue;
        add(out, "page-after",
            "0x%llx is in the page after 0x%llx-0x%llx (%.40s): the device ran "
            "past its end",
            HEX(stats->least), HEX(region->start), HEX(region->last), region->owner);
        return;
    }
}

static bool reports_low_bits(const struct problem *problem)
{
    return problem->vendor != VENDOR_INTEL && problem->vendor != VENDOR_XEN;
}

// Steadily upwards through far more than a buffer: at least 64 addresses over at least 16 MiB.
static bool read_sweep(const struct address_stats *stats, struct readings *out)
{
    uint64_t span_bytes = stats->most - stats->least;

    if (stats->rises < 63 || stats->falls > stats->rises / 16 || span_bytes < 16u << 20)
        return false;
    add(out, "sweep",
        "%llu addresses rise from 0x%llx to 0x%llx (%llu MiB), more than any buffer: "
        "the device searches what it can reach, or follows garbage",
        HEX(stats->count), HEX(stats->first), HEX(stats->most), HEX(span_bytes >> 20));
    return true;
}

static void read_run(const struct problem *problem, struct readings *out)
{
    const struct address_stats *stats = &problem->addresses;
    bool aligned = (stats->first & 0xfff) == 0;

    if (stats->rises < 3 || stats->falls > stats->rises / 16 || stats->most_step > 0x10000)
        return;
    add(out, "sequential", "%llu addresses rise from 0x%llx to 0x%llx in steps of 0x%llx%s0x%llx%s",
        HEX(stats->rises + 1), HEX(stats->first), HEX(stats->most), HEX(stats->least_step),
        stats->least_step == stats->most_step ? " = " : " to ", HEX(stats->most_step),
        aligned && reports_low_bits(problem)
            ? "; the first is the first byte of a page, so the device ran on past the end of what "
              "was mapped"
            : "; the device works through a buffer of which this part is not mapped");
}

static void read_shape(const struct problem *problem, struct readings *out)
{
    const struct address_stats *stats = &problem->addresses;
    bool one_page = stats->least >> 12 == stats->most >> 12;

    if (one_page && (stats->first & 0xfff) == 0 && reports_low_bits(problem) &&
        (stats->rises == 0 || stats->least_step <= 0x100)) {
        add(out, "page-start",
            "0x%llx is the first byte of a page: typical of reading or writing "
            "just past a buffer that ends there",
            HEX(stats->first));
    } else if (one_page && stats->count > 1) {
        add(out, "same-page", "always the page at 0x%llx: one stale or wrong pointer, tried again",
            HEX(stats->least & ~(uint64_t)0xfff));
    } else if (stats->rises >= 2 && stats->falls >= 2) {
        add(out, "scattered",
            "%llu addresses between 0x%llx and 0x%llx in no order: many buffers "
            "or descriptors are concerned, not one",
            HEX(stats->count), HEX(stats->least), HEX(stats->most));
    }
}

static bool near_4g(uint64_t address)
{
    return address >= 0xf0000000u && address <= UINT32_MAX;
}

static bool near_iova_top(uint64_t address)
{
    return near_4g(address) || (address >= 0xfff0000000u && address <= 0xffffffffffu) ||
           (address >= 0x7ffff0000000u && address <= 0x7fffffffffffu) ||
           (address >= 0xfffff0000000u && address <= 0xffffffffffffu);
}

unsigned int pattern_read(const struct context *context, const struct problem *problem,
                          struct reading *out_readings)
{
    const struct address_stats *stats = &problem->addresses;
    struct readings out = {out_readings, 0};

    if (stats->count == 0)
        return 0;
    if (read_constants(context, stats, &out))
        return out.count;
    read_after(context, stats, &out);
    if (!read_sweep(stats, &out))
        read_run(problem, &out);
    read_regions(context, stats, &out);
    if (out.count == 0 || strcmp(out_readings[0].name, "sequential") != 0)
        read_shape(problem, &out);
    if (all_within(stats, near_iova_top))
        add(&out, "iova-top",
            "just below a power of two, where Linux hands out DMA addresses "
            "first: most likely a mapping that was there and is gone");
    return out.count;
}
