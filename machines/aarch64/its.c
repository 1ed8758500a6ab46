// SPDX-License-Identifier: MIT
/*
 * Messages as interrupts: the ITS and the redistributor's LPIs [GIC 5, 12.11, 12.19]. A device's
 * write to GITS_TRANSLATER carries an event number; the ITS knows the device by its requester ID
 * and finds the LPI in the tables made here. Event n of every device is LPI AARCH64_FIRST_LPI + n.
 */
#include "aarch64.h"
#include "arch.h"
#include "mmio.h"
#include "pages.h"
#include "print.h"
#include "string.h"

#define GICR_CTLR      0x0000u
#define GICR_PROPBASER 0x0070u
#define GICR_PENDBASER 0x0078u
#define FRAME_BYTES    0x10000u
#define CTLR_LPIS      (1u << 0)
#define TYPER_LPIS     (1u << 0)
#define PENDING_ZERO   (1ull << 62)

#define GITS_CTLR        0x0000u
#define GITS_TYPER       0x0008u
#define GITS_CBASER      0x0080u
#define GITS_CWRITER     0x0088u
#define GITS_CREADR      0x0090u
#define GITS_BASER       0x0100u
#define GITS_BASERS      8u
#define TRANSLATER_FRAME 0x10000u
#define GITS_TRANSLATER  0x10040u
#define ITS_BYTES        0x20000u
#define CTLR_ENABLED     (1u << 0)
#define BASER_VALID      (1ull << 63)
#define BASER_TYPE       56u
#define TYPE_DEVICES     1u
#define TYPE_GROUPS      4u           /* collections */
#define TYPER_ADDRESSES  (1ull << 19) /* PTA: a redistributor is named by its address */

/* Inner shareable, inner write-back: the same places in all of these registers but two. */
#define SHAREABLE  (1ull << 10)
#define CACHED_LPI (7ull << 7)
#define CACHED_ITS (7ull << 59)

#define LPI_BITS      14u   /* 8192 LPIs, the fewest there can be */
#define LPI_ENABLED   0xa1u /* priority and enable */
#define PENDING_ORDER 4u    /* 64 KiB, the table's alignment */
#define EVENT_BITS    8u
#define DEVICES_LIMIT 32u
#define RID_BITS      16u

#define COMMAND_BYTES 32u
#define QUEUE_BYTES   4096u
#define COMMAND_SYNC  0x05u
#define COMMAND_MAPD  0x08u
#define COMMAND_MAPC  0x09u
#define COMMAND_MAPTI 0x0au
#define COMMAND_INV   0x0cu
#define COMMAND_VALID (1ull << 63)
#define WAIT_NS       100000000ull

_Static_assert(1u << EVENT_BITS == AARCH64_LPIS, "an event for every LPI in use");

static volatile uint8_t *registers;
static uint64_t registers_phys, typer, target; /* of the redistributor, as commands name it */
static volatile uint64_t *queue;
static uint32_t queue_at;
static uint32_t devices[DEVICES_LIMIT];
static unsigned device_count;

static uint64_t take_pages(unsigned order)
{
    uint64_t phys;
    if (!machine_pages_alloc(order, MACHINE_PAGES_LOW | MACHINE_PAGES_KEPT, &phys))
        machine_die("no memory for the interrupt controller's tables");
    return phys;
}

static unsigned order_of(uint64_t bytes)
{
    unsigned order = 0;
    while (((uint64_t)MACHINE_PAGE_BYTES << order) < bytes)
        order++;
    return order;
}

static void start_lpis(uint64_t redistributor)
{
    volatile uint8_t *frame = arch_map_mmio(redistributor, FRAME_BYTES);
    uint64_t properties = take_pages(order_of((1u << LPI_BITS) - AARCH64_FIRST_LPI));
    uint64_t pending = take_pages(PENDING_ORDER);
    /* All enabled from the start: what no event leads to cannot come. */
    memset(arch_phys_to_virt(properties), (int)LPI_ENABLED, AARCH64_LPIS);
    mmio_write64(frame, GICR_PROPBASER, properties | CACHED_LPI | SHAREABLE | (LPI_BITS - 1));
    mmio_write64(frame, GICR_PENDBASER, pending | CACHED_LPI | SHAREABLE | PENDING_ZERO);
    __asm__ volatile("dsb sy" : : : "memory"); /* the tables before they are read */
    mmio_write32(frame, GICR_CTLR, mmio_read32(frame, GICR_CTLR) | CTLR_LPIS);
}

