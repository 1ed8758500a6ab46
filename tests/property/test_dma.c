// SPDX-License-Identifier: MIT
/*
 * The DMA API against a plain oracle: random mappings of buffers that share pages with others, and
 * after each step a look at what CPU and device see, beside the buffer too. SLUICE_TEST_SEED and
 * SLUICE_TEST_SCALE make other and longer runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"
#include "rounds.h"

#define SLOTS        48u
#define WINDOW       (2 * DMA_PAGE) /* of each slot's buffer; all lie in a row */
#define MEMORY_ORDER 7u
#define SECRET       0xee
#define SEGMENTS     3u
#define DEFAULT_SEED 20261121u
#define BUFFERS      6u /* coherent */

/** A buffer, and what both sides must see in it. */
struct slot {
    bool live, list;
    uint32_t flags;
    uint64_t offset, bytes; /**< in the window */
    sluice_iova_t address;  /**< of a list: its first chunk's */
    struct sluice_dma_segment segments[SEGMENTS];
    struct sluice_dma_chunk chunks[2 * WINDOW / DMA_PAGE + 8];
    struct sluice_dma_sg sg;
    uint8_t expected[WINDOW]; /**< what the CPU has to see in the whole window */
};

/** A buffer for both, and what both must see in it. */
struct shared {
    bool live;
    struct sluice_dma_buffer buffer;
    uint8_t expected[3 * DMA_PAGE];
};

struct run {
    struct dma_world world;
    struct shared shared[BUFFERS];
    /** Another device of the same domain, with narrower address lines; NULL: none. */
    struct sluice_device *other;
    struct sluice_dma *other_dma;
    bool bare, untrusted, lazy;
    uint64_t random;
    struct sluice_pages memory;
    struct slot slots[SLOTS];
    sluice_iova_t ended[64]; /**< addresses that were unmapped, the last ones */
    unsigned ended_count;
    unsigned refused; /**< maps that found no space */
};

static uint64_t random_below(struct run *run, uint64_t limit)
{
    run->random = run->random * 6364136223846793005u + 1442695040888963407u;
    return (run->random >> 33) % limit;
}

static uint8_t *window_of(struct run *run, const struct slot *slot)
{
    return (uint8_t *)run->memory.virt + (uint64_t)(slot - run->slots) * WINDOW;
}

static uint64_t phys_of(struct run *run, const struct slot *slot)
{
    return run->memory.phys + (uint64_t)(slot - run->slots) * WINDOW;
}

/** Where a byte of the buffer is for the device. */
static sluice_iova_t device_address(const struct slot *slot, uint64_t at)
{
    if (!slot->list)
        return slot->address + at;
    for (unsigned i = 0; i < slot->sg.chunk_count; i++) {
        if (at < slot->chunks[i].bytes)
            return slot->chunks[i].address + at;
        at -= slot->chunks[i].bytes;
    }
    fail_msg("the chunks of a list end before its segments");
    return 0;
}

/** Where a byte of the buffer is in its window: segments of a list may leave gaps. */
static uint64_t window_place(struct run *run, const struct slot *slot, uint64_t at)
{
    if (!slot->list)
        return slot->offset + at;
    for (unsigned i = 0; i < slot->sg.segment_count; i++) {
        if (at < slot->segments[i].bytes)
            return slot->segments[i].phys - phys_of(run, slot) + at;
        at -= slot->segments[i].bytes;
    }
    return WINDOW;
}

/** The CPU sees in every window what it has to, which nobody but its slot's owner changes. */
static void check_cpu(struct run *run, const struct slot *slot)
{
    assert_memory_equal(window_of(run, slot), slot->expected, WINDOW);
}

/* ---- steps ---- */

