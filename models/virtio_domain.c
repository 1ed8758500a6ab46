// SPDX-License-Identifier: MIT
/*
 * The virtio-iommu model's domains and mappings [Virtio 5.13.6.3 to 5.13.6.6], and what devices
 * reach through them [Virtio 5.13.6.1].
 */
#include "models/virtio_internal.h"

#include <stdlib.h>
#include <string.h>

#define FAULT_DOMAIN  1u
#define FAULT_MAPPING 2u

static uint64_t word64(const uint32_t *words, unsigned at)
{
    return words[at] | (uint64_t)words[at + 1] << 32;
}

/* ---- domains ---- */

static struct virtio_domain *domain_find(struct virtio_model *unit, uint32_t id)
{
    for (unsigned i = 0; i < VIRTIO_DOMAINS_MAX; i++) {
        if (unit->domains[i].used && unit->domains[i].id == id)
            return &unit->domains[i];
    }
    return NULL;
}

static struct virtio_domain *domain_make(struct virtio_model *unit, uint32_t id, bool bypass)
{
    for (unsigned i = 0; i < VIRTIO_DOMAINS_MAX; i++) {
        struct virtio_domain *domain = &unit->domains[i];

        if (domain->used)
            continue;
        *domain = (struct virtio_domain){.id = id, .used = true, .bypass = bypass};
        return domain;
    }
    return NULL;
}

static void domain_end(struct virtio_model *unit, struct virtio_domain *domain)
{
    unit->mapping_count -= domain->count;
    free(domain->mappings);
    *domain = (struct virtio_domain){.used = false};
}

void virtio_domains_clear(struct virtio_model *unit)
{
    for (unsigned i = 0; i < VIRTIO_DOMAINS_MAX; i++) {
        if (unit->domains[i].used)
            domain_end(unit, &unit->domains[i]);
    }
    unit->endpoint_count = 0;
}

bool virtio_endpoint_exists(const struct virtio_model *unit, uint32_t id)
{
    return unit->config.unknown_id == 0 || id != unit->config.unknown_id;
}

static struct virtio_endpoint *endpoint_find(struct virtio_model *unit, uint32_t id)
{
    for (unsigned i = 0; i < unit->endpoint_count; i++) {
        if (unit->endpoints[i].id == id)
            return &unit->endpoints[i];
    }
    return NULL;
}

static void leave(struct virtio_model *unit, struct virtio_endpoint *endpoint)
{
    struct virtio_domain *domain = endpoint->domain;

    endpoint->domain = NULL;
    if (domain != NULL && --domain->endpoints == 0)
        domain_end(unit, domain);
}

static bool domain_id_good(const struct virtio_model *unit, uint32_t id)
{
    return !virtio_has(unit, F_DOMAIN_RANGE) ||
           (id >= unit->config.domain_first && id <= unit->config.domain_last);
}

uint8_t virtio_attach(struct virtio_model *unit, const uint32_t *words)
{
    uint32_t id = words[1], flags = words[3];
    struct virtio_endpoint *endpoint;
    struct virtio_domain *domain;

    if ((flags & ~1u) != 0 || words[4] != 0 || (flags != 0 && !virtio_has(unit, F_BYPASS_CONFIG)) ||
        !domain_id_good(unit, id)) {
        virtio_violate(unit, "ATTACH: domain %#x, flags %#x", id, flags);
        return S_INVAL;
    }
    if (!virtio_endpoint_exists(unit, words[2]))
        return S_NOENT;
    endpoint = endpoint_find(unit, words[2]);
    if (endpoint == NULL) {
        if (unit->endpoint_count == VIRTIO_ENDPOINTS_MAX)
            return S_NOMEM;
        endpoint = &unit->endpoints[unit->endpoint_count++];
        *endpoint = (struct virtio_endpoint){.id = words[2]};
    }
    leave(unit, endpoint);
    domain = domain_find(unit, id);
    if (domain == NULL)
        domain = domain_make(unit, id, flags != 0);
    if (domain == NULL)
        return S_NOMEM;
    if (domain->bypass != (flags != 0)) {
        virtio_violate(unit, "ATTACH: domain %#x with another bypass flag", id);
        return S_INVAL;
    }
    endpoint->domain = domain;
    domain->endpoints++;
    return S_OK;
}

