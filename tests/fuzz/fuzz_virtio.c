// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a virtio-iommu that says anything. The device is the model, which does what it is told
 * and nothing else; the input says what kind of device it is, what the library is asked for, and
 * which of the words that software reads of it are made others on the way: registers,
 * configuration, statuses, used rings, properties, fault reports.
 *
 * Every call must end, nothing may be read outside, and as long as the unit counts as sound no
 * device reaches what its domain does not map. (What a device says it can do is believed: a device
 * that lies about that lets through what it likes, and only ends and memory are looked at then.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/dma_device.h"
#include "models/machine.h"
#include "models/virtio.h"

#include <sluice/sluice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define IOVA         ((sluice_iova_t)0x50000000)
#define PLACES       24u /* of IOVA, each a smallest page */
#define MOST_AT_ONCE 8u
#define STEPS_MAX    96u
#define BUFFER_LG2   19u
#define FEATURE(n)   ((uint64_t)1 << (n))

struct lie {
    uint8_t skip;  /**< so many honest ones before it */
    uint8_t count; /**< and so many in a row */
    bool flip;     /**< bits of the honest one, else instead of it */
    uint32_t value;
};

struct world {
    const uint8_t *input;
    size_t left;
    struct virtio_model_config config;
    struct machine *machine;
    struct virtio_model *unit;
    struct sluice *sluice;
    struct sluice_device *devices[2];
    struct sluice_domain *domains[2];
    struct sluice_pages buffer;
    uint64_t page_bytes;
    struct lie lies[VIRTIO_MODEL_WORDS];
    bool asleep;        /**< the last resume failed */
    bool ends_asleep;   /**< and if it is so at the end, no other is tried */
    bool lies_to_death; /**< also while everything is given up */
    bool lied;          /**< at all */
    bool lied_of_self;  /**< of what it can do, or did to its registers */
    unsigned faults;
};

#define check(right) check_at((right), __LINE__, #right)

static void check_at(bool right, unsigned line, const char *text)
{
    if (right)
        return;
    (void)fprintf(stderr, "line %u: not so: %s\n", line, text);
    abort();
}

static uint8_t take(struct world *w)
{
    if (w->left == 0)
        return 0;
    w->left--;
    return *w->input++;
}

static uint32_t take32(struct world *w)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | take(w);
    return value;
}

static uint64_t twist(void *arg, enum virtio_model_word word, uint64_t honest)
{
    struct world *w = arg;
    struct lie *lie = &w->lies[word];

    if (lie->count == 0)
        return honest;
    if (lie->skip > 0) {
        lie->skip--;
        return honest;
    }
    lie->count--;
    w->lied = true;
    w->lied_of_self |= word == VIRTIO_MODEL_REGISTER || word == VIRTIO_MODEL_CONFIG;
    return lie->flip ? honest ^ lie->value : lie->value;
}

static void arm(struct world *w)
{
    struct lie *lie = &w->lies[take(w) % VIRTIO_MODEL_WORDS];
    uint8_t how = take(w);

    lie->skip = take(w);
    lie->count = (uint8_t)(1 + (how >> 2));
    lie->flip = (how & 1) != 0;
    lie->value = (how & 2) != 0 ? take32(w) : take(w);
}

/* ---- the device ---- */

static void choose_device(struct world *w)
{
    struct virtio_model_config *config = &w->config;
    uint8_t flags = take(w), sizes = take(w);
    unsigned granule_lg2 = 12 + take(w) % 5, bits = 24 + take(w) % 41;

    *config = virtio_model_defaults();
    config->mmio = (flags & 1) != 0;
    config->reversed = (flags & 2) != 0;
    config->keeps_domains = (flags & 4) != 0;
    config->mode = (flags & 8) != 0 ? VIRTIO_MODEL_AT_TICK : VIRTIO_MODEL_AT_NOTIFY;
    config->messages = (flags & 16) == 0;
    config->bypass = (flags & 32) == 0;
    if ((flags & 64) != 0) {
        config->features &= ~FEATURE(6); /* BYPASS_CONFIG */
        config->bypass = 0;
    }
    if ((flags & 128) != 0)
        config->features &= ~FEATURE(4); /* PROBE */
    w->page_bytes = FEATURE(granule_lg2);
    config->page_size_mask = ~(w->page_bytes - 1);
    config->input_last = bits >= 64 ? UINT64_MAX : FEATURE(bits) - 1;
    config->input_first = (uint64_t)take(w) << 12;
    config->queue_most[0] = 1u << (sizes & 15);
    config->queue_most[1] = 1u << (sizes >> 4);
    config->probe_size = 8u * take(w);
    config->domain_first = take(w);
    config->domain_last = config->domain_first + take(w);
    config->region_count = take(w) % 12;
    for (unsigned i = 0; i < config->region_count; i++) {
        config->regions[i].first = (uint64_t)take(w) << 20;
        config->regions[i].last = config->regions[i].first + ((uint64_t)take(w) << 12 | 0xfff);
        config->regions[i].message = i == 1;
    }
}

