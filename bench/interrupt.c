// SPDX-License-Identifier: MIT
/*
 * What it costs to change an interrupt entry: sluice_interrupt_route on both kinds of unit, beside
 * its floor. The units are memory: registers are an array, and the doorbell takes every command and
 * answers at once. So what is measured is software alone.
 */
#include "interrupt_floor.h"

#include "interrupt/interrupt.h"
#include "options.h"
#include "unit/amd/amdvi.h"
#include "unit/intel/vtd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#define REGISTER_BYTES 0x4000u
#define CHANGES        4000u
#define SHARED         8u

static void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* ---- units made of memory ---- */

struct fake {
    uint64_t registers[REGISTER_BYTES / 8];
    bool amd;
};

static uint64_t *reg(struct fake *fake, uint64_t offset)
{
    return &fake->registers[offset / 8];
}

/* Takes commands from head to `tail`: only waits have an effect that anybody sees. */
static void amd_doorbell(void *arg, uint64_t tail)
{
    struct fake *fake = arg;
    const uint64_t(*ring)[2] =
        (const uint64_t(*)[2])(uintptr_t)(*reg(fake, AMDVI_REG_CMDBUF) & AMDVI_MASK(RING_BASE));

    for (uint64_t at = *reg(fake, AMDVI_REG_CMDBUF_HEAD); at != tail; at = (at + 16) % 4096) {
        const uint64_t *command = ring[at / 16];

        if (AMDVI_GET(COMMAND_OPCODE, command[0]) == AMDVI_COMPLETION_WAIT && (command[0] & 1) != 0)
            *(volatile uint64_t *)(uintptr_t)(command[0] & UNIT_BITS(51, 3)) = command[1];
    }
    *reg(fake, AMDVI_REG_CMDBUF_HEAD) = tail;
}

static void vtd_doorbell(struct fake *fake, uint64_t tail)
{
    const uint64_t(*ring)[2] =
        (const uint64_t(*)[2])(uintptr_t)(*reg(fake, VTD_REG_IQA) & ~(uint64_t)0xfff);

    for (uint64_t at = *reg(fake, VTD_REG_IQH); at != tail; at = (at + 16) % 4096) {
        const uint64_t *descriptor = ring[at / 16];

        if ((descriptor[0] & 0x2f) == 0x25) /* a wait that stores its status */
            *(volatile uint32_t *)(uintptr_t)descriptor[1] = (uint32_t)(descriptor[0] >> 32);
    }
    *reg(fake, VTD_REG_IQH) = tail;
}

static void amd_written(struct fake *fake, uint64_t offset, uint64_t value)
{
    if (offset == AMDVI_REG_CMDBUF_TAIL)
        amd_doorbell(fake, value);
    else if (offset == AMDVI_REG_CONTROL) /* the run bits follow */
        *reg(fake, AMDVI_REG_STATUS) = (value & AMDVI_MASK(CONTROL_CMDBUF)) >> 12 << 4 |
                                       (value & AMDVI_MASK(CONTROL_EVTLOG)) << 1;
}

static void vtd_written(struct fake *fake, uint64_t offset, uint64_t value)
{
    uint32_t *status = (uint32_t *)(void *)((uint8_t *)fake->registers + VTD_REG_GSTS);

    if (offset == VTD_REG_IQT)
        vtd_doorbell(fake, value);
    else if (offset == VTD_REG_GCMD) /* what was set stays set, tables too */
        *status = (uint32_t)value | (*status & (VTD_MASK32(GSTS_RTPS) | VTD_MASK32(GSTS_IRTPS)));
}

static void written(struct fake *fake, uint64_t offset, uint64_t value)
{
    if (fake->amd)
        amd_written(fake, offset, value);
    else
        vtd_written(fake, offset, value);
}

static uint32_t read32(void *ctx, void *registers, uint64_t offset)
{
    uint32_t value;

    (void)ctx;
    memcpy(&value, (uint8_t *)registers + offset, sizeof(value));
    return value;
}

static void write32(void *ctx, void *registers, uint64_t offset, uint32_t value)
{
    (void)ctx;
    memcpy((uint8_t *)registers + offset, &value, sizeof(value));
    written(registers, offset, value);
}

static uint64_t read64(void *ctx, void *registers, uint64_t offset)
{
    (void)ctx;
    return *reg(registers, offset);
}

static void write64(void *ctx, void *registers, uint64_t offset, uint64_t value)
{
    (void)ctx;
    if (offset != AMDVI_REG_STATUS)
        *reg(registers, offset) = value;
    written(registers, offset, value);
}

/* ---- the host ---- */

static void *zalloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void release(void *ctx, void *memory, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(memory);
}

static bool pages_alloc(void *ctx, const struct sluice_page_request *request,
                        struct sluice_pages *out)
{
    size_t bytes = (size_t)4096 << request->order;

    (void)ctx;
    out->virt = aligned_alloc(bytes, bytes);
    if (out->virt == NULL)
        return false;
    memset(out->virt, 0, bytes);
    out->phys = (sluice_phys_t)(uintptr_t)out->virt;
    return true;
}