uint8_t virtio_detach(struct virtio_model *unit, const uint32_t *words)
{
    struct virtio_endpoint *endpoint = endpoint_find(unit, words[2]);

    if (words[3] != 0 || words[4] != 0)
        virtio_violate(unit, "DETACH: reserved bytes are not zero");
    if (!virtio_endpoint_exists(unit, words[2]))
        return S_NOENT;
    if (endpoint == NULL || endpoint->domain == NULL || endpoint->domain->id != words[1])
        return S_INVAL;
    leave(unit, endpoint);
    return S_OK;
}

/* ---- mappings ---- */

/* The first mapping that ends at or after an address. */
static unsigned mapping_from(const struct virtio_domain *domain, uint64_t address)
{
    unsigned low = 0, high = domain->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (domain->mappings[middle].last < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether a range is one that may be named in requests. */
static bool range_good(struct virtio_model *unit, const char *what, uint64_t first, uint64_t last)
{
    uint64_t granule = unit->config.page_size_mask & (0 - unit->config.page_size_mask);
    bool inside = !virtio_has(unit, F_INPUT_RANGE) ||
                  (first >= unit->config.input_first && last <= unit->config.input_last);

    if (first <= last && inside && ((first | (last + 1)) & (granule - 1)) == 0)
        return true;
    virtio_violate(unit, "%s: %#llx-%#llx", what, (unsigned long long)first,
                   (unsigned long long)last);
    return false;
}

uint8_t virtio_map(struct virtio_model *unit, const uint32_t *words)
{
    const struct virtio_mapping mapping = {word64(words, 2), word64(words, 4), word64(words, 6),
                                           words[8]};
    uint64_t granule = unit->config.page_size_mask & (0 - unit->config.page_size_mask);
    struct virtio_domain *domain = domain_find(unit, words[1]);
    unsigned at;

    if (!range_good(unit, "MAP", mapping.first, mapping.last))
        return S_RANGE;
    if ((mapping.phys & (granule - 1)) != 0 || (mapping.flags & 3) == 0 ||
        (mapping.flags & ~(virtio_has(unit, F_MMIO) ? 7u : 3u)) != 0) {
        virtio_violate(unit, "MAP: to %#llx, flags %#x", (unsigned long long)mapping.phys,
                       mapping.flags);
        return S_INVAL;
    }
    if (domain == NULL || domain->bypass) {
        virtio_violate(unit, "MAP: domain %#x is not there, or bypasses", words[1]);
        return S_NOENT;
    }
    at = mapping_from(domain, mapping.first);
    if (at < domain->count && domain->mappings[at].first <= mapping.last) {
        virtio_violate(unit, "MAP: %#llx is mapped already", (unsigned long long)mapping.first);
        return S_INVAL;
    }
    if (unit->config.mappings_most != 0 && unit->mapping_count >= unit->config.mappings_most)
        return S_NOMEM;
    if (domain->count == domain->room) {
        domain->room = domain->room * 2 + 16;
        domain->mappings = realloc(domain->mappings, domain->room * sizeof(mapping));
        if (domain->mappings == NULL)
            abort();
    }
    memmove(&domain->mappings[at + 1], &domain->mappings[at],
            (domain->count - at) * sizeof(mapping));
    domain->mappings[at] = mapping;
    domain->count++;
    unit->mapping_count++;
    return S_OK;
}

uint8_t virtio_unmap(struct virtio_model *unit, const uint32_t *words)
{
    struct virtio_domain *domain = domain_find(unit, words[1]);
    uint64_t first = word64(words, 2), last = word64(words, 4);
    unsigned at, end;

    if (words[6] != 0)
        virtio_violate(unit, "UNMAP: reserved bytes are not zero");
    if (!range_good(unit, "UNMAP", first, last))
        return S_RANGE;
    if (domain == NULL || domain->bypass) {
        virtio_violate(unit, "UNMAP: domain %#x is not there, or bypasses", words[1]);
        return S_NOENT;
    }
    at = mapping_from(domain, first);
    for (end = at; end < domain->count && domain->mappings[end].first <= last; end++) {
        if (domain->mappings[end].first < first || domain->mappings[end].last > last) {
            virtio_violate(unit, "UNMAP: %#llx-%#llx would split a mapping",
                           (unsigned long long)first, (unsigned long long)last);
            return S_RANGE;
        }
    }
    if (unit->inject.lost_unmaps || end == at)
        return S_OK;
    memmove(&domain->mappings[at], &domain->mappings[end],
            (domain->count - end) * sizeof(domain->mappings[0]));
    domain->count -= end - at;
    unit->mapping_count -= end - at;
    return S_OK;
}

/* ---- accesses ---- */

static uint8_t report(struct virtio_model *unit, uint32_t id, uint8_t reason, uint64_t address,
                      bool write)
{
    const struct {
        uint32_t reason, flags, endpoint, reserved;
        uint64_t address;
    } text = {reason, (write ? 2u : 1u) | 1u << 8, id, 0, address};

    virtio_put_report(unit, &text, sizeof(text));
    return (uint8_t)(reason + 1);
}

/* 0: *phys is where it goes. */
static uint8_t translate(struct virtio_model *unit, uint32_t id, uint64_t address, bool write,
                         sluice_phys_t *phys)
{
    const struct virtio_endpoint *endpoint = endpoint_find(unit, id);
    const struct virtio_domain *domain = endpoint != NULL ? endpoint->domain : NULL;
    unsigned at;

    *phys = address;
    if (domain == NULL ? unit->bypass != 0 : domain->bypass) {
        unit->stats.passed++;
        return 0;
    }
    if (domain == NULL)
        return report(unit, id, FAULT_DOMAIN, address, write);
    at = mapping_from(domain, address);
    if (at == domain->count || domain->mappings[at].first > address ||
        (domain->mappings[at].flags & (write ? 2u : 1u)) == 0)
        return report(unit, id, FAULT_MAPPING, address, write);
    *phys = domain->mappings[at].phys + (address - domain->mappings[at].first);
    return 0;
}

static const struct virtio_model_region *region_at(const struct virtio_model *unit,
                                                   uint64_t address)
{
    for (unsigned i = 0; i < unit->config.region_count; i++) {
        const struct virtio_model_region *region = &unit->config.regions[i];

        if (address >= region->first && address <= region->last)
            return region;
    }
    return NULL;
}

/* A write into a region for messages is one, if it has the size of one. */
static bool send_message(struct virtio_model *unit, const struct model_dma_request *request,
                         const void *data, size_t bytes)
{
    const struct virtio_model_region *region = region_at(unit, request->address);
    uint32_t message;

    if (region == NULL || !region->message || !request->write || bytes != sizeof(message))
        return false;
    memcpy(&message, data, sizeof(message));
    model_host_post_msi(unit->host, request->address, message);
    return true;
}

bool virtio_model_dma(struct virtio_model *unit, const struct model_dma_request *request,
                      void *data, size_t bytes, struct model_dma_result *result)
{
    struct model_dma_result ended = {.done = false};

    virtio_lock(unit);
    if (!unit->gone && send_message(unit, request, data, bytes))
        ended.moved = bytes;
    while (ended.moved < bytes && !unit->gone) {
        uint64_t address = request->address + ended.moved;
        size_t piece = (size_t)(4096 - (address & 4095));
        uint8_t *at = (uint8_t *)data + ended.moved;
        sluice_phys_t phys;

        if (piece > bytes - ended.moved)
            piece = bytes - ended.moved;
        ended.address = address & ~(uint64_t)4095;
        if (region_at(unit, address) != NULL)
            break;
        ended.reason = translate(unit, request->rid, address, request->write, &phys);
        if (ended.reason != 0)
            break;
        if (request->write ? !model_host_write(unit->host, phys, at, piece)
                           : !model_host_read(unit->host, phys, at, piece))
            break;
        ended.moved += piece;
    }
    ended.done = ended.moved == bytes;
    virtio_unlock(unit);
    if (result != NULL)
        *result = ended;
    return ended.done;
}
