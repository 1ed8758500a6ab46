// SPDX-License-Identifier: MIT
/*
 * The library under the laboratory: starting an instance, its devices, what a scenario holds and
 * gives back, and the faults that came in.
 */
#include "acpi.h"
#include "arch.h"
#include "host.h"
#include "lab.h"
#include "options.h"
#include "pages.h"
#include "print.h"
#include "remap.h"
#include "string.h"

#define TABLE_COPY_BYTES 65536u
#define FAULT_WAIT_NS    50000000ull

static void on_fault(void *arg, const struct sluice_fault *fault)
{
    struct lab *lab = arg;
    if (lab->fault_count < LAB_FAULTS)
        lab->faults[lab->fault_count] = *fault;
    lab->fault_count++;
}

static void on_quarantine(void *arg, struct sluice_device *device, enum sluice_device_state state)
{
    struct lab *lab = arg;
    (void)device;
    lab->quarantines += state == SLUICE_DEVICE_QUARANTINED;
    lab->recoveries += state == SLUICE_DEVICE_OPERATIONAL;
}

static void on_misuse(void *arg, const struct sluice_dma_misuse *misuse)
{
    struct lab *lab = arg;
    lab->misuse = *misuse;
    lab->misuse_count++;
}

static enum sluice_status add_table(struct lab *lab, const uint8_t *table, size_t length)
{
    static uint8_t copy[TABLE_COPY_BYTES];
    if (length > sizeof(copy))
        return sluice_add_table(lab->sluice, table, length);
    memcpy(copy, table, length);
    if (lab->firmware != NULL && lab->reserved.virt != NULL) {
        size_t longer = arch_table_reserve(copy, length, sizeof(copy), lab->firmware->pci->segment,
                                           pci_rid(lab->firmware->pci), lab->reserved.phys,
                                           lab->reserved.phys + MACHINE_PAGE_BYTES - 1);
        lab->reserved_in_table |= longer != 0;
        if (longer != 0)
            length = longer;
    }
    return sluice_add_table(lab->sluice, copy, length);
}

/* Where the firmware's tables have no way to say it, it is said by hand; IDs are requester IDs. */
static enum sluice_status describe_reserved(struct lab *lab)
{
    const struct sluice_reserved_memory memory = {
        .unit = 0,
        .first_id = lab->firmware != NULL ? pci_rid(lab->firmware->pci) : 0,
        .id_count = 1,
        .first = lab->reserved.phys,
        .last = lab->reserved.phys + MACHINE_PAGE_BYTES - 1,
        .prot = SLUICE_PROT_READ | SLUICE_PROT_WRITE,
    };
    if (lab->firmware == NULL || lab->reserved.virt == NULL || lab->reserved_in_table)
        return SLUICE_OK;
    enum sluice_status status = sluice_describe_reserved(lab->sluice, &memory);
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : status; /* no unit: start says so */
}

static enum sluice_status add_tables(struct lab *lab)
{
    const uint8_t *table;
    uint64_t length;
    lab->reserved_in_table = false;
    for (unsigned i = 0; !option_given("devicetree") && machine_acpi_table(i, &table, &length);
         i++) {
        enum sluice_status status = table == NULL ? SLUICE_OK : add_table(lab, table, length);
        if (status != SLUICE_OK)
            return status;
    }
    enum sluice_status status = arch_describe(lab->sluice);
    return status == SLUICE_OK ? describe_reserved(lab) : status;
}

enum sluice_status lab_create(struct lab *lab)
{
    struct sluice_config config = {
        .ops = &machine_host_ops,
        .ctx = lab,
        .log_level = SLUICE_LOG_DEBUG,
        .linear_map = !option_given("hooked-memory"),
        .linear_base = (uintptr_t)arch_phys_to_virt(0),
        .on_fault = on_fault,
        .max_faults = SLUICE_FAULTS_UNLIMITED, /* scenarios make devices fault on purpose */
        .flood_faults = lab->flood_faults,
        .silence_ns = lab->silence_ns,
        .on_fault_arg = lab,
        .on_quarantine = on_quarantine,
        .on_quarantine_arg = lab,
        .on_dma_misuse = on_misuse,
        .on_dma_misuse_arg = lab,
        .avoid_queues = option_given("avoid-queues"),
        .page_lg2 = option_given("pages-64k") ? 16 : 0,
    };
    remap_configure(&config);
    return sluice_create(&config, &lab->sluice);
}

