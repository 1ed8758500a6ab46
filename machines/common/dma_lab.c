// SPDX-License-Identifier: MIT
#include "dma_lab.h"

#include "arch.h"
#include "pages.h"
#include "string.h"

#define WINDOW_PAGES (TRAFFIC_PAGES / NVME_IN_FLIGHT)
#define WINDOW_BYTES ((size_t)WINDOW_PAGES * MACHINE_PAGE_BYTES)
#define LARGEST_LG2  6u /* log2 of the pages of the largest buffer */
#define LARGEST      (1u << LARGEST_LG2)
#define LIST_STEP    5u /* no divisor in common with a window, so that each page comes once */
#define BLOCK        512u
#define FIRST_LBA    1024u
#define SECRET       0x5e

/* ---- a driver's memory ---- */

static uint32_t flags_of(unsigned access)
{
    return ((access & MACHINE_DMA_READ) != 0 ? (uint32_t)SLUICE_DMA_TO_DEVICE : 0) |
           ((access & MACHINE_DMA_WRITE) != 0 ? (uint32_t)SLUICE_DMA_FROM_DEVICE : 0);
}

static bool alloc_shared(struct machine_dma *dma, size_t bytes, unsigned access,
                         struct machine_buffer *out)
{
    struct lab_dma *self = (struct lab_dma *)(void *)dma;
    struct sluice_dma_buffer buffer;
    if (sluice_dma_alloc(self->handle, bytes, flags_of(access), SLUICE_HERE, &buffer) != SLUICE_OK)
        return false;
    *out = (struct machine_buffer){
        .virt = buffer.virt, .bus = buffer.address, .bytes = bytes, .hidden = buffer.hidden};
    return true;
}

static bool free_shared(struct machine_dma *dma, struct machine_buffer *buffer)
{
    struct lab_dma *self = (struct lab_dma *)(void *)dma;
    struct sluice_dma_buffer shared = {.virt = buffer->virt,
                                       .address = buffer->bus,
                                       .bytes = buffer->bytes,
                                       .hidden = buffer->hidden};
    *buffer = (struct machine_buffer){0};
    return sluice_dma_free(self->handle, &shared, SLUICE_HERE) == SLUICE_OK;
}

bool lab_dma_open(struct lab *lab, const struct sluice_dma_config *config, struct lab_dma *out)
{
    if (lab->handle_count == LAB_HANDLES)
        return check(false, "there is room for another DMA handle");
    enum sluice_status status = sluice_dma_open(lab->sluice, config, &out->handle);
    if (status != SLUICE_OK)
        return check(false, "its DMA API is opened: %s", sluice_status_text(status));
    lab->handles[lab->handle_count++] = out->handle;
    out->dma = (struct machine_dma){.alloc = alloc_shared, .free = free_shared};
    return true;
}

/* ---- traffic ---- */

static uint32_t next_random(struct traffic *traffic)
{
    traffic->seed = traffic->seed * 1664525u + 1013904223u;
    return traffic->seed >> 8;
}

unsigned prp_of(const struct sluice_dma_chunk *chunks, unsigned count, uint64_t *prp)
{
    unsigned entries = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t at = chunks[i].address, end = at + chunks[i].bytes;
        while (at < end) {
            if (entries == NVME_PRP_ENTRIES)
                return 0;
            prp[entries++] = at;
            at = (at | (MACHINE_PAGE_BYTES - 1)) + 1;
        }
    }
    return entries;
}

/* One command's buffer: part of a window, in one piece or as pages in another order. */
struct transfer {
    uint8_t *window;
    uint64_t phys;
    uint32_t offset, blocks, seed;
    bool list;
    struct sluice_dma_segment segments[LARGEST];
    struct sluice_dma_chunk chunks[LARGEST];
    struct sluice_dma_sg sg;
    uint64_t prp[NVME_PRP_ENTRIES];
};

static uint64_t bytes_of(const struct transfer *transfer)
{
    return (uint64_t)transfer->blocks * BLOCK;
}

