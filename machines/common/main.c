// SPDX-License-Identifier: MIT
/*
 * The order of a run: find the tables and the devices, run the scenarios, report, exit.
 */
#include "acpi.h"
#include "arch.h"
#include "lab.h"
#include "options.h"
#include "pages.h"
#include "print.h"

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
    if (!find_ecam(&ecam))
        machine_die("no MCFG table, so no PCI configuration space");
    say("PCI configuration space at 0x%lx, buses %02x to %02x", ecam.phys, ecam.first_bus,
        ecam.last_bus);
    pci_init(&ecam);
    say("%u PCI functions; those with a part to play:", pci_count());
    lab_find_devices(&lab);
}

static void run_scenarios(const struct scenario *scenarios)
{
    char only[256];
    bool some = option_value("scenarios", only, sizeof(only));
    for (const struct scenario *s = scenarios; s->name != NULL; s++) {
        if (some && !option_lists(only, s->name))
            continue;
        report_begin(s->name, s->title);
        s->run(&lab);
        report_end();
    }
}

_Noreturn void machine_main(void)
{
    report_init(option_given("colour"));
    machine_print("@sluice {\"event\":\"start\",\"arch\":\"%s\"}\n", arch_name());
    find_machine();
    run_scenarios(scenarios_open);
    bool passed = report_summary();
    arch_exit(passed ? MACHINE_EXIT_PASSED : MACHINE_EXIT_FAILED);
}
