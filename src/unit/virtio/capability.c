// SPDX-License-Identifier: MIT
/*
 * What a device can do [Virtio 5.13.3, 5.13.4]: checked, decoded, reported.
 */
#include "unit/virtio/virtio.h"

#define GENERATION_TRIES 8u
#define IOVA_BITS_MAX    57u /**< five levels of tables */
#define PHYS_BITS_MAX    52u
#define PHYS_BITS_ARM    48u /**< of the tables with larger pages */

static const uint64_t features_wanted = VIOMMU_F_INPUT_RANGE | VIOMMU_F_DOMAIN_RANGE |
                                        VIOMMU_F_MAP_UNMAP | VIOMMU_F_PROBE | VIOMMU_F_MMIO |
                                        VIOMMU_F_BYPASS_CONFIG | VIRTIO_F_VERSION_1 |
                                        VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_ORDER_PLATFORM;

static enum sluice_status unsupported(struct viommu *viommu, const char *what)
{
    log_error(viommu->unit.sluice, "%s: features %#llx: %s", viommu->unit.name,
              (unsigned long long)viommu->capability.offered, what);
    return SLUICE_ERR_UNSUPPORTED;
}

static uint64_t read64(struct viommu *viommu, uint32_t offset)
{
    uint64_t low = viommu->transport->config_read32(viommu, offset);

    return low | (uint64_t)viommu->transport->config_read32(viommu, offset + 4) << 32;
}

/* Fields that only a feature makes valid have their defaults without it [Virtio 5.13.4]. */
static void read_config(struct viommu *viommu)
{
    struct viommu_capability *capability = &viommu->capability;

    capability->page_size_mask = read64(viommu, VIOMMU_CONFIG_PAGE_SIZE_MASK);
    capability->input_first = 0;
    capability->input_last = UINT64_MAX;
    capability->domain_first = 0;
    capability->domain_last = UINT32_MAX;
    capability->probe_bytes = 0;
    if (viommu_has(viommu, VIOMMU_F_INPUT_RANGE)) {
        capability->input_first = read64(viommu, VIOMMU_CONFIG_INPUT_START);
        capability->input_last = read64(viommu, VIOMMU_CONFIG_INPUT_END);
    }
    if (viommu_has(viommu, VIOMMU_F_DOMAIN_RANGE)) {
        capability->domain_first =
            viommu->transport->config_read32(viommu, VIOMMU_CONFIG_DOMAIN_START);
        capability->domain_last =
            viommu->transport->config_read32(viommu, VIOMMU_CONFIG_DOMAIN_END);
    }
    if (viommu_has(viommu, VIOMMU_F_PROBE))
        capability->probe_bytes =
            viommu->transport->config_read32(viommu, VIOMMU_CONFIG_PROBE_SIZE);
}

/* What changes while it is read is read again [Virtio 2.5.1]. */
static bool read_config_whole(struct viommu *viommu)
{
    for (unsigned i = 0; i < GENERATION_TRIES; i++) {
        uint32_t before = viommu->transport->generation(viommu);

        read_config(viommu);
        if (viommu->transport->generation(viommu) == before)
            return true;
    }
    return false;
}

/* Leaves of the input range what consists of whole pages; false: hardly anything. */
static bool whole_pages(struct viommu_capability *capability)
{
    uint64_t below = ((uint64_t)1 << capability->granule_lg2) - 1;

    if (capability->input_last < ((uint64_t)1 << 24) - 1 ||
        capability->input_first > UINT64_MAX - below)
        return false;
    capability->input_first = (capability->input_first + below) & ~below;
    capability->input_last = ((capability->input_last + 1) & ~below) - 1;
    return capability->input_first < capability->input_last;
}

static enum sluice_status check_config(struct viommu *viommu)
{
    struct viommu_capability *capability = &viommu->capability;
    unsigned granule;

    if (capability->page_size_mask == 0)
        return unsupported(viommu, "no page size");
    granule = (unsigned)__builtin_ctzll(capability->page_size_mask);
    capability->granule_lg2 = granule < SLUICE_PAGE_LG2 ? SLUICE_PAGE_LG2 : granule;
    if (capability->granule_lg2 != 12 && capability->granule_lg2 != 14 &&
        capability->granule_lg2 != 16)
        return unsupported(viommu, "its smallest page is not of 4, 16 or 64 KiB");
    if (!whole_pages(capability))
        return unsupported(viommu, "its input range is empty, or of next to nothing");
    if (capability->domain_first >= capability->domain_last)
        return unsupported(viommu, "its domain range has fewer than two domains");
    /* What is not read may reserve something, and would be given out. */
    if (capability->probe_bytes > VIOMMU_PROBE_BYTES_MAX)
        return unsupported(viommu, "its endpoints' properties are absurdly long");
    return SLUICE_OK;
}

static enum sluice_status read_queues(struct viommu *viommu)
{
    struct viommu_capability *capability = &viommu->capability;

    for (unsigned i = 0; i < 2; i++) {
        unsigned most = viommu->transport->queue_most(viommu, i);

        if (most == 0 || most > 32768 || (most & (most - 1)) != 0)
            return unsupported(viommu, "a queue is missing, or of an absurd size");
        capability->queue_size[i] = most < VIOMMU_QUEUE_MAX ? most : VIOMMU_QUEUE_MAX;
    }
    capability->slots = capability->queue_size[VIOMMU_REQUESTS] / 2;
    if (capability->slots == 0)
        return unsupported(viommu, "a request does not fit into its queue");
    return SLUICE_OK;
}

