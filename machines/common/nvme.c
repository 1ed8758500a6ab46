// SPDX-License-Identifier: MIT
#include "nvme.h"

#include "arch.h"
#include "mmio.h"
#include "pages.h"

#define REG_CAP          0x00u
#define REG_CC           0x14u
#define REG_CSTS         0x1cu
#define REG_AQA          0x24u
#define REG_ASQ          0x28u
#define REG_ACQ          0x30u
#define REG_DOORBELLS    0x1000u
#define CC_ENABLE        (1u << 0)
#define CC_ENTRY_SIZES   ((6u << 16) | (4u << 20)) /* 64-byte commands, 16-byte completions */
#define CSTS_READY       (1u << 0)
#define CSTS_FATAL       (1u << 1)
#define ENTRIES          16u
#define ADMIN_CREATE_SQ  0x01u
#define ADMIN_CREATE_CQ  0x05u
#define ADMIN_IDENTIFY   0x06u
#define IO_WRITE         0x01u
#define IO_READ          0x02u
#define IDENTIFY_SPACE   0u
#define QUEUE_CONTIGUOUS 1u
#define QUEUE_INTERRUPTS 2u
#define IDENTIFY_FLBAS   26u
#define IDENTIFY_FORMATS 128u
#define COMMAND_NS       2000000000ull
#define DEFAULT_READY_NS 5000000000ull

struct command {
    uint8_t opcode, flags;
    uint16_t id;
    uint32_t namespace_id;
    uint64_t reserved, metadata, prp1, prp2;
    uint32_t dword10, dword11, dword12, dword13, dword14, dword15;
};
_Static_assert(sizeof(struct command) == 64, "[NVMe 4.2]");

struct completion {
    uint32_t dword0, reserved;
    uint16_t head, queue, id, status; /* phase in bit 0 of status */
};
_Static_assert(sizeof(struct completion) == 16, "[NVMe 4.6]");

static void ring(struct nvme *nvme, const struct nvme_queue *queue, bool completion, uint16_t value)
{
    uint64_t index = 2u * queue->id + (completion ? 1u : 0u);
    mmio_write32(nvme->registers, REG_DOORBELLS + index * nvme->doorbell_stride, value);
}

/* Takes the next completion; false when none comes in time. */
static bool take_completion(struct nvme *nvme, struct nvme_queue *queue, uint16_t *out_id,
                            uint16_t *out_status)
{
    const volatile struct completion *ringbuf = (const volatile void *)queue->completion.virt;
    uint64_t deadline = arch_now_ns() + COMMAND_NS;
    while ((ringbuf[queue->head].status & 1) != queue->phase) {
        if (arch_now_ns() > deadline)
            return false;
        arch_pause();
    }
    machine_dma_barrier(); /* the phase bit before the rest of the entry and the data */
    *out_status = (uint16_t)(ringbuf[queue->head].status >> 1) & 0x7ff;
    *out_id = ringbuf[queue->head].id;
    queue->head = (uint16_t)((queue->head + 1) % ENTRIES);
    if (queue->head == 0)
        queue->phase ^= 1;
    ring(nvme, queue, true, queue->head);
    return true;
}

static void submit(struct nvme *nvme, struct nvme_queue *queue, const struct command *command)
{
    volatile struct command *commands = (volatile void *)queue->submission.virt;
    commands[queue->tail] = *command;
    queue->tail = (uint16_t)((queue->tail + 1) % ENTRIES);
    machine_dma_barrier(); /* the command before its doorbell */
    ring(nvme, queue, false, queue->tail);
}

static bool execute(struct nvme *nvme, struct nvme_queue *queue, struct command *command)
{
    uint16_t id;
    command->id = ++nvme->command_id;
    nvme->status = UINT16_MAX;
    submit(nvme, queue, command);
    return take_completion(nvme, queue, &id, &nvme->status) && id == command->id &&
           nvme->status == 0;
}

_Static_assert(NVME_IN_FLIGHT *NVME_LIST_ENTRIES * 8u <= MACHINE_PAGE_BYTES,
               "the lists of all slots share the scratch page");