bool lab_start(struct lab *lab, enum sluice_status *out_status)
{
    *out_status = lab_create(lab);
    if (*out_status != SLUICE_OK)
        return false;
    *out_status = add_tables(lab);
    if (*out_status == SLUICE_OK)
        *out_status = sluice_start(lab->sluice);
    if (*out_status == SLUICE_OK)
        return true;
    machine_host_run_deferred();
    if (sluice_destroy(lab->sluice) != SLUICE_OK)
        machine_die("an instance that never started cannot be destroyed");
    lab->sluice = NULL;
    return false;
}

/* `wanted` says how it is known; who it is, is filled in. */
static bool add_device(struct lab *lab, const struct pci_device *pci,
                       const struct sluice_device_config *wanted, struct sluice_device **out)
{
    char text[16];
    struct sluice_device_config config = *wanted;
    config.bus = SLUICE_BUS_PCI;
    config.segment = pci->segment;
    config.rid = pci_rid(pci);
    config.name = device_text(pci, text);
    enum sluice_status status = sluice_device_add(lab->sluice, &config, out);
    if (status != SLUICE_OK)
        say("device %s is not guarded: %s", text, sluice_status_text(status));
    return status == SLUICE_OK;
}

static bool know_again(struct lab *lab, const struct pci_device *pci,
                       const struct sluice_device_config *wanted)
{
    for (unsigned i = 0; i < lab->guarded_count; i++) {
        struct guarded *guarded = &lab->guarded[i];
        if (guarded->pci != pci)
            continue;
        return (!remap_wanted() || remap_forget(lab, pci)) &&
               sluice_device_remove(guarded->handle) == SLUICE_OK &&
               add_device(lab, pci, wanted, &guarded->handle) && remap_again(lab, pci);
    }
    return false;
}

bool lab_set_trust(struct lab *lab, const struct pci_device *pci, bool untrusted)
{
    return know_again(lab, pci, &(struct sluice_device_config){.untrusted = untrusted});
}

bool lab_set_limit(struct lab *lab, const struct pci_device *pci, uint32_t max_faults)
{
    return know_again(lab, pci, &(struct sluice_device_config){.max_faults = max_faults});
}

static bool guard(struct lab *lab, struct pci_device *pci)
{
    struct guarded *guarded = &lab->guarded[lab->guarded_count];
    if (!add_device(lab, pci, &(struct sluice_device_config){0}, &guarded->handle))
        return false;
    guarded->pci = pci;
    lab->guarded_count++;
    return true;
}

bool lab_guard_devices(struct lab *lab)
{
    bool all = true;
    for (unsigned i = 0; i < lab->edu_count; i++)
        all &= guard(lab, lab->edus[i].pci);
    if (lab->rng != NULL)
        all &= guard(lab, lab->rng);
    if (lab->nvme != NULL)
        all &= guard(lab, lab->nvme);
    return all && remap_devices(lab);
}

void lab_abandon(struct lab *lab)
{
    lab->sluice = NULL;
    lab->guarded_count = 0;
    lab->domain_count = 0;
    for (unsigned i = 0; i < LAB_EDUS; i++)
        lab->interrupts[i] = NULL;
}

bool lab_stop(struct lab *lab)
{
    if (!check(remap_forget(lab, NULL), "every interrupt entry is given back"))
        return false;
    enum sluice_status status = sluice_stop(lab->sluice);
    bool stopped = check(status == SLUICE_OK, "the library lets go of the hardware: %s",
                         sluice_status_text(status));
    if (!stopped)
        return false;
    remap_undo(lab);
    machine_host_run_deferred(); /* what it asked for while faults were polled */
    status = sluice_destroy(lab->sluice);
    lab_abandon(lab);
    return check(status == SLUICE_OK, "the instance is destroyed: %s", sluice_status_text(status));
}

bool lab_restart(struct lab *lab, uint32_t flood_faults, uint64_t silence_ns)
{
    enum sluice_status status;
    lab->flood_faults = flood_faults;
    lab->silence_ns = silence_ns;
    if (!lab_stop(lab))
        return false;
    bool started = lab_start(lab, &status);
    return check(started, "another instance starts: %s", sluice_status_text(status)) &&
           check(lab_guard_devices(lab), "the devices are made known to it");
}

