// SPDX-License-Identifier: MIT
/*
 * What a processor architecture gives to the shared part of the machine. Implemented once in each
 * machines/<cpu>/; everything else in machines/common/ is the same on all of them.
 */
#ifndef MACHINE_ARCH_H
#define MACHINE_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/nested.h>
#include <sluice/status.h>

/** How a run ends; the emulator's exit status tells them apart. */
enum machine_exit {
    MACHINE_EXIT_PASSED = 0x10,
    MACHINE_EXIT_FAILED = 0x11,
    MACHINE_EXIT_CRASH = 0x12,
};

const char *arch_name(void);
void arch_console_write(const char *text, size_t length);
_Noreturn void arch_exit(enum machine_exit code);

/** What followed the kernel's name on the loader's command line; never NULL. */
const char *arch_command_line(void);

/**
 * Physical address of the ACPI root pointer, 0 when there is none. Not asked for before the buses
 * are numbered where arch_pci_ecam says where they are: where the emulator writes the tables, it
 * does so at the first look.
 */
uint64_t arch_rsdp(void);

struct pci_ecam;
/** Where PCI's configuration space is, when something else than ACPI's MCFG tells. */
bool arch_pci_ecam(struct pci_ecam *out);

/**
 * Adds a region reserved for one PCI device to a copy of a firmware table, as firmware would have
 * written it, checksum included. Returns the new length; 0 when this is no table that says such
 * things, or when there is no room. QEMU's firmware reserves nothing, real firmware does.
 */
size_t arch_table_reserve(uint8_t *table, size_t length, size_t capacity, uint16_t segment,
                          uint16_t rid, uint64_t first, uint64_t last);

struct sluice;
/**
 * Describes to an instance, where the word "devicetree" asks for it, the units that the devicetree
 * names instead of those of ACPI tables. Returns: OK, also when there are none; else why it failed.
 */
enum sluice_status arch_describe(struct sluice *sluice);

/** Physical range of the running kernel's image. */
void arch_image_range(uint64_t *out_start, uint64_t *out_end);

/* RAM and firmware tables are always mapped; these two only do arithmetic. */
void *arch_phys_to_virt(uint64_t phys);
uint64_t arch_virt_to_phys(const void *virt);

/** Maps device registers uncached. Never fails: no memory for page tables ends the run. */
volatile void *arch_map_mmio(uint64_t phys, uint64_t bytes);

/** Writes caches back to memory over [virt, virt + bytes), and waits until that is done. */
void arch_cache_clean(const void *virt, size_t bytes);

/** Monotonic nanoseconds since the kernel started. */
uint64_t arch_now_ns(void);
void arch_pause(void);

/** Runs in interrupt context with interrupts off. */
typedef void machine_irq_handler(void *context);

bool arch_irq_alloc(machine_irq_handler *handler, void *context, unsigned *out_irq);
void arch_irq_free(unsigned irq);
#define ARCH_NO_SOURCE UINT32_MAX /* a message that is no PCI function's */
/**
 * The message that raises `irq` here when nothing remaps it. Controllers that know messages by
 * their sender have to be told: `source` is the requester ID it comes with. False when this machine
 * has no such message.
 */
bool arch_irq_message(unsigned irq, uint32_t source, uint64_t *out_address, uint32_t *out_data);
/** Whether a message counts only as its sender's own: one that another device sends is another. */
bool arch_messages_have_senders(void);
/**
 * Has a wire of the interrupt controller, by its number as firmware's tables have it, call
 * `handler` at each of its edges. False when there is no such wire.
 */
bool arch_wire_connect(uint32_t number, machine_irq_handler *handler, void *context);
void arch_wire_disconnect(uint32_t number);
/** Where devices write messages, page by page; see sluice_host_ops.doorbell_extent. */
bool arch_doorbell(unsigned index, uint64_t *out_first, uint64_t *out_last);
/** How this CPU is named as the destination of an interrupt. */
uint32_t arch_cpu_id(void);
#define ARCH_PIN_MASKED (1u << 16)
/** A pin of an interrupt controller that a timer moves; false when the machine has none. */
bool arch_pin_find(uint8_t *out_id);
/** Writes its redirection entry. */
void arch_pin_write(uint64_t entry);
/** Lets the timer run out once, in a millisecond. */
void arch_pin_raise(void);
/** Takes the pin's level back down, at once and for 50 ms at least. */
void arch_pin_lower(void);
/** Tells the IOAPIC of the end of an interrupt that a pin with this low byte sent. */
void arch_pin_end(uint64_t entry);
/** Interrupts that arrived for which nobody had asked. */
uint64_t arch_irq_unexpected(void);
/** Returns whether they were on. */
bool arch_irqs_disable(void);
void arch_irqs_restore(bool enabled);

/** A guest's first-stage tables, as the IOMMUs of this architecture walk them: so many pages. */
#define ARCH_FIRST_STAGE_ORDER 3u
#define ARCH_FIRST_STAGE_TAG   7u /* what the guest has its translations cached under */
/**
 * Makes empty ones in zeroed memory, which the guest sees at `guest_address`, and what the guest
 * tells its IOMMU of them. False where none are known.
 */
bool arch_first_stage_make(uint8_t *memory, uint64_t guest_address, struct sluice_nested_info *out);
/**
 * Points a page of device addresses at a guest address, for reading and writing. Pages must differ
 * in the lower 30 bits of their addresses.
 */
void arch_first_stage_map(uint8_t *memory, uint64_t guest_address, uint64_t device_address,
                          uint64_t to);

/** Where PCI bars may be placed when firmware has not placed them. */
struct arch_pci_window {
    uint64_t base, bytes;
    bool above_4g;
};
const struct arch_pci_window *arch_pci_windows(unsigned *out_count);

/** The shared part's entry; the architecture calls it with memory, time and interrupts working. */
_Noreturn void machine_main(void);

#endif