static void choose_buffer(struct run *run, struct slot *slot)
{
    static const uint32_t flags[] = {TO_DEVICE, FROM_DEVICE, BOTH};

    slot->flags = flags[random_below(run, 3)];
    slot->list = random_below(run, 4) == 0;
    slot->offset = random_below(run, 3) == 0 ? 0 : random_below(run, WINDOW - 1);
    slot->bytes = 1 + random_below(run, WINDOW - slot->offset);
    if (random_below(run, 5) == 0 && slot->offset == 0)
        slot->bytes = WINDOW;
    if (!slot->list)
        return;
    /* Three parts of the window, with or without gaps between them. */
    slot->sg = (struct sluice_dma_sg){slot->segments, SEGMENTS, slot->chunks,
                                      sizeof(slot->chunks) / sizeof(slot->chunks[0]), 0};
    for (unsigned i = 0, at = 0; i < SEGMENTS; i++) {
        unsigned end =
            i + 1 == SEGMENTS ? (unsigned)WINDOW : at + 2000 + (unsigned)random_below(run, 900);
        unsigned begin = at + (unsigned)random_below(run, 2) * (unsigned)random_below(run, 700);

        slot->segments[i] = (struct sluice_dma_segment){phys_of(run, slot) + begin, end - begin};
        at = end;
    }
    slot->bytes = 0;
    for (unsigned i = 0; i < SEGMENTS; i++)
        slot->bytes += slot->segments[i].bytes;
}

static void map_slot(struct run *run, struct slot *slot)
{
    uint64_t phys = phys_of(run, slot);
    enum sluice_status status;

    choose_buffer(run, slot);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t at = random_below(run, WINDOW);

        slot->expected[at] = (uint8_t)random_below(run, 200);
        window_of(run, slot)[at] = slot->expected[at];
    }
    if (slot->list)
        status = sluice_dma_map_sg(run->world.dma, &slot->sg, slot->flags, NULL);
    else
        status = sluice_dma_map(run->world.dma, phys + slot->offset, slot->bytes, slot->flags, NULL,
                                &slot->address);
    if (status != SLUICE_OK) {
        assert_int_equal(status, SLUICE_ERR_NO_SPACE);
        run->refused++;
        return;
    }
    slot->live = true;
}

static void remember(struct run *run, const struct slot *slot)
{
    run->ended[run->ended_count++ % 64] = device_address(slot, 0);
}

static void unmap_slot(struct run *run, struct slot *slot)
{
    remember(run, slot);
    if (slot->list)
        assert_int_equal(sluice_dma_unmap_sg(run->world.dma, &slot->sg, slot->flags, NULL),
                         SLUICE_OK);
    else
        assert_int_equal(
            sluice_dma_unmap(run->world.dma, slot->address, slot->bytes, slot->flags, NULL),
            SLUICE_OK);
    slot->live = false;
    check_cpu(run, slot);
}

/** Several of one direction at once. */
static void unmap_many(struct run *run)
{
    struct sluice_dma_chunk chunks[SLOTS];
    unsigned count = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &run->slots[i];

        if (!slot->live || slot->list || slot->flags != BOTH)
            continue;
        remember(run, slot);
        chunks[count++] = (struct sluice_dma_chunk){slot->address, slot->bytes};
        slot->live = false;
    }
    assert_int_equal(sluice_dma_unmap_many(run->world.dma, chunks, count, BOTH, NULL), SLUICE_OK);
    for (unsigned i = 0; i < SLOTS; i++)
        check_cpu(run, &run->slots[i]);
}

/** The CPU changes a byte and hands it over; what the device must not read is none of its business.
 */
static void cpu_writes(struct run *run, struct slot *slot)
{
    uint64_t at = random_below(run, slot->bytes);
    uint64_t place = window_place(run, slot, at);
    uint8_t byte = (uint8_t)random_below(run, 200);

    if ((slot->flags & TO_DEVICE) == 0) {
        if (!run->bare && !scene_writers_read())
            assert_int_equal(dma_reads(&run->world, device_address(slot, at)), -1);
        return;
    }
    window_of(run, slot)[place] = byte;
    slot->expected[place] = byte;
    if (slot->list)
        assert_int_equal(
            sluice_dma_sync_sg_for_device(run->world.dma, &slot->sg, slot->flags, NULL), SLUICE_OK);
    else
        assert_int_equal(
            sluice_dma_sync_for_device(run->world.dma, slot->address + at, 1, slot->flags, NULL),
            SLUICE_OK);
    assert_int_equal(dma_reads(&run->world, device_address(slot, at)), byte);
}