static bool queue_alloc(struct nvme *nvme, struct nvme_queue *queue, uint16_t id)
{
    *queue = (struct nvme_queue){.id = id, .phase = 1};
    return machine_buffer_alloc(nvme->dma, MACHINE_PAGE_BYTES, MACHINE_DMA_READ,
                                &queue->submission) &&
           machine_buffer_alloc(nvme->dma, MACHINE_PAGE_BYTES, MACHINE_DMA_WRITE,
                                &queue->completion);
}

static bool wait_ready(struct nvme *nvme, bool ready)
{
    uint64_t limit = ((mmio_read64(nvme->registers, REG_CAP) >> 24) & 0xff) * 500000000ull;
    uint64_t deadline = arch_now_ns() + (limit == 0 ? DEFAULT_READY_NS : limit);
    for (;;) {
        uint32_t status = mmio_read32(nvme->registers, REG_CSTS);
        if (((status & CSTS_READY) != 0) == ready)
            return true;
        if ((status & CSTS_FATAL) != 0 || arch_now_ns() > deadline)
            return false;
        arch_pause();
    }
}

static bool start_controller(struct nvme *nvme)
{
    mmio_write32(nvme->registers, REG_CC, 0);
    if (!wait_ready(nvme, false))
        return false;
    mmio_write32(nvme->registers, REG_AQA, ((ENTRIES - 1) << 16) | (ENTRIES - 1));
    mmio_write64(nvme->registers, REG_ASQ, nvme->admin.submission.bus);
    mmio_write64(nvme->registers, REG_ACQ, nvme->admin.completion.bus);
    mmio_write32(nvme->registers, REG_CC, CC_ENTRY_SIZES | CC_ENABLE);
    return wait_ready(nvme, true);
}

static bool identify_namespace(struct nvme *nvme)
{
    struct command command = {
        .opcode = ADMIN_IDENTIFY,
        .namespace_id = 1,
        .prp1 = nvme->scratch.bus,
        .dword10 = IDENTIFY_SPACE,
    };
    if (!execute(nvme, &nvme->admin, &command))
        return false;
    const uint8_t *data = nvme->scratch.virt;
    unsigned format = data[IDENTIFY_FLBAS] & 15;
    unsigned size_lg2 = data[IDENTIFY_FORMATS + 4 * format + 2];
    if (size_lg2 < 9 || size_lg2 > 12)
        return false;
    nvme->block_bytes = 1u << size_lg2;
    nvme->blocks = mmio_read64(data, 0);
    return true;
}

static bool create_io_queues(struct nvme *nvme, bool interrupts)
{
    struct command completion = {
        .opcode = ADMIN_CREATE_CQ,
        .prp1 = nvme->io.completion.bus,
        .dword10 = ((ENTRIES - 1) << 16) | nvme->io.id,
        .dword11 = QUEUE_CONTIGUOUS | (interrupts ? QUEUE_INTERRUPTS | 1u << 16 : 0),
    };
    struct command submission = {
        .opcode = ADMIN_CREATE_SQ,
        .prp1 = nvme->io.submission.bus,
        .dword10 = ((ENTRIES - 1) << 16) | nvme->io.id,
        .dword11 = ((uint32_t)nvme->io.id << 16) | QUEUE_CONTIGUOUS,
    };
    return execute(nvme, &nvme->admin, &completion) && execute(nvme, &nvme->admin, &submission);
}

static bool open_controller(struct nvme *nvme, struct pci_device *pci, struct machine_dma *dma,
                            bool interrupts)
{
    *nvme = (struct nvme){.pci = pci, .dma = dma};
    pci_enable(pci);
    nvme->registers = pci_map_bar(pci, 0);
    if (nvme->registers == NULL)
        return false;
    unsigned stride_lg2 = 2 + (unsigned)((mmio_read64(nvme->registers, REG_CAP) >> 32) & 15);
    nvme->doorbell_stride = 1u << stride_lg2;
    if (queue_alloc(nvme, &nvme->admin, 0) && queue_alloc(nvme, &nvme->io, 1) &&
        machine_buffer_alloc(dma, MACHINE_PAGE_BYTES, MACHINE_DMA_READ | MACHINE_DMA_WRITE,
                             &nvme->scratch) &&
        start_controller(nvme) && identify_namespace(nvme) && create_io_queues(nvme, interrupts))
        return true;
    nvme_close(nvme);
    return false;
}