static void pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    (void)ctx;
    (void)order;
    free(pages.virt);
}

/* The host's clock costs nothing either: each wait looks at it twice. */
static uint64_t ticks(void *ctx)
{
    static uint64_t count;

    (void)ctx;
    return ++count;
}

static uint64_t now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

static bool mmio_map(void *ctx, sluice_phys_t phys, uint64_t bytes, void **out)
{
    (void)ctx;
    (void)bytes;
    *out = (void *)(uintptr_t)phys;
    return true;
}

static void mmio_unmap(void *ctx, void *registers, uint64_t bytes)
{
    (void)ctx;
    (void)registers;
    (void)bytes;
}

static void quiet(void *ctx, enum sluice_log_level level, const char *line)
{
    (void)ctx;
    if (level == SLUICE_LOG_ERROR)
        fprintf(stderr, "bench: %s\n", line);
}

static const struct sluice_host_ops host_ops = {
    .log = quiet,
    .alloc = zalloc,
    .free = release,
    .pages_alloc = pages_alloc,
    .pages_free = pages_free,
    .mmio_map = mmio_map,
    .mmio_unmap = mmio_unmap,
    .mmio_read32 = read32,
    .mmio_read64 = read64,
    .mmio_write32 = write32,
    .mmio_write64 = write64,
    .now_ns = ticks,
};

/* ---- an instance with one unit ---- */

struct scene {
    struct sluice sluice;
    struct platform_unit desc;
    struct unit *unit;
    struct fake *fake;
    struct sluice_interrupt interrupts[SHARED];
};

static void scene_open(struct scene *scene, bool amd, uint64_t features)
{
    struct sluice *sluice = &scene->sluice;
    const struct unit_ops *ops = amd ? &amdvi_unit_ops : &vtd_unit_ops;

    scene->fake = aligned_alloc(4096, sizeof(*scene->fake) + 4096 - sizeof(*scene->fake) % 4096);
    if (scene->fake == NULL)
        die("no memory");
    memset(scene->fake, 0, sizeof(*scene->fake));
    scene->fake->amd = amd;
    if (amd) {
        *reg(scene->fake, AMDVI_REG_EFR) = features;
    } else {
        *reg(scene->fake, VTD_REG_VER) = 0x10;
        *reg(scene->fake, VTD_REG_CAP) = UINT64_C(0x00d2000c222f0406); /* 48 bits, 2 large sizes */
        *reg(scene->fake, VTD_REG_ECAP) = features;
    }
    sluice->ops = sluice->config.ops = &host_ops;
    sluice->config.log_level = SLUICE_LOG_ERROR;
    sluice->config.linear_map = true;
    sluice->config.hardware_timeout_ns = 1000000000;
    sluice->config.interrupts = SLUICE_INTERRUPTS_REMAPPED;
    sluice->remaps_interrupts = true;
    sluice->cpu_count = 1;
    sluice->platform.host_address_bits = 48;
    list_init(&sluice->units);
    list_init(&sluice->interrupts);
    scene->desc = (struct platform_unit){.base = (sluice_phys_t)(uintptr_t)scene->fake,
                                         .register_bytes = REGISTER_BYTES,
                                         .kind = ops->kind,
                                         .ivhd = {.has_efr = true, .efr = features}};
    list_init(&scene->desc.scopes);
    if (ops->probe(sluice, &scene->desc, &scene->unit) != SLUICE_OK ||
        ops->start(scene->unit) != SLUICE_OK)
        die("the unit does not start");
    sluice->state = INSTANCE_STARTED;
}

/* One block each for `count` devices; with `bridge` they also send under a common ID. */
static void scene_alloc(struct scene *scene, unsigned count, bool bridge)
{
    for (unsigned i = 0; i < count; i++) {
        struct sluice_interrupt *interrupt = &scene->interrupts[i];

        interrupt->sluice = &scene->sluice;
        interrupt->block = (struct interrupt_block){.unit = scene->unit,
                                                    .kind = SLUICE_INTERRUPT_MSI,
                                                    .rids = {(uint16_t)(0x18 + i), 0x100},
                                                    .rid_count = bridge ? 2 : 1,
                                                    .rid = (uint16_t)(0x18 + i),
                                                    .count = 1};
        if (scene->unit->ops->interrupt_alloc(scene->unit, &interrupt->block) != SLUICE_OK)
            die("no entry");
    }
}

/* ---- what is measured ---- */

enum row {
    ROW_FLOOR = 0,
    ROW_VTD,
    ROW_AMD_WIDE,
    ROW_AMD_NARROW,
    ROW_AMD_SHARED,
    ROWS
};

static const struct {
    const char *name, *text;
} row_texts[ROWS] = {
    [ROW_FLOOR] = {"floor", "floor: entry, two commands, fence, doorbell, status"},
    [ROW_VTD] = {"vtd_route", "VT-d: route an entry anew"},
    [ROW_AMD_WIDE] = {"amd_route_128", "AMD-Vi: route an entry of 128 bits anew"},
    [ROW_AMD_NARROW] = {"amd_route_32", "AMD-Vi: route an entry of 32 bits anew"},
    [ROW_AMD_SHARED] = {"amd_route_shared", "AMD-Vi: the same in a table that 9 requesters share"},
};