/** The device changes a byte; the CPU sees it when it is handed over. */
static void device_writes(struct run *run, struct slot *slot)
{
    uint64_t at = random_below(run, slot->bytes);
    uint64_t place = window_place(run, slot, at);
    uint8_t byte = (uint8_t)random_below(run, 200);

    if ((slot->flags & FROM_DEVICE) == 0) {
        if (!run->bare)
            assert_false(dma_writes(&run->world, device_address(slot, at), byte));
        return;
    }
    assert_true(dma_writes(&run->world, device_address(slot, at), byte));
    slot->expected[place] = byte;
    if (slot->list)
        assert_int_equal(sluice_dma_sync_sg_for_cpu(run->world.dma, &slot->sg, slot->flags, NULL),
                         SLUICE_OK);
    else
        assert_int_equal(
            sluice_dma_sync_for_cpu(run->world.dma, slot->address + at, 1, slot->flags, NULL),
            SLUICE_OK);
    check_cpu(run, slot);
}

/** Whether an address lies in a page of a buffer for both. */
static bool is_shared(const struct run *run, sluice_iova_t at)
{
    for (unsigned i = 0; i < BUFFERS; i++) {
        const struct sluice_dma_buffer *buffer = &run->shared[i].buffer;

        if (run->shared[i].live && at >= buffer->address &&
            at < ((buffer->address + buffer->bytes + DMA_PAGE - 1) & ~(DMA_PAGE - 1)))
            return true;
    }
    return false;
}

/** Around a buffer of an untrusted device: refused, or nothing of anybody's. */
static void look_beside(struct run *run, const struct slot *slot)
{
    sluice_iova_t base = slot->address & ~(DMA_PAGE - 1);
    sluice_iova_t at = base + random_below(run, WINDOW + DMA_PAGE);
    int seen;

    if (!run->untrusted || slot->list || is_shared(run, at) ||
        (at >= slot->address && at < slot->address + slot->bytes))
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (run->slots[i].live && run->slots[i].list)
            return; /* its addresses may lie behind these */
        if (run->slots[i].live && at >= run->slots[i].address &&
            at < run->slots[i].address + run->slots[i].bytes)
            return;
    }
    seen = dma_reads(&run->world, at);
    assert_true(seen == -1 || seen == 0);
}

/** What was unmapped is refused: at once, or in a lazy domain after a flush. */
static void look_back(struct run *run)
{
    sluice_iova_t at = run->ended[random_below(run, 64)];

    if (run->bare || at == 0 || is_shared(run, at))
        return;
    if (run->lazy) {
        model_host_clock_advance(run->world.scene.machine->host, 100000000);
        (void)sluice_dma_poll(run->world.scene.sluice);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct slot *slot = &run->slots[i];

        if (slot->live && (slot->list || (at >= (slot->address & ~(DMA_PAGE - 1)) &&
                                          at < slot->address + slot->bytes + DMA_PAGE)))
            return; /* the address was handed out again, or may have been */
    }
    assert_int_equal(dma_reads(&run->world, at), -1);
}

/** Both look at a buffer for both, without sync. */
static void use_shared(struct run *run, struct shared *shared)
{
    uint64_t at = random_below(run, shared->buffer.bytes);
    uint8_t byte = (uint8_t)random_below(run, 200);
    uint8_t *virt = shared->buffer.virt;

    if (random_below(run, 2) == 0) {
        virt[at] = byte;
        shared->expected[at] = byte;
        if (!run->bare)
            assert_int_equal(dma_reads(&run->world, shared->buffer.address + at), byte);
    } else if (!run->bare) {
        assert_true(dma_writes(&run->world, shared->buffer.address + at, byte));
        shared->expected[at] = byte;
    }
    assert_memory_equal(virt, shared->expected, shared->buffer.bytes);
}

static void free_shared(struct run *run, struct shared *shared)
{
    sluice_iova_t address = shared->buffer.address;

    assert_memory_equal(shared->buffer.virt, shared->expected, shared->buffer.bytes);
    assert_int_equal(sluice_dma_free(run->world.dma, &shared->buffer, NULL), SLUICE_OK);
    shared->live = false;
    if (!run->bare) /* never lazily */
        assert_int_equal(dma_reads(&run->world, address), -1);
}