/* A page of the window, in the order that a list takes them. */
static uint32_t page_of_list(const struct transfer *transfer, unsigned index)
{
    return (transfer->offset + index * LIST_STEP) % WINDOW_PAGES * MACHINE_PAGE_BYTES;
}

/* Small ones are the most, large ones move the most; the very first is as large as they get. */
static void choose(struct traffic *traffic, struct transfer *transfer, unsigned slot)
{
    unsigned most = 1u << next_random(traffic) % (LARGEST_LG2 + 1), pages;
    transfer->window = traffic->memory.virt + slot * WINDOW_BYTES;
    transfer->phys = traffic->memory.phys + slot * WINDOW_BYTES;
    transfer->seed = next_random(traffic);
    transfer->list = next_random(traffic) % 3 == 0;
    transfer->offset = next_random(traffic) % MACHINE_PAGE_BYTES & ~3u;
    if (traffic->commands == 0 && slot == 0) {
        transfer->list = false;
        transfer->offset |= 4;
        transfer->blocks = LARGEST * (MACHINE_PAGE_BYTES / BLOCK);
        return;
    }
    if (!transfer->list) {
        transfer->blocks = 1 + next_random(traffic) % (most * MACHINE_PAGE_BYTES / BLOCK);
        return;
    }
    pages = 1 + next_random(traffic) % most;
    transfer->blocks = pages * (MACHINE_PAGE_BYTES / BLOCK);
    for (unsigned i = 0; i < pages; i++)
        transfer->segments[i] = (struct sluice_dma_segment){
            transfer->phys + page_of_list(transfer, i), MACHINE_PAGE_BYTES};
    transfer->sg = (struct sluice_dma_sg){transfer->segments, pages, transfer->chunks, LARGEST, 0};
}

static void fill(struct transfer *transfer, uint32_t seed)
{
    if (!transfer->list)
        fill_pattern(transfer->window + transfer->offset, bytes_of(transfer), seed);
    for (unsigned i = 0; transfer->list && i < transfer->sg.segment_count; i++)
        fill_pattern(transfer->window + page_of_list(transfer, i), MACHINE_PAGE_BYTES, seed + i);
}

static bool is_filled(const struct transfer *transfer, uint32_t seed)
{
    bool all = true;
    if (!transfer->list)
        return has_pattern(transfer->window + transfer->offset, bytes_of(transfer), seed);
    for (unsigned i = 0; i < transfer->sg.segment_count; i++)
        all &=
            has_pattern(transfer->window + page_of_list(transfer, i), MACHINE_PAGE_BYTES, seed + i);
    return all;
}

/* What lies beside a buffer: the rest of its pages and one more; of a list, the page that it would
 * have taken next. */
static uint64_t watched_end(const struct transfer *transfer)
{
    uint64_t end = transfer->offset + bytes_of(transfer);
    return (end | (MACHINE_PAGE_BYTES - 1)) + 1 + MACHINE_PAGE_BYTES;
}

static uint8_t *next_of_list(const struct transfer *transfer)
{
    return transfer->window + page_of_list(transfer, transfer->sg.segment_count);
}

static void set_neighbours(struct transfer *transfer)
{
    if (transfer->list)
        memset(next_of_list(transfer), SECRET, MACHINE_PAGE_BYTES);
    else
        memset(transfer->window, SECRET, watched_end(transfer));
}

static bool neighbours_untouched(const struct transfer *transfer)
{
    uint64_t end = transfer->offset + bytes_of(transfer);
    if (transfer->list)
        return all_bytes(next_of_list(transfer), MACHINE_PAGE_BYTES, SECRET);
    return all_bytes(transfer->window, transfer->offset, SECRET) &&
           all_bytes(transfer->window + end, watched_end(transfer) - end, SECRET);
}