enum sluice_status viommu_capability_read(struct viommu *viommu)
{
    struct viommu_capability *capability = &viommu->capability;
    enum sluice_status status;

    capability->offered = viommu->transport->features(viommu);
    capability->features = capability->offered & features_wanted;
    if (capability->offered == UINT64_MAX) {
        log_error(viommu->unit.sluice,
                  "%s: registers read all ones: no unit there, or it is switched off",
                  viommu->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    if (!viommu_has(viommu, VIRTIO_F_VERSION_1))
        return unsupported(viommu, "not of version 1 [Virtio 6.1]");
    if (!viommu_has(viommu, VIOMMU_F_MAP_UNMAP))
        return unsupported(viommu, "no map and unmap requests");
    if (!read_config_whole(viommu))
        return unsupported(viommu, "its configuration does not stand still");
    status = check_config(viommu);
    return status != SLUICE_OK ? status : read_queues(viommu);
}

/* Bits of addresses that all lie in the input range, but for those below its beginning. */
static unsigned input_bits(const struct viommu_capability *capability)
{
    unsigned bits = 64;

    if (capability->input_last != UINT64_MAX)
        bits = 63u - (unsigned)__builtin_clzll(capability->input_last + 1);
    return bits < IOVA_BITS_MAX ? bits : IOVA_BITS_MAX;
}

void viommu_capability_publish(struct viommu *viommu)
{
    const struct viommu_capability *capability = &viommu->capability;
    uint64_t domains = (uint64_t)capability->domain_last - capability->domain_first + 1;
    unsigned host_bits = viommu->unit.sluice->platform.host_address_bits;
    unsigned phys_bits = capability->granule_lg2 == SLUICE_PAGE_LG2 ? PHYS_BITS_MAX : PHYS_BITS_ARM;

    viommu->unit.caps = (struct unit_caps){
        .iova_bits = input_bits(capability),
        .phys_bits = host_bits != 0 && host_bits < phys_bits ? host_bits : phys_bits,
        .page_sizes = capability->page_size_mask,
        /* One is for the blocked. */
        .domains = (uint32_t)(domains < VIOMMU_DOMAINS_MAX ? domains : VIOMMU_DOMAINS_MAX) - 1,
        .coherent = true,
        .pass_through = viommu_has(viommu, VIOMMU_F_BYPASS_CONFIG),
        .queued = true,
        .flush_on_map = true,
        /* But in regions for them, which a device tells of where it has some. */
        .translates_messages = true,
    };
    if (capability->input_first != 0)
        viommu->unit.caps.special_last = capability->input_first - 1;
}

static void describe_features(sluice_emit *emit, void *arg, const struct viommu *viommu)
{
    static const struct {
        uint64_t bit;
        const char *text;
    } rows[] = {
        {VIOMMU_F_INPUT_RANGE, "INPUT_RANGE: not every address can be mapped"},
        {VIOMMU_F_DOMAIN_RANGE, "DOMAIN_RANGE: not every domain ID can be used"},
        {VIOMMU_F_MAP_UNMAP, "MAP_UNMAP: map and unmap requests"},
        {VIOMMU_F_BYPASS, "BYPASS: bypass by feature (not used)"},
        {VIOMMU_F_PROBE, "PROBE: tells of endpoints' reserved regions"},
        {VIOMMU_F_MMIO, "MMIO: mappings of device memory are marked"},
        {VIOMMU_F_BYPASS_CONFIG, "BYPASS_CONFIG: bypass by configuration and by domain"},
        {VIRTIO_F_ACCESS_PLATFORM, "ACCESS_PLATFORM: its own DMA is the platform's business"},
        {VIRTIO_F_ORDER_PLATFORM, "ORDER_PLATFORM: needs the barriers of real devices"},
    };
    char line[120];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((viommu->capability.offered & rows[i].bit) == 0)
            continue;
        (void)format_text(line, sizeof(line), "  %s", rows[i].text);
        emit(arg, line);
    }
}

void viommu_describe(struct unit *unit, sluice_emit *emit, void *arg)
{
    const struct viommu *viommu = viommu_of(unit);
    const struct viommu_capability *capability = &viommu->capability;
    char line[200];

    (void)format_text(line, sizeof(line), "%s: virtio-iommu over %s, features %#llx; %s",
                      unit->name, viommu->transport->name, (unsigned long long)capability->offered,
                      unit->started ? "translating" : "not started");
    emit(arg, line);
    (void)format_text(
        line, sizeof(line),
        "  input %#llx-%#llx, page mask %#llx, domains %#x-%#x, %u requests in flight",
        (unsigned long long)capability->input_first, (unsigned long long)capability->input_last,
        (unsigned long long)capability->page_size_mask, (unsigned)capability->domain_first,
        (unsigned)capability->domain_last, capability->slots);
    emit(arg, line);
    (void)format_text(
        line, sizeof(line),
        "  %llu requests in %llu batches, %llu refused, %llu mappings broken up; "
        "%llu faults, %llu odd reports, %llu times all buffers full",
        (unsigned long long)(viommu->queue.next - 1), (unsigned long long)viommu->queue.notified,
        (unsigned long long)viommu->queue.failures, (unsigned long long)viommu->broken_up,
        (unsigned long long)viommu->events.seen, (unsigned long long)viommu->events.odd,
        (unsigned long long)viommu->events.full);
    emit(arg, line);
    describe_features(emit, arg, viommu);
}