static void give_tables(void)
{
    for (unsigned i = 0; i < GITS_BASERS; i++) {
        uint32_t reg = GITS_BASER + 8 * i;
        uint64_t baser = mmio_read64(registers, reg);
        unsigned type = (unsigned)(baser >> BASER_TYPE) & 7;
        uint64_t entry = ((baser >> 48) & 31) + 1, bytes = MACHINE_PAGE_BYTES;
        if (type != TYPE_DEVICES && type != TYPE_GROUPS)
            continue;
        if (type == TYPE_DEVICES)
            bytes = entry << RID_BITS;
        unsigned order = order_of(bytes);
        uint64_t pages = 1ull << order;
        if (pages > 256)
            machine_die("the interrupt translation service wants larger tables than it can name");
        uint64_t value = BASER_VALID | CACHED_ITS | SHAREABLE | take_pages(order) | (pages - 1);
        mmio_write64(registers, reg, value); /* page size 0: 4 KiB */
        if (((mmio_read64(registers, reg) ^ value) & 0x0000ffffffffffffull & ~(3ull << 10)) != 0)
            machine_die("the interrupt translation service does not take its tables");
    }
}

/* Puts one command into the queue and waits until it was taken. */
static bool command(uint64_t first, uint64_t second, uint64_t third)
{
    uint64_t deadline = arch_now_ns() + WAIT_NS;
    volatile uint64_t *slot = queue + queue_at / 8;
    slot[0] = first;
    slot[1] = second;
    slot[2] = third;
    slot[3] = 0;
    queue_at = (queue_at + COMMAND_BYTES) % QUEUE_BYTES;
    __asm__ volatile("dsb sy" : : : "memory"); /* the command before the pointer to it */
    mmio_write64(registers, GITS_CWRITER, queue_at);
    while (mmio_read64(registers, GITS_CREADR) != queue_at) {
        if (arch_now_ns() > deadline)
            return false; /* it has stalled, or never ran */
    }
    return true;
}

static bool sync(void)
{
    return command(COMMAND_SYNC, 0, target);
}

void aarch64_its_init(const struct devicetree *tree, uint64_t redistributor,
                      uint64_t redistributor_typer)
{
    struct devicetree_node node;
    uint64_t bytes;
    if ((redistributor_typer & TYPER_LPIS) == 0 ||
        !devicetree_find(tree, "arm,gic-v3-its", 0, &node) ||
        !devicetree_reg(tree, &node, 0, &registers_phys, &bytes) || bytes < ITS_BYTES)
        return; /* devices have no interrupts then, and the scenarios say so */
    start_lpis(redistributor);
    registers = arch_map_mmio(registers_phys, ITS_BYTES);
    typer = mmio_read64(registers, GITS_TYPER);
    target = (typer & TYPER_ADDRESSES) != 0 ? redistributor
                                            : ((redistributor_typer >> 8) & 0xffff) << 16;
    mmio_write32(registers, GITS_CTLR, 0);
    give_tables();
    uint64_t commands = take_pages(0);
    queue = arch_phys_to_virt(commands);
    mmio_write64(registers, GITS_CBASER, BASER_VALID | CACHED_ITS | SHAREABLE | commands);
    mmio_write64(registers, GITS_CWRITER, 0);
    mmio_write32(registers, GITS_CTLR, CTLR_ENABLED);
    if (!command(COMMAND_MAPC, 0, COMMAND_VALID | target) || !sync())
        machine_die("the interrupt translation service does not take commands");
}

static bool add_device(uint32_t device)
{
    for (unsigned i = 0; i < device_count; i++) {
        if (devices[i] == device)
            return true;
    }
    if (device_count == DEVICES_LIMIT || device >> RID_BITS != 0)
        return false;
    uint64_t entry = ((typer >> 4) & 15) + 1;
    uint64_t table = take_pages(order_of(entry << EVENT_BITS));
    if (!command(COMMAND_MAPD | (uint64_t)device << 32, EVENT_BITS - 1, COMMAND_VALID | table))
        return false;
    devices[device_count++] = device;
    return true;
}

bool arch_messages_have_senders(void)
{
    return true; /* a device ID goes with each [GIC 5.2] */
}

bool arch_doorbell(unsigned index, uint64_t *out_first, uint64_t *out_last)
{
    *out_first = registers_phys + TRANSLATER_FRAME;
    *out_last = *out_first + MACHINE_PAGE_BYTES - 1;
    return registers != NULL && index == 0;
}

bool aarch64_its_map(uint32_t device, uint32_t index, uint64_t *out_address)
{
    *out_address = registers_phys + GITS_TRANSLATER;
    return registers != NULL && index < AARCH64_LPIS && add_device(device) &&
           command(COMMAND_MAPTI | (uint64_t)device << 32,
                   index | (uint64_t)(AARCH64_FIRST_LPI + index) << 32, 0) &&
           command(COMMAND_INV | (uint64_t)device << 32, index, 0) && sync();
}