struct sluice_device *lab_device(struct lab *lab, const struct pci_device *pci)
{
    for (unsigned i = 0; i < lab->guarded_count; i++) {
        if (lab->guarded[i].pci == pci)
            return lab->guarded[i].handle;
    }
    return NULL;
}

struct sluice_domain *lab_domain(struct lab *lab, enum sluice_domain_kind kind,
                                 struct sluice_device *device)
{
    const struct sluice_domain_config config = {.kind = kind, .device = device, .name = "scenario"};
    return lab_domain_with(lab, &config);
}

struct sluice_domain *lab_domain_with(struct lab *lab, const struct sluice_domain_config *config)
{
    struct sluice_domain *domain;
    if (lab->domain_count == LAB_DOMAINS)
        machine_die("a scenario uses more domains than there is room for");
    enum sluice_status status = sluice_domain_create(lab->sluice, config, &domain);
    if (status != SLUICE_OK) {
        check(false, "a domain is created: %s", sluice_status_text(status));
        return NULL;
    }
    lab->domains[lab->domain_count++] = domain;
    return domain;
}

static struct page take_page(struct lab *lab, unsigned order, unsigned flags)
{
    struct page page = {.order = order};
    if (lab->page_count == LAB_PAGES || !machine_pages_alloc(order, flags, &page.phys))
        machine_die("a scenario found no memory");
    page.virt = arch_phys_to_virt(page.phys);
    lab->pages[lab->page_count++] = page;
    return page;
}

unsigned lab_page_bytes(void)
{
    return MACHINE_PAGE_BYTES << (option_given("pages-64k") ? 4 : 0);
}

static unsigned lab_page_order(void)
{
    return (unsigned)__builtin_ctz(lab_page_bytes() / MACHINE_PAGE_BYTES);
}

struct page lab_page(struct lab *lab, unsigned order)
{
    return take_page(lab, order + lab_page_order(), MACHINE_PAGES_LOW);
}

struct page lab_high_page(struct lab *lab, unsigned order)
{
    return take_page(lab, order + lab_page_order(), MACHINE_PAGES_HIGH);
}

void lab_page_free(struct lab *lab, struct page page)
{
    for (unsigned i = 0; i < lab->page_count; i++) {
        if (lab->pages[i].phys != page.phys)
            continue;
        lab->pages[i] = lab->pages[--lab->page_count];
        machine_pages_free(page.phys, page.order);
        return;
    }
}

bool lab_release(struct lab *lab)
{
    bool all = true;
    for (; lab->handle_count > 0; lab->handle_count--)
        all &= sluice_dma_close(lab->handles[lab->handle_count - 1]) == SLUICE_OK;
    for (unsigned i = 0; i < lab->guarded_count; i++)
        all &= sluice_domain_detach(lab->guarded[i].handle) == SLUICE_OK;
    /* Pages go back only when no device can reach them any more. */
    for (; all && lab->domain_count > 0; lab->domain_count--)
        all &= sluice_domain_destroy(lab->domains[lab->domain_count - 1]) == SLUICE_OK;
    for (; all && lab->page_count > 0; lab->page_count--) {
        const struct page *page = &lab->pages[lab->page_count - 1];
        machine_pages_free(page->phys, page->order);
    }
    return all;
}

static const char *access_text(uint32_t prot)
{
    switch (prot & (SLUICE_PROT_READ | SLUICE_PROT_WRITE)) {
    case SLUICE_PROT_READ:
        return "to read";
    case SLUICE_PROT_WRITE:
        return "to write";
    default:
        return "to read and write";
    }
}

uint32_t lab_write(const struct lab *lab)
{
    uint32_t prot = SLUICE_PROT_WRITE;
    return lab->expect->maps_write_only ? prot : prot | SLUICE_PROT_READ;
}

bool lab_map(struct sluice_domain *domain, uint64_t iova, uint64_t phys, uint64_t bytes,
             uint32_t prot)
{
    enum sluice_status status = sluice_domain_map(domain, iova, phys, bytes, prot);
    if (status != SLUICE_OK)
        return check(false, "0x%lx is mapped to 0x%lx: %s", iova, phys, sluice_status_text(status));
    say("mapped: device address 0x%lx -> memory 0x%lx, %lu KiB, %s", iova, phys, bytes >> 10,
        access_text(prot));
    return true;
}

