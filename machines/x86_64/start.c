// SPDX-License-Identifier: MIT
/*
 * The first C code: reads what the loader left (struct hvm_start_info of the PVH boot protocol,
 * Xen public/arch-x86/hvm/start_info.h), brings up this CPU and calls machine_main.
 */
#include "acpi.h"
#include "arch.h"
#include "options.h"
#include "pages.h"
#include "print.h"
#include "x86.h"

#define START_INFO_MAGIC 0x336ec578u
#define MEMMAP_RAM       1u
#define MEMMAP_LIMIT     128u
#define BIOS_FIRST       0x100000ull /* everything below stays the firmware's */
#define FADT_PM_TMR_BLK  76u         /* [ACPI 5.2.9] */

struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, command_line, rsdp, memmap;
    uint32_t memmap_entries, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "PVH boot ABI, version 1");

struct memmap_entry {
    uint64_t address, bytes;
    uint32_t type, reserved;
};
_Static_assert(sizeof(struct memmap_entry) == 24, "PVH boot ABI, version 1");

static char command_line[512];
static uint64_t rsdp;

const char *arch_command_line(void)
{
    return command_line;
}

uint64_t arch_rsdp(void)
{
    return rsdp;
}

bool arch_pci_ecam(struct pci_ecam *out)
{
    (void)out;
    return false; /* the MCFG table says it */
}

static void take_command_line(uint64_t phys)
{
    if (phys == 0)
        return;
    const char *text = arch_phys_to_virt(phys);
    for (size_t i = 0; i + 1 < sizeof(command_line) && text[i] != '\0'; i++)
        command_line[i] = text[i];
}

static void take_memory(const struct start_info *info)
{
    const struct memmap_entry *map = arch_phys_to_virt(info->memmap);
    uint32_t count = info->memmap_entries < MEMMAP_LIMIT ? info->memmap_entries : MEMMAP_LIMIT;
    /* RAM below 4 GiB first: the direct map reaches it already, and mapping the rest needs pages.
     */
    for (unsigned high = 0; high < 2; high++) {
        for (uint32_t i = 0; i < count; i++) {
            uint64_t first = map[i].address, end = first + map[i].bytes;
            if (end < first || (first >= X86_LOW_4G) != (high == 1))
                continue;
            x86_paging_map_ram(first, map[i].bytes);
            if (map[i].type != MEMMAP_RAM)
                continue;
            if (first < BIOS_FIRST)
                first = BIOS_FIRST;
            if (end > first)
                machine_pages_add(first, end);
        }
    }
}

static uint16_t find_pm_timer(void)
{
    uint64_t length;
    const uint8_t *fadt = machine_acpi_find("FACP", 0, &length);
    if (fadt == NULL || length < FADT_PM_TMR_BLK + 4)
        return 0;
    return (uint16_t)(fadt[FADT_PM_TMR_BLK] | (fadt[FADT_PM_TMR_BLK + 1] << 8));
}

void x86_start(uint32_t start_info)
{
    const struct start_info *info = arch_phys_to_virt(start_info);
    x86_console_init();
    x86_traps_init();
    if (info->magic != START_INFO_MAGIC || info->version < 1)
        machine_die("not started by the PVH boot protocol, version 1");
    take_command_line(info->command_line);
    rsdp = info->rsdp;
    take_memory(info);
    x86_apic_init();
    x86_time_init(find_pm_timer());
    machine_main();
}

const struct arch_pci_window *arch_pci_windows(unsigned *out_count)
{
    /*
     * The firmware (SeaBIOS) has numbered the buses and placed every bar, so none is given out
     * here, but for the run that tries the code which other machines depend on. That window lies
     * between q35's configuration space and its interrupt controllers.
     */
    static const struct arch_pci_window window = {0xc0000000, 0x30000000, false};
    *out_count = option_given("place-bars") ? 1 : 0;
    return &window;
}

const char *arch_name(void)
{
    return "x86_64";
}