static const struct {
    enum row of;
    const char *text;
    double most;
} bars[] = {
    {ROW_VTD, "VT-d beside the floor", 3.0},
    {ROW_AMD_WIDE, "AMD-Vi beside the floor", 3.0},
};
#define BARS (sizeof(bars) / sizeof(bars[0]))

struct bench {
    struct scene vtd, wide, narrow, shared;
    struct floor_unit floor;
    double best[ROWS];
};

static void floor_doorbell(void *arg, uint64_t tail)
{
    amd_doorbell(arg, tail * 16);
}

static void floor_open(struct bench *bench)
{
    struct fake *fake = aligned_alloc(4096, sizeof(*fake) + 4096 - sizeof(*fake) % 4096);
    void *page = aligned_alloc(4096, 8192);

    if (fake == NULL || page == NULL)
        die("no memory");
    memset(fake, 0, sizeof(*fake));
    memset(page, 0, 8192);
    *reg(fake, AMDVI_REG_CMDBUF) = (uint64_t)(uintptr_t)page;
    bench->floor = (struct floor_unit){.ring = page,
                                       .entry = (uint64_t *)page + 512,
                                       .status = (uint64_t *)page + 768,
                                       .doorbell = floor_doorbell,
                                       .arg = fake};
}

static void record(struct bench *bench, enum row row, uint64_t start)
{
    double ns = (double)(now_ns() - start) / CHANGES;

    if (bench->best[row] == 0 || ns < bench->best[row])
        bench->best[row] = ns;
}

static void run_floor(struct bench *bench)
{
    uint64_t start = now_ns();

    for (unsigned i = 0; i < CHANGES; i++) {
        if (!floor_change(&bench->floor, 0x101, 0x40 + i % 2))
            die("no answer");
    }
    record(bench, ROW_FLOOR, start);
}

static void run_route(struct bench *bench, enum row row, struct scene *scene)
{
    struct sluice_interrupt_route route = {.destination = 1};
    uint64_t start = now_ns();

    for (unsigned i = 0; i < CHANGES; i++) {
        route.vector = (uint8_t)(0x40 + i % 2);
        if (sluice_interrupt_route(&scene->interrupts[0], 0, &route) != SLUICE_OK)
            die("not routed");
    }
    record(bench, row, start);
}

/* ---- results ---- */

static void print_text(const struct bench *bench)
{
    printf("\nInterrupt entries, units that answer at once; ns, best of many\n\n");
    for (unsigned row = 0; row < ROWS; row++)
        printf("  %-58s %8.3f\n", row_texts[row].text, bench->best[row]);
    printf("\n");
    for (size_t bar = 0; bar < BARS; bar++) {
        double ratio = bench->best[bars[bar].of] / bench->best[ROW_FLOOR];

        printf("  %-6s %-44s %6.3f  (bar %.3f)\n", ratio <= bars[bar].most ? "met" : "MISSED",
               bars[bar].text, ratio, bars[bar].most);
    }
}

static void print_json(const struct bench *bench)
{
    json_t *root = json_object(), *rows = json_object(), *list = json_array();

    for (unsigned row = 0; row < ROWS; row++)
        json_object_set_new(rows, row_texts[row].name, json_real(bench->best[row]));
    for (size_t bar = 0; bar < BARS; bar++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "text", bars[bar].text, "ratio",
                                              bench->best[bars[bar].of] / bench->best[ROW_FLOOR],
                                              "bar", bars[bar].most));
    json_object_set_new(root, "benchmark", json_string("interrupt"));
    json_object_set_new(root, "ns", rows);
    json_object_set_new(root, "bars", list);
    json_dumpf(root, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(root);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const struct bench_options options = bench_options(argc, argv, 60);

    scene_open(&bench.vtd, false, UINT64_C(0xf0100b)); /* coherent, queue, remapping, masks */
    scene_open(&bench.wide, true, 0xc0);
    scene_open(&bench.narrow, true, 0x40);
    scene_open(&bench.shared, true, 0xc0);
    scene_alloc(&bench.vtd, 1, false);
    scene_alloc(&bench.wide, 1, false);
    scene_alloc(&bench.narrow, 1, false);
    scene_alloc(&bench.shared, SHARED, true);
    floor_open(&bench);
    for (unsigned round = 0; round < options.rounds; round++) {
        run_floor(&bench);
        run_route(&bench, ROW_VTD, &bench.vtd);
        run_route(&bench, ROW_AMD_WIDE, &bench.wide);
        run_route(&bench, ROW_AMD_NARROW, &bench.narrow);
        run_route(&bench, ROW_AMD_SHARED, &bench.shared);
    }
    if (options.json)
        print_json(&bench);
    else
        print_text(&bench);
    return 0;
}