bool lab_unmap(struct sluice_domain *domain, uint64_t iova, uint64_t bytes)
{
    uint64_t unmapped = 0;
    enum sluice_status status = sluice_domain_unmap(domain, iova, bytes, &unmapped);
    if (status != SLUICE_OK || unmapped != bytes)
        return check(false, "0x%lx is unmapped: %s, %lu of %lu bytes", iova,
                     sluice_status_text(status), unmapped, bytes);
    say("unmapped: device address 0x%lx, %lu KiB", iova, bytes >> 10);
    return true;
}

void lab_forget_faults(struct lab *lab)
{
    (void)sluice_fault_poll(lab->sluice);
    lab->fault_count = 0;
}

uint64_t lab_faults_of(struct sluice_device *device)
{
    struct sluice_device_health health;
    return sluice_device_health(device, &health) == SLUICE_OK &&
                   health.state != SLUICE_DEVICE_QUARANTINED
               ? health.fault_count
               : UINT64_MAX;
}

/* Faults may come by poll or by the unit's interrupt; either way they end up in lab->faults. */
static const struct sluice_fault *find_fault(struct lab *lab, uint16_t rid,
                                             enum sluice_access access, uint64_t iova)
{
    uint64_t deadline = arch_now_ns() + FAULT_WAIT_NS;
    do {
        machine_host_run_deferred();
        (void)sluice_fault_poll(lab->sluice);
        unsigned count = lab->fault_count < LAB_FAULTS ? lab->fault_count : LAB_FAULTS;
        for (unsigned i = 0; i < count; i++) {
            const struct sluice_fault *fault = &lab->faults[i];
            bool same = fault->access == access ||
                        (!lab->expect->tells_access && fault->access == SLUICE_ACCESS_UNKNOWN);
            if (fault->source == rid && same && fault->address_valid &&
                fault->address / MACHINE_PAGE_BYTES == iova / MACHINE_PAGE_BYTES)
                return fault;
        }
    } while (arch_now_ns() < deadline);
    return NULL;
}

static void tell_faults(struct lab *lab)
{
    unsigned count = lab->fault_count < LAB_FAULTS ? lab->fault_count : LAB_FAULTS;
    for (unsigned i = 0; i < count; i++) {
        const struct sluice_fault *fault = &lab->faults[i];
        say("logged by %s: source %04x, %s of 0x%lx, code 0x%x (%s)", fault->unit, fault->source,
            fault->access == SLUICE_ACCESS_WRITE  ? "write"
            : fault->access == SLUICE_ACCESS_READ ? "read"
                                                  : "use",
            fault->address, fault->hardware_code, fault->hardware_text);
    }
}

/* What a log says that has one code for "nothing is mapped" and for "without permission". */
static unsigned either_reason(unsigned reasons, enum sluice_access access)
{
    const unsigned unmapped = 1u << SLUICE_FAULT_NOT_MAPPED;
    const unsigned denied = access == SLUICE_ACCESS_WRITE ? 1u << SLUICE_FAULT_WRITE_DENIED
                                                          : 1u << SLUICE_FAULT_READ_DENIED;
    return (reasons & (unmapped | denied)) != 0 ? unmapped | denied : 0;
}

void lab_check_fault(struct lab *lab, const struct pci_device *pci, enum sluice_access access,
                     uint64_t iova, unsigned reasons)
{
    char text[16];
    if (!lab->expect->logs_faults) {
        say("(no fault record is looked for: %s)", lab->expect->remark);
        return;
    }
    if (!lab->expect->logs_blocked && (reasons & (1u << SLUICE_FAULT_BLOCKED)) != 0) {
        say("(no fault record is looked for: %s)", lab->expect->blocked_remark);
        return;
    }
    if (!lab->expect->tells_buses_apart && pci->behind != NULL) {
        say("(no fault record of it is looked for: %s)", lab->expect->buses_remark);
        return;
    }
    if (!lab->expect->logs_out_of_range && (reasons & (1u << SLUICE_FAULT_OUT_OF_RANGE)) != 0) {
        say("(no fault record is looked for: %s)", lab->expect->range_remark);
        return;
    }
    if (!lab->expect->tells_unmapped_from_denied)
        reasons |= either_reason(reasons, access);
    const struct sluice_fault *fault = find_fault(lab, pci_source_rid(pci), access, iova);
    const char *verb = access == SLUICE_ACCESS_WRITE ? "write" : "read";
    device_text(pci, text);
    check(fault != NULL, "the hardware logged that %s tried to %s 0x%lx", text, verb, iova);
    if (fault == NULL) {
        tell_faults(lab);
        return;
    }
    check((reasons & (1u << fault->reason)) != 0, "it logged why: %s (code 0x%x, \"%s\")",
          sluice_fault_reason_text(fault->reason), fault->hardware_code, fault->hardware_text);
}

