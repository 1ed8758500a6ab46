// SPDX-License-Identifier: MIT
/*
 * QEMU's educational device [QEMU docs/specs/edu]: a DMA engine with a 4 KiB buffer of its own,
 * which copies where it is told and reports completion also when the copy was refused. That makes
 * it the hostile device of the scenarios: it knows no rules.
 */
#ifndef MACHINE_EDU_H
#define MACHINE_EDU_H

#include "pci.h"

#define EDU_VENDOR 0x1234u
#define EDU_DEVICE 0x11e8u
/* QEMU before 8 refuses (by abort) a transfer that touches the buffer's last byte. */
#define EDU_TRANSFER_LIMIT 4092u

struct edu {
    struct pci_device *pci;
    volatile void *registers;
    unsigned irq;
    bool has_irq;
    volatile uint64_t interrupts; /* taken so far */
    /* While set, every interrupt starts the next write of `loop_bytes` to `loop_bus`. */
    volatile bool looping;
    /* The next write is started by edu_loop_wait instead: whoever stops the device's DMA stops its
     * interrupt too. Set before edu_loop_start, for that loop. */
    bool kicked;
    uint64_t loop_bus;
    unsigned loop_bytes;
};

/** The handler of its interrupt (context: the edu); for further vectors. */
void edu_interrupt(void *context);
/** Takes an interrupt back that nobody heard. */
void edu_acknowledge(const struct edu *edu);

/** A driver's first steps again, after a reset: it answers, and may do DMA. Its message is not set.
 */
bool edu_restart(struct edu *edu);

enum edu_direction {
    EDU_FROM_MEMORY,
    EDU_TO_MEMORY
};

/** Checks that the device answers; asks for an interrupt if it has MSI. */
bool edu_open(struct edu *edu, struct pci_device *pci);

/**
 * Starts a copy of `bytes` between bus address `bus` and offset `at` of the device's buffer.
 * False when the device is busy or the transfer would leave its buffer.
 */
bool edu_start(struct edu *edu, enum edu_direction direction, uint64_t bus, unsigned at,
               unsigned bytes, bool interrupt);
bool edu_busy(const struct edu *edu);
/** Waits at most two seconds. */
bool edu_wait(const struct edu *edu);
/** Start and wait. */
bool edu_copy(struct edu *edu, enum edu_direction direction, uint64_t bus, unsigned at,
              unsigned bytes);

/**
 * Writes to `bus` again and again, driven by the device's own interrupt, until edu_loop_stop: a
 * device that does DMA while the CPU does something else.
 */
bool edu_loop_start(struct edu *edu, uint64_t bus, unsigned bytes);
/** Waits until that many more rounds are done; another one is under way then. */
bool edu_loop_wait(struct edu *edu, unsigned rounds);
bool edu_loop_stop(struct edu *edu);

#endif
