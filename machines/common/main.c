// SPDX-License-Identifier: MIT
/*
 * The order of a run: find the tables and the devices, run the scenarios, report, exit.
 *
 * Words on the command line:
 *   scenarios=a,b   only these (the library is started and stopped all the same)
 *   no-iommu        there is none, and the library must say so
 *   devicetree      units are those of the devicetree, not those of ACPI tables
 *   mmio            the unit is no PCI function (expect.c)
 *   unknown-doorbell  nobody told it where messages go (expect.c)
 *   avoid-queues    register-based invalidation
 *   pages-64k       page tables of 64 KiB pages, where the unit has them
 *   hooked-memory   the library finds memory through its host's hook instead of the direct map
 *   place-bars      buses are numbered and bars placed here, not by firmware
 *   remap-interrupts  every interrupt goes through an entry of the library
 *   silent-interrupts the emulator logs no message that it refuses
 *   edu-bits=n      how many address bits the plain edu device reaches, if not 28
 *   pins-pass       the emulator does not remap what the IOAPIC sends
 *   stage-2         the unit has only its second stage (expect.c)
 *   x2apic          the CPU is put into x2APIC mode
 *   verbose         the library's debug log too
 *   colour          with colours
 */
#include "acpi.h"
#include "arch.h"
#include "host.h"
#include "lab.h"
#include "options.h"
#include "pages.h"
#include "print.h"
#include "remap.h"
#include "takeover.h"

#define MCFG_FIRST_ENTRY 44u /* [PCI Firmware 3.3 4.1.2] */
#define MCFG_ENTRY_BYTES 16u

static struct lab lab;

static bool find_ecam(struct pci_ecam *out)
{
    uint64_t length;
    const uint8_t *mcfg = machine_acpi_find("MCFG", 0, &length);
    if (mcfg == NULL || length < MCFG_FIRST_ENTRY + MCFG_ENTRY_BYTES)
        return false;
    const uint8_t *entry = mcfg + MCFG_FIRST_ENTRY;
    out->phys = 0;
    for (unsigned i = 0; i < 8; i++)
        out->phys |= (uint64_t)entry[i] << (8 * i);
    out->segment = (uint16_t)(entry[8] | (entry[9] << 8));
    out->first_bus = entry[10];
    out->last_bus = entry[11];
    return out->last_bus >= out->first_bus;
}

static void find_machine(void)
{
    struct pci_ecam ecam;
    report_part("The machine");
    say("%s, %lu MiB of memory free", arch_name(),
        machine_pages_free_count() * MACHINE_PAGE_BYTES >> 20);
    if (!arch_pci_ecam(&ecam) && !find_ecam(&ecam))
        machine_die("nothing says where PCI's configuration space is");
    say("PCI configuration space at 0x%lx, buses %02x to %02x", ecam.phys, ecam.first_bus,
        ecam.last_bus);
    pci_init(&ecam);
    say("%u PCI functions; those with a part to play:", pci_count());
    lab_find_devices(&lab);
    if (lab.firmware != NULL) {
        if (!machine_pages_alloc(0, MACHINE_PAGES_LOW, &lab.reserved.phys))
            machine_die("no memory");
        lab.reserved.virt = arch_phys_to_virt(lab.reserved.phys);
    }
}

static void introduce(void)
{
    machine_print("\nDevices read and write memory on their own, past the processor and its "
                  "page tables:\nthat is DMA. An IOMMU stands between devices and memory, and "
                  "translates every address\na device uses, or stops it. Below, a small kernel "
                  "drives a few devices, first without\nand then with an IOMMU under the "
                  "Sluice library, and looks at what reaches memory.\n");
}

static bool is_wanted(const char *name)
{
    char only[256];
    return !option_value("scenarios", only, sizeof(only)) || option_lists(only, name);
}

static void run_scenarios(const struct scenario *scenarios)
{
    for (const struct scenario *s = scenarios; s->name != NULL; s++) {
        if (!is_wanted(s->name))
            continue;
        uint64_t free_before = machine_pages_free_count() + machine_host_pages_held();
        report_begin(s->name, s->title);
        s->run(&lab);
        bool released = lab_release(&lab);
        uint64_t free_after = machine_pages_free_count() + machine_host_pages_held();
        if (!released || free_after != free_before)
            check(false, "everything the scenario took is given back (%lu pages then, %lu now)",
                  free_before, free_after);
        report_end();
    }
}

static void run_guarded(void)
{
    if (option_given("no-iommu")) {
        takeover_nothing(&lab);
        selftest_nothing(&lab);
        return;
    }
    report_part("With an IOMMU, under the library");
    if (!takeover_start(&lab))
        return;
    run_scenarios(scenarios_access);
    run_scenarios(scenarios_domain);
    run_scenarios(scenarios_group);
    run_scenarios(scenarios_shape);
    run_scenarios(scenarios_device);
    run_scenarios(scenarios_dma);
    if (remap_wanted())
        run_scenarios(scenarios_interrupt);
    run_scenarios(scenarios_nested);
    run_scenarios(scenarios_hostile);
    run_scenarios(scenarios_storm);
    run_scenarios(scenarios_silence);
    run_scenarios(scenarios_level);
    run_scenarios(scenarios_selftest);
    run_scenarios(scenarios_platform);
    takeover_stop(&lab);
    if (is_wanted("handover"))
        takeover_handover(&lab);
}

_Noreturn void machine_main(void)
{
    report_init(option_given("colour"));
    machine_host_set_log_level(option_given("verbose") ? SLUICE_LOG_DEBUG : SLUICE_LOG_INFO);
    machine_print("@sluice {\"event\":\"start\",\"arch\":\"%s\"}\n", arch_name());
    introduce();
    find_machine();
    report_part("While nothing guards memory");
    run_scenarios(scenarios_open);
    run_scenarios(scenarios_bounce);
    run_guarded();
    bool passed = report_summary();
    if (arch_irq_unexpected() != 0)
        machine_print("  (%lu interrupts nobody had asked for)\n", arch_irq_unexpected());
    arch_exit(passed ? MACHINE_EXIT_PASSED : MACHINE_EXIT_FAILED);
}