static void step_shared(struct run *run)
{
    struct shared *shared = &run->shared[random_below(run, BUFFERS)];
    uint64_t bytes = 1 + random_below(run, sizeof(shared->expected));

    if (shared->live && random_below(run, 4) != 0) {
        use_shared(run, shared);
        return;
    }
    if (shared->live) {
        free_shared(run, shared);
        return;
    }
    assert_int_equal(sluice_dma_alloc(run->world.dma, bytes, 0, NULL, &shared->buffer), SLUICE_OK);
    shared->live = true;
    memset(shared->expected, 0, sizeof(shared->expected));
    /* Zeroed, whoever had the pages before. */
    assert_memory_equal(shared->buffer.virt, shared->expected, bytes);
}

/** Device memory: mapped as it is, for the direction asked for. */
static void step_mmio(struct run *run)
{
    struct slot *slot = &run->slots[random_below(run, SLOTS)];
    uint64_t bytes = 1 + random_below(run, WINDOW);
    sluice_iova_t address;

    if (run->bare || slot->live)
        return;
    assert_int_equal(
        sluice_dma_map_mmio(run->world.dma, phys_of(run, slot), bytes, TO_DEVICE, NULL, &address),
        SLUICE_OK);
    assert_int_equal(dma_reads(&run->world, address + bytes - 1), slot->expected[bytes - 1]);
    assert_false(dma_writes(&run->world, address, 0));
    assert_int_equal(sluice_dma_unmap_mmio(run->world.dma, address, bytes, TO_DEVICE, NULL),
                     SLUICE_OK);
    if (!run->lazy)
        assert_int_equal(dma_reads(&run->world, address), -1);
    check_cpu(run, slot);
}

/** The other device opens, maps within its reach, unmaps, and now and then closes. */
static void step_other(struct run *run)
{
    const struct sluice_dma_config config = {.device = run->other, .address_bits = 28};
    struct slot *slot = &run->slots[random_below(run, SLOTS)];
    sluice_iova_t address;

    if (run->other == NULL || slot->live)
        return;
    if (run->other_dma == NULL)
        assert_int_equal(sluice_dma_open(run->world.scene.sluice, &config, &run->other_dma),
                         SLUICE_OK);
    assert_int_equal(
        sluice_dma_map(run->other_dma, phys_of(run, slot), WINDOW, TO_DEVICE, NULL, &address),
        SLUICE_OK);
    assert_true(address + WINDOW - 1 < (sluice_iova_t)1 << 28);
    assert_int_equal(scene_reads(&run->world.scene, MACHINE_DEV_B, address), slot->expected[0]);
    assert_int_equal(sluice_dma_unmap(run->other_dma, address, WINDOW, TO_DEVICE, NULL), SLUICE_OK);
    if (!run->lazy)
        assert_int_equal(scene_reads(&run->world.scene, MACHINE_DEV_B, address), -1);
    if (random_below(run, 8) == 0) {
        assert_int_equal(sluice_dma_close(run->other_dma), SLUICE_OK);
        run->other_dma = NULL;
    }
}

static void step(struct run *run)
{
    struct slot *slot = &run->slots[random_below(run, SLOTS)];
    uint64_t other = random_below(run, 12);

    if (other == 0)
        step_shared(run);
    else if (other == 1)
        step_mmio(run);
    else if (other == 2)
        step_other(run);
    if (other < 3)
        return;
    if (!slot->live) {
        map_slot(run, slot);
        return;
    }
    switch (random_below(run, 9)) {
    case 0:
    case 1:
        unmap_slot(run, slot);
        break;
    case 2:
    case 3:
        cpu_writes(run, slot);
        break;
    case 4:
    case 5:
        device_writes(run, slot);
        break;
    case 6:
        look_beside(run, slot);
        break;
    case 7:
        look_back(run);
        break;
    default:
        if (random_below(run, 40) == 0)
            unmap_many(run);
        if (random_below(run, 40) == 0)
            sluice_dma_trim(run->world.scene.sluice);
        break;
    }
}