/* ---- the library ---- */

static void on_fault(void *arg, const struct sluice_fault *fault)
{
    struct world *w = arg;

    check(fault->hardware_text != NULL && fault->unit != NULL && strlen(fault->unit) != 0);
    w->faults++;
}

static void describe(struct world *w)
{
    const struct sluice_unit_description unit = {.kind = SLUICE_UNIT_VIRTIO,
                                                 .base = w->config.base,
                                                 .register_bytes = 0x200,
                                                 .wires = {w->config.wire}};
    struct sluice_pci_sources sources = {.last_rid = 0xffff};

    check(sluice_describe_unit(w->sluice, &unit, &sources.unit) == SLUICE_OK);
    check(sluice_describe_pci_sources(w->sluice, &sources) == SLUICE_OK);
}

static void create(struct world *w)
{
    struct machine_config machine = machine_defaults_virtio();
    struct sluice_config config = {0};

    machine.kind_config = &w->config;
    /* Little memory, since all of it is made anew each time. */
    machine.host.extents[0] = (struct model_extent){.base = 1 << 20, .bytes = 1 << 20};
    machine.host.extents[1] = (struct model_extent){.base = FEATURE(32), .bytes = 1 << 20};
    w->machine = machine_create(&machine);
    w->unit = w->machine->unit;
    w->buffer = model_host_buffer(w->machine->host, BUFFER_LG2 - 12, false);
    model_host_configure(w->machine->host, &config);
    config.log_level = SLUICE_LOG_ERROR;
    config.hardware_timeout_ns = 1000000;
    config.max_faults = SLUICE_FAULTS_UNLIMITED;
    config.on_fault = on_fault;
    config.on_fault_arg = w;
    check(sluice_create(&config, &w->sluice) == SLUICE_OK);
    if (w->config.mmio) {
        describe(w);
        return;
    }
    check(sluice_add_table(w->sluice, w->machine->dmar, w->machine->dmar_bytes) == SLUICE_OK);
    check(sluice_add_table(w->sluice, w->machine->mcfg, w->machine->mcfg_bytes) == SLUICE_OK);
}

static bool sound(struct world *w)
{
    struct sluice_unit_info info;

    return !w->asleep && !w->lied_of_self && sluice_unit_info(w->sluice, 0, &info) == SLUICE_OK &&
           !info.degraded;
}

/* No device reaches more than the tables of its domain say. */
static void check_reach(struct world *w)
{
    static const unsigned who[2] = {MACHINE_DEV_A, MACHINE_DEV_B};

    if (!sound(w))
        return;
    virtio_model_set_twist(w->unit, NULL, NULL);
    for (unsigned i = 0; i < 2 * PLACES; i++) {
        struct sluice_device *device = w->devices[i % 2];
        sluice_iova_t iova = IOVA + i / 2 * w->page_bytes;
        struct sluice_domain *domain = device != NULL ? sluice_device_domain(device) : NULL;
        struct dma_device *dma = w->machine->devices[who[i % 2]];
        struct sluice_mapping mapping = {0};
        uint8_t byte = 0;

        if (domain == NULL || sluice_domain_lookup(domain, iova, &mapping) != SLUICE_OK)
            mapping.prot = 0;
        check((mapping.prot & SLUICE_PROT_READ) != 0 ||
              !dma_device_read(dma, iova, &byte, 1, NULL));
        check((mapping.prot & SLUICE_PROT_WRITE) != 0 ||
              !dma_device_write(dma, iova, &byte, 1, NULL));
    }
    virtio_model_set_twist(w->unit, twist, w);
}

static void add_devices(struct world *w)
{
    const struct sluice_domain_config kind = {.kind = SLUICE_DOMAIN_UNMANAGED};

    for (unsigned i = 0; i < 2; i++) {
        const struct sluice_device_config who = {.bus = SLUICE_BUS_PCI,
                                                 .rid = SLUICE_RID(0, 3 + i, 0)};

        if (sluice_device_add(w->sluice, &who, &w->devices[i]) != SLUICE_OK)
            w->devices[i] = NULL;
        if (sluice_domain_create(w->sluice, &kind, &w->domains[i]) != SLUICE_OK)
            w->domains[i] = NULL;
    }
}

