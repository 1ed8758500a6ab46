// SPDX-License-Identifier: MIT
#include "remap.h"

#include "arch.h"
#include "options.h"

bool remap_wanted(void)
{
    return option_given("remap-interrupts");
}

void remap_configure(struct sluice_config *config)
{
    if (!remap_wanted())
        return;
    config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
    config->x2apic = option_given("x2apic") ? SLUICE_X2APIC_REQUIRED : SLUICE_X2APIC_OFF;
}

bool remap_device(struct lab *lab, struct edu *edu)
{
    struct sluice_interrupt **handle = &lab->interrupts[edu - lab->edus];
    char text[16];
    const struct sluice_interrupt_config config = {.kind = SLUICE_INTERRUPT_MSI,
                                                   .device = lab_device(lab, edu->pci),
                                                   .count = 1,
                                                   .name = device_text(edu->pci, text)};
    const struct sluice_interrupt_route route = {.vector = (uint8_t)edu->irq,
                                                 .destination = arch_cpu_id()};
    struct sluice_msi msi = {0};
    if (!edu->has_irq || config.device == NULL)
        return true;
    enum sluice_status status = sluice_interrupt_alloc(lab->sluice, &config, handle);
    if (status == SLUICE_OK)
        status = sluice_interrupt_route(*handle, 0, &route);
    if (status == SLUICE_OK)
        status = sluice_interrupt_message(*handle, 0, &msi);
    return check(status == SLUICE_OK, "the interrupt of %s gets an entry: %s", text,
                 sluice_status_text(status)) &&
           pci_set_message(edu->pci, msi.address, msi.data);
}

bool remap_devices(struct lab *lab)
{
    bool all = true;
    for (unsigned i = 0; remap_wanted() && i < lab->edu_count; i++)
        all &= remap_device(lab, &lab->edus[i]);
    return all;
}

bool remap_again(struct lab *lab, const struct pci_device *pci)
{
    for (unsigned i = 0; remap_wanted() && i < lab->edu_count; i++) {
        if (lab->edus[i].pci == pci)
            return remap_device(lab, &lab->edus[i]);
    }
    return true;
}

bool remap_forget(struct lab *lab, const struct pci_device *only)
{
    bool all = true;
    for (unsigned i = 0; i < lab->edu_count; i++) {
        if (only != NULL && lab->edus[i].pci != only)
            continue;
        all &= sluice_interrupt_free(lab->interrupts[i]) == SLUICE_OK;
        lab->interrupts[i] = NULL;
    }
    return all;
}

void remap_undo(struct lab *lab)
{
    for (unsigned i = 0; remap_wanted() && i < lab->edu_count; i++) {
        uint64_t address;
        uint32_t data;
        if (!lab->edus[i].has_irq)
            continue;
        if (arch_irq_message(lab->edus[i].irq, pci_source_rid(lab->edus[i].pci), &address, &data))
            (void)pci_set_message(lab->edus[i].pci, address, data);
    }
}