bool nvme_open(struct nvme *nvme, struct pci_device *pci, struct machine_dma *dma)
{
    return open_controller(nvme, pci, dma, false);
}

bool nvme_open_interrupting(struct nvme *nvme, struct pci_device *pci, struct machine_dma *dma)
{
    return open_controller(nvme, pci, dma, true);
}

void nvme_close(struct nvme *nvme)
{
    mmio_write32(nvme->registers, REG_CC, 0);
    if (!wait_ready(nvme, false))
        return; /* a controller that does not stop keeps its memory */
    (void)machine_buffer_free(nvme->dma, &nvme->admin.submission);
    (void)machine_buffer_free(nvme->dma, &nvme->admin.completion);
    (void)machine_buffer_free(nvme->dma, &nvme->io.submission);
    (void)machine_buffer_free(nvme->dma, &nvme->io.completion);
    (void)machine_buffer_free(nvme->dma, &nvme->scratch);
}

static bool transfer(struct nvme *nvme, bool write, uint64_t lba, uint64_t first, uint64_t second,
                     unsigned pages)
{
    struct command command = {
        .opcode = write ? IO_WRITE : IO_READ,
        .namespace_id = 1,
        .prp1 = first,
        .prp2 = second,
        .dword10 = (uint32_t)lba,
        .dword11 = (uint32_t)(lba >> 32),
        .dword12 = pages * (MACHINE_PAGE_BYTES / nvme->block_bytes) - 1,
    };
    return execute(nvme, &nvme->io, &command);
}

bool nvme_transfer(struct nvme *nvme, bool write, uint64_t lba, const uint64_t *bus, unsigned pages)
{
    uint64_t *list = (uint64_t *)(void *)nvme->scratch.virt;
    if (pages == 0 || pages > NVME_TRANSFER_PAGES)
        return false;
    for (unsigned i = 1; i < pages; i++)
        list[i - 1] = bus[i];
    /* [NVMe 4.3]: one page more is an entry, several are a list. */
    uint64_t second = pages == 1 ? 0 : pages == 2 ? bus[1] : nvme->scratch.bus;
    return transfer(nvme, write, lba, bus[0], second, pages);
}

bool nvme_fetch_by_list(struct nvme *nvme, uint64_t lba, uint64_t bus, uint64_t list)
{
    return transfer(nvme, false, lba, bus, list, 3); /* the fewest pages that have a list */
}

bool nvme_submit(struct nvme *nvme, unsigned slot, const struct nvme_request *request)
{
    uint64_t *list = (uint64_t *)(void *)nvme->scratch.virt + (size_t)slot * NVME_LIST_ENTRIES;
    if (slot >= NVME_IN_FLIGHT || (nvme->in_flight & (1u << slot)) != 0 || request->blocks == 0 ||
        request->prp_count == 0 || request->prp_count > NVME_PRP_ENTRIES)
        return false;
    for (unsigned i = 1; i < request->prp_count; i++)
        list[i - 1] = request->prp[i];
    struct command command = {
        .opcode = request->write ? IO_WRITE : IO_READ,
        .id = (uint16_t)slot,
        .namespace_id = 1,
        .prp1 = request->prp[0],
        .prp2 = request->prp_count == 1 ? 0
                : request->prp_count == 2
                    ? request->prp[1]
                    : nvme->scratch.bus + (uint64_t)slot * NVME_LIST_ENTRIES * 8u,
        .dword10 = (uint32_t)request->lba,
        .dword11 = (uint32_t)(request->lba >> 32),
        .dword12 = request->blocks - 1,
    };
    nvme->in_flight |= 1u << slot;
    submit(nvme, &nvme->io, &command);
    return true;
}

bool nvme_finish(struct nvme *nvme)
{
    bool all = true;
    while (nvme->in_flight != 0) {
        uint16_t id, status;
        if (!take_completion(nvme, &nvme->io, &id, &status) || id >= NVME_IN_FLIGHT ||
            (nvme->in_flight & (1u << id)) == 0)
            return false;
        nvme->in_flight &= ~(1u << id);
        if (status != 0)
            nvme->status = status;
        all &= status == 0;
    }
    return all;
}
