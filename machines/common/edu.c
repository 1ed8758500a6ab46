// SPDX-License-Identifier: MIT
#include "edu.h"

#include "arch.h"
#include "dma.h"
#include "mmio.h"

#define REG_ID         0x00u
#define REG_LIVENESS   0x04u
#define REG_IRQ_STATUS 0x24u
#define REG_IRQ_ACK    0x64u
#define REG_SOURCE     0x80u
#define REG_TARGET     0x88u
#define REG_COUNT      0x90u
#define REG_COMMAND    0x98u
#define ID_VALUE       0x010000edu
#define COMMAND_RUN    (1u << 0)
#define COMMAND_TO_RAM (1u << 1)
#define COMMAND_IRQ    (1u << 2)
#define BUFFER         0x40000u
#define IDLE_ROUNDS    10000u
#define WAIT_NS        2000000000ull

void edu_acknowledge(const struct edu *edu)
{
    mmio_write32(edu->registers, REG_IRQ_ACK, mmio_read32(edu->registers, REG_IRQ_STATUS));
}

void edu_interrupt(void *context)
{
    struct edu *edu = context;
    edu_acknowledge(edu);
    edu->interrupts++;
    if (edu->looping && !edu->kicked)
        (void)edu_start(edu, EDU_TO_MEMORY, edu->loop_bus, 0, edu->loop_bytes, true);
}

bool edu_restart(struct edu *edu)
{
    pci_enable(edu->pci);
    if (mmio_read32(edu->registers, REG_ID) != ID_VALUE)
        return false;
    mmio_write32(edu->registers, REG_LIVENESS, 0x12345678u);
    return mmio_read32(edu->registers, REG_LIVENESS) == ~0x12345678u;
}

bool edu_open(struct edu *edu, struct pci_device *pci)
{
    *edu = (struct edu){.pci = pci, .registers = pci_map_bar(pci, 0)};
    if (edu->registers == NULL || !edu_restart(edu))
        return false;
    if (arch_irq_alloc(edu_interrupt, edu, &edu->irq)) {
        uint64_t address;
        uint32_t data;
        edu->has_irq = arch_irq_message(edu->irq, pci_source_rid(pci), &address, &data) &&
                       pci_set_message(pci, address, data);
        if (!edu->has_irq)
            arch_irq_free(edu->irq);
    }
    return true;
}

bool edu_busy(const struct edu *edu)
{
    return (mmio_read32(edu->registers, REG_COMMAND) & COMMAND_RUN) != 0;
}

bool edu_start(struct edu *edu, enum edu_direction direction, uint64_t bus, unsigned at,
               unsigned bytes, bool interrupt)
{
    if (bytes == 0 || bytes > EDU_TRANSFER_LIMIT || at > EDU_TRANSFER_LIMIT - bytes ||
        edu_busy(edu))
        return false;
    uint64_t buffer = BUFFER + at;
    bool to_memory = direction == EDU_TO_MEMORY;
    machine_dma_barrier(); /* what the device will read is written before it is told to */
    mmio_write64(edu->registers, REG_SOURCE, to_memory ? buffer : bus);
    mmio_write64(edu->registers, REG_TARGET, to_memory ? bus : buffer);
    mmio_write64(edu->registers, REG_COUNT, bytes);
    mmio_write64(edu->registers, REG_COMMAND,
                 COMMAND_RUN | (to_memory ? COMMAND_TO_RAM : 0) | (interrupt ? COMMAND_IRQ : 0));
    return true;
}

/* A while between two looks at the device: a transfer takes 100 ms, and looking is slow. */
static void idle(void)
{
    for (unsigned i = 0; i < IDLE_ROUNDS; i++)
        __asm__ volatile("" : "+r"(i));
}

bool edu_wait(const struct edu *edu)
{
    uint64_t deadline = arch_now_ns() + WAIT_NS;
    while (edu_busy(edu)) {
        if (arch_now_ns() > deadline)
            return false;
        idle();
    }
    machine_dma_barrier();
    return true;
}

bool edu_copy(struct edu *edu, enum edu_direction direction, uint64_t bus, unsigned at,
              unsigned bytes)
{
    return edu_start(edu, direction, bus, at, bytes, false) && edu_wait(edu);
}

bool edu_loop_start(struct edu *edu, uint64_t bus, unsigned bytes)
{
    if (!edu->has_irq && !edu->kicked)
        return false;
    edu->loop_bus = bus;
    edu->loop_bytes = bytes;
    edu->looping = true;
    return edu_start(edu, EDU_TO_MEMORY, bus, 0, bytes, !edu->kicked);
}

static bool kick(struct edu *edu, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        if (!edu_wait(edu) ||
            !edu_start(edu, EDU_TO_MEMORY, edu->loop_bus, 0, edu->loop_bytes, false))
            return false;
    }
    return true;
}

bool edu_loop_wait(struct edu *edu, unsigned rounds)
{
    if (edu->kicked)
        return kick(edu, rounds);
    uint64_t deadline = arch_now_ns() + rounds * WAIT_NS, until = edu->interrupts + rounds;
    while (edu->interrupts < until) {
        if (arch_now_ns() > deadline)
            return false;
        idle();
    }
    machine_dma_barrier();
    return true;
}

bool edu_loop_stop(struct edu *edu)
{
    edu->looping = false;
    edu->kicked = false;
    return edu_wait(edu);
}