static bool map_and_queue(struct traffic *traffic, struct transfer *transfer, unsigned slot,
                          bool write)
{
    uint32_t flags = write ? SLUICE_DMA_TO_DEVICE : SLUICE_DMA_FROM_DEVICE;
    unsigned count = 1;
    enum sluice_status status;
    if (transfer->list) {
        status = sluice_dma_map_sg(traffic->dma, &transfer->sg, flags, SLUICE_HERE);
        count = transfer->sg.chunk_count;
    } else {
        transfer->chunks[0].bytes = bytes_of(transfer);
        status = sluice_dma_map(traffic->dma, transfer->phys + transfer->offset, bytes_of(transfer),
                                flags, SLUICE_HERE, &transfer->chunks[0].address);
    }
    if (status != SLUICE_OK)
        return check(false, "a buffer of %lu bytes is mapped: %s", bytes_of(transfer),
                     sluice_status_text(status));
    struct nvme_request request = {
        .write = write,
        .lba = FIRST_LBA + slot * (WINDOW_BYTES / BLOCK),
        .blocks = transfer->blocks,
        .prp = transfer->prp,
        .prp_count = prp_of(transfer->chunks, count, transfer->prp),
    };
    return nvme_submit(traffic->nvme, slot, &request);
}

static enum sluice_status unmap(struct traffic *traffic, struct transfer *transfer, bool write)
{
    uint32_t flags = write ? SLUICE_DMA_TO_DEVICE : SLUICE_DMA_FROM_DEVICE;
    if (transfer->list)
        return sluice_dma_unmap_sg(traffic->dma, &transfer->sg, flags, SLUICE_HERE);
    return sluice_dma_unmap_many(traffic->dma, transfer->chunks, 1, flags, SLUICE_HERE);
}

/* All of a round's commands in one direction. */
static bool one_way(struct traffic *traffic, struct transfer *transfers, unsigned count, bool write)
{
    bool all = true;
    for (unsigned i = 0; i < count && all; i++)
        all = map_and_queue(traffic, &transfers[i], i, write);
    all &= nvme_finish(traffic->nvme);
    for (unsigned i = 0; i < count; i++) {
        all &= unmap(traffic, &transfers[i], write) == SLUICE_OK;
        traffic->bytes += bytes_of(&transfers[i]);
        if (bytes_of(&transfers[i]) > traffic->largest)
            traffic->largest = bytes_of(&transfers[i]);
    }
    traffic->commands += count;
    return all;
}

static bool run_round(struct traffic *traffic)
{
    static struct transfer transfers[NVME_IN_FLIGHT]; /* too large for the stack */
    unsigned count = 1 + next_random(traffic) % NVME_IN_FLIGHT;
    for (unsigned i = 0; i < count; i++) {
        choose(traffic, &transfers[i], i);
        set_neighbours(&transfers[i]);
        fill(&transfers[i], transfers[i].seed);
    }
    if (!one_way(traffic, transfers, count, true))
        return check(false, "%u commands store their buffers", count);
    for (unsigned i = 0; i < count; i++)
        fill(&transfers[i], ~transfers[i].seed);
    if (!one_way(traffic, transfers, count, false))
        return check(false, "%u commands bring them back", count);
    bool same = true, untouched = true;
    for (unsigned i = 0; i < count; i++) {
        same &= is_filled(&transfers[i], transfers[i].seed);
        untouched &= neighbours_untouched(&transfers[i]);
    }
    return (same || check(false, "what came back is what was stored")) &&
           (untouched || check(false, "bytes beside the buffers are as they were"));
}

bool traffic_run(struct traffic *traffic, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        if (!run_round(traffic))
            return false;
    }
    return true;
}

bool traffic_with_disk(struct lab *lab, struct lab_dma *dma, struct nvme *nvme, struct page memory,
                       unsigned rounds)
{
    struct traffic traffic = {
        .lab = lab, .nvme = nvme, .dma = dma->handle, .memory = memory, .seed = 42};
    bool opened = nvme_open(nvme, lab->nvme, &dma->dma);
    if (!check(opened, "its driver starts, with a queue at 0x%lx", nvme->io.submission.bus))
        return false;
    bool good = traffic_run(&traffic, rounds);
    check(good,
          "%u commands, up to %u at once and up to %lu KiB each, move %lu KiB out and back: every "
          "byte is right, and none beside a buffer changed",
          traffic.commands, NVME_IN_FLIGHT, traffic.largest >> 10, traffic.bytes >> 11);
    return good;
}