void lab_check_interrupt_fault(struct lab *lab, uint16_t rid)
{
    uint64_t deadline = arch_now_ns() + FAULT_WAIT_NS;
    if (option_given("silent-interrupts")) {
        say("(no fault record is looked for: this emulator logs no refused message)");
        return;
    }
    if (!lab->expect->logs_faults) {
        say("(no fault record is looked for: %s)", lab->expect->remark);
        return;
    }
    do {
        machine_host_run_deferred();
        (void)sluice_fault_poll(lab->sluice);
        unsigned count = lab->fault_count < LAB_FAULTS ? lab->fault_count : LAB_FAULTS;
        for (unsigned i = 0; i < count; i++) {
            const struct sluice_fault *fault = &lab->faults[i];
            if (fault->source != rid || fault->reason != SLUICE_FAULT_INTERRUPT)
                continue;
            check(true, "the hardware logged the message of %04x as refused (code 0x%x, \"%s\")",
                  rid, fault->hardware_code, fault->hardware_text);
            return;
        }
    } while (arch_now_ns() < deadline);
    check(false, "the hardware logged the message of %04x as refused", rid);
    tell_faults(lab);
}

bool lab_has_fault(struct lab *lab, const struct pci_device *pci, bool *out_lost)
{
    bool found = false;
    unsigned count = lab->fault_count < LAB_FAULTS ? lab->fault_count : LAB_FAULTS;
    *out_lost = lab->fault_count > LAB_FAULTS;
    for (unsigned i = 0; i < count; i++) {
        found |= lab->faults[i].source == pci_source_rid(pci);
        *out_lost |= lab->faults[i].records_lost;
    }
    return found;
}

void lab_check_no_fault(struct lab *lab)
{
    machine_host_run_deferred();
    (void)sluice_fault_poll(lab->sluice);
    if (!check(lab->fault_count == 0, "the hardware logged no fault"))
        tell_faults(lab);
}

static bool domain_map(struct machine_dma *dma, uint64_t phys, size_t bytes, unsigned access,
                       uint64_t *out_bus)
{
    struct domain_dma *self = (struct domain_dma *)(void *)dma;
    uint32_t prot = ((access & MACHINE_DMA_READ) != 0 ? (uint32_t)SLUICE_PROT_READ : 0) |
                    ((access & MACHINE_DMA_WRITE) != 0 ? (uint32_t)SLUICE_PROT_WRITE : 0);
    uint64_t iova = self->next;
    self->next += bytes + LAB_PAGE; /* a hole after each, to catch overruns */
    enum sluice_status status = sluice_domain_map(self->domain, iova, phys, bytes, prot);
    if (status == SLUICE_ERR_UNSUPPORTED && prot == SLUICE_PROT_WRITE)
        status = sluice_domain_map(self->domain, iova, phys, bytes, prot | SLUICE_PROT_READ);
    *out_bus = iova;
    return status == SLUICE_OK;
}

static bool domain_unmap(struct machine_dma *dma, uint64_t bus, size_t bytes)
{
    struct domain_dma *self = (struct domain_dma *)(void *)dma;
    uint64_t unmapped = 0;
    return sluice_domain_unmap(self->domain, bus, bytes, &unmapped) == SLUICE_OK &&
           unmapped == bytes;
}

void domain_dma_init(struct domain_dma *dma, struct sluice_domain *domain, uint64_t first)
{
    *dma = (struct domain_dma){
        {.map = domain_map, .unmap = domain_unmap, .least_order = lab_page_order()}, domain, first};
}
