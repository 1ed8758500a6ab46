// SPDX-License-Identifier: MIT
/*
 * Runs README's example on a model machine and looks at what the device then reaches.
 */
#include <sluice/sluice.h>
#include <stdio.h>
#include <string.h>

#include "models/machine.h"

bool confine(struct sluice *s, uint16_t rid, sluice_phys_t page, struct sluice_domain **domain);

static unsigned number;
static bool all_passed = true;

static void check(bool passed, const char *what)
{
    printf("%sok %u - %s\n", passed ? "" : "not ", ++number, what);
    all_passed = all_passed && passed;
}

static void run(struct machine *machine, struct sluice *sluice)
{
    struct dma_device *nic = machine->devices[MACHINE_DEV_A];
    struct sluice_pages page = model_host_buffer(machine->host, 0, false);
    struct sluice_domain *domain;
    char seen[6] = "";

    memcpy(page.virt, "hello", 6);
    check(dma_device_read(nic, page.phys, seen, 6, NULL), "without Sluice the device reaches all");
    memset(seen, 0, sizeof(seen));
    check(confine(sluice, dma_device_rid(nic), page.phys, &domain), "the example succeeds");
    check(dma_device_read(nic, 0x1000, seen, 6, NULL) && strcmp(seen, "hello") == 0,
          "the device reads its page at 0x1000");
    check(!dma_device_write(nic, 0x1000, "gone!", 6, NULL) && strcmp(page.virt, "hello") == 0,
          "it cannot write there");
    check(!dma_device_read(nic, page.phys, seen, 6, NULL), "it reaches nothing else");
    check(!dma_device_read(machine->devices[MACHINE_DEV_B], 0x1000, seen, 6, NULL),
          "another device reaches nothing");
}

int main(void)
{
    const struct machine_config description = machine_defaults();
    struct sluice_config config = {0};
    /* Protection is not taken down at the end; static, so that a leak checker sees who has it. */
    static struct machine *machine;
    static struct sluice *sluice;

    machine = machine_create(&description);
    model_host_configure(machine->host, &config);
    if (sluice_create(&config, &sluice) != SLUICE_OK ||
        sluice_add_table(sluice, machine->dmar, machine->dmar_bytes) != SLUICE_OK)
        return 1;
    run(machine, sluice);
    check(model_host_violations(machine->host) == 0, "the unit was used by its specification");
    printf("1..%u\n", number);
    return all_passed ? 0 : 1;
}