static void map_or_unmap(struct world *w, bool map)
{
    uint8_t where = take(w), how = take(w);
    struct sluice_domain *domain = w->domains[how & 1];
    unsigned place = where % PLACES, pages = 1 + (how >> 3) % MOST_AT_ONCE;
    sluice_iova_t iova = IOVA + place * w->page_bytes;
    uint64_t bytes = pages * w->page_bytes;
    sluice_phys_t phys = w->buffer.phys;

    if (domain == NULL || place + pages > PLACES)
        return;
    if (bytes < FEATURE(BUFFER_LG2) && (how & 0x40) != 0)
        phys += w->page_bytes;
    if (map)
        (void)!sluice_domain_map(domain, iova, phys, bytes, 1 + (how >> 1) % 3);
    else
        (void)!sluice_domain_unmap(domain, iova, bytes, NULL);
}

static void move(struct world *w)
{
    uint8_t how = take(w);
    struct sluice_device *device = w->devices[how & 1];

    if (device == NULL)
        return;
    if ((how & 2) != 0)
        (void)!sluice_domain_detach(device);
    else if (w->domains[how >> 2 & 1] != NULL)
        (void)!sluice_domain_attach(w->domains[how >> 2 & 1], device);
}

static void touch(struct world *w)
{
    uint8_t where = take(w), byte = 0;
    struct dma_device *dma = w->machine->devices[(where & 1) != 0 ? MACHINE_DEV_B : MACHINE_DEV_A];

    if ((where & 2) != 0)
        (void)dma_device_read(dma, IOVA + (where >> 2) * w->page_bytes, &byte, 1, NULL);
    else
        (void)dma_device_write(dma, IOVA + (where >> 2) * w->page_bytes, &byte, 1, NULL);
}

static void report(struct world *w)
{
    uint32_t words[6];

    for (unsigned i = 0; i < 6; i++)
        words[i] = take32(w);
    virtio_model_report(w->unit, words, sizeof(words));
}

static void sleep(struct world *w)
{
    (void)!sluice_suspend(w->sluice); /* also after an error it is asleep */
    if ((take(w) & 1) != 0)
        virtio_model_power_cycle(w->unit);
    w->asleep = sluice_resume(w->sluice) != SLUICE_OK;
}

/* What was asked of one that does not wake up is refused, until it does. */
static void step(struct world *w)
{
    switch (take(w) % 10) {
    case 0:
    case 1:
        map_or_unmap(w, true);
        break;
    case 2:
        map_or_unmap(w, false);
        break;
    case 3:
    case 4:
        move(w);
        break;
    case 5:
        touch(w);
        return;
    case 6:
        (void)sluice_fault_poll(w->sluice);
        (void)model_host_run_events(w->machine->host);
        return;
    case 7:
        sleep(w);
        break;
    case 8:
        report(w);
        return;
    default:
        arm(w);
        return;
    }
    check_reach(w);
}

static void play(struct world *w)
{
    add_devices(w);
    check_reach(w);
    for (unsigned i = 0; i < STEPS_MAX && w->left != 0; i++)
        step(w);
    (void)sluice_fault_poll(w->sluice);
    (void)model_host_run_events(w->machine->host);
    check_reach(w);
}

/* Told the truth again, it lets everything go; and else everything can be given up. */
static void finish(struct world *w)
{
    struct model_host *host = w->machine->host;

    if (!w->lies_to_death)
        memset(w->lies, 0, sizeof(w->lies));
    if (w->asleep && !w->ends_asleep)
        check(w->lied && (sluice_resume(w->sluice) == SLUICE_OK || w->lies_to_death));
    for (unsigned i = 0; i < 2; i++) {
        if (w->devices[i] != NULL) {
            (void)!sluice_domain_detach(w->devices[i]);
            check(sluice_domain_detach(w->devices[i]) == SLUICE_OK);
            check(sluice_device_remove(w->devices[i]) == SLUICE_OK);
        }
    }
    if (sluice_unit_count(w->sluice) != 0)
        check(sluice_stop(w->sluice) == SLUICE_OK || w->lies_to_death);
    check(sluice_destroy(w->sluice) == SLUICE_OK);
    check(model_host_objects_in_use(host) == 0);
    check(w->lied || (model_host_pages_in_use(host) == 0 && model_host_violations(host) == 0));
    model_host_buffer_free(host, w->buffer, BUFFER_LG2 - 12);
    (void)machine_destroy(w->machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct world w = {.input = data, .left = bytes};
    uint8_t arms;

    choose_device(&w);
    create(&w);
    arms = take(&w);
    w.ends_asleep = (arms & 0x80) != 0;
    w.lies_to_death = (arms & 0x40) != 0;
    for (arms %= 4; arms > 0; arms--)
        arm(&w);
    virtio_model_set_twist(w.unit, twist, &w);
    if (sluice_start(w.sluice) == SLUICE_OK)
        play(&w);
    finish(&w);
    return 0;
}