/* ---- runs ---- */

static void begin(struct run *run, const struct dma_world_config *config)
{
    uint64_t first = (uint64_t)4 << 30;

    memset(run, 0, sizeof(*run));
    run->bare = config->bare;
    run->untrusted = config->untrusted;
    run->lazy = config->domain.lazy && !config->untrusted;
    run->random = test_seed(DEFAULT_SEED);
    dma_world_start(&run->world, config);
    if (config->bare) { /* out of the device's reach */
        model_host_reserve(run->world.scene.machine->host, first, DMA_PAGE << MEMORY_ORDER);
        run->memory.phys = first;
        run->memory.virt = model_host_virt(run->world.scene.machine->host, first);
    } else {
        run->memory = dma_memory(&run->world, MEMORY_ORDER, SECRET);
    }
    memset(run->memory.virt, SECRET, DMA_PAGE << MEMORY_ORDER);
    for (unsigned i = 0; i < SLOTS; i++)
        memset(run->slots[i].expected, SECRET, WINDOW);
    if (!config->bare)
        run->other = dma_world_add(&run->world, DMA_RID_2, config->untrusted);
}

static void end(struct run *run)
{
    struct sluice_dma_bounce_info bounce;
    struct sluice_dma_info info;

    for (unsigned i = 0; i < SLOTS; i++) {
        if (run->slots[i].live)
            unmap_slot(run, &run->slots[i]);
        check_cpu(run, &run->slots[i]);
    }
    for (unsigned i = 0; i < BUFFERS; i++) {
        if (run->shared[i].live)
            free_shared(run, &run->shared[i]);
    }
    if (run->other_dma != NULL)
        assert_int_equal(sluice_dma_close(run->other_dma), SLUICE_OK);
    if (run->other != NULL)
        scene_forget(run->other);
    sluice_dma_bounce_info(run->world.scene.sluice, &bounce);
    sluice_dma_info(run->world.dma, &info);
    assert_int_equal(bounce.used_bytes + bounce.withheld_bytes, 0);
    assert_int_equal(info.usage.live + info.usage.bytes, 0);
    assert_int_equal(info.maps, info.unmaps);
    if (!run->bare)
        dma_memory_free(&run->world, run->memory, MEMORY_ORDER);
    dma_world_finish(&run->world);
}

static void run_random(const struct dma_world_config *config)
{
    static struct run run; /* too large for the stack */
    uint64_t steps = test_scaled(4000);

    begin(&run, config);
    for (uint64_t i = 0; i < steps; i++)
        step(&run);
    for (unsigned i = 0; i < SLOTS; i++)
        check_cpu(&run, &run.slots[i]);
    end(&run);
}

static void test_strict(void **state)
{
    const struct dma_world_config config = dma_world_defaults();

    (void)state;
    run_random(&config);
}

static void test_lazy(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.domain.lazy = true;
    run_random(&config);
}

static void test_untrusted(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.untrusted = true;
    run_random(&config);
    config.domain.lazy = true;
    run_random(&config);
}

static void test_narrow(void **state)
{
    static const unsigned bits[] = {24, 32, 48};
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        config.dma.address_bits = bits[i];
        config.dma.boundary_bytes = (uint64_t)4096 << i;
        config.dma.segment_bytes = 1500;
        run_random(&config);
    }
}

static void test_bare(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.bare = true;
    config.dma.address_bits = 32;
    run_random(&config);
    /* Less memory than the buffers take together: some maps find none, and nothing else breaks. */
    config.bounce_limit_bytes = (uint64_t)256 << 10;
    run_random(&config);
}

static void test_hooked_memory(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.scene.machine.host.not_linear = true;
    config.untrusted = true;
    run_random(&config);
}

static void test_checked(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.check = true;
    run_random(&config);
    config.untrusted = true;
    run_random(&config);
}

int main(void)
{
    const uint64_t seed = test_seed(DEFAULT_SEED);

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict),    cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_untrusted), cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_bare),      cmocka_unit_test(test_hooked_memory),
        cmocka_unit_test(test_checked),
    };

    print_message("# SLUICE_TEST_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
