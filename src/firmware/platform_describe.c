// SPDX-License-Identifier: MIT
/*
 * The platform description by hand: what a host says, checked as a table would be.
 */
#include "core/instance.h"
#include "firmware/platform_table.h"

#define SMMU_V3_BYTES 0x20000u /**< pages 0 and 1 [SMMU 6.1] */
#define LEAST_BYTES   0x1000u

const char *sluice_unit_kind_text(enum sluice_unit_kind kind)
{
    static const char *const texts[SLUICE_UNIT_KIND_COUNT] = {
        [SLUICE_UNIT_INTEL_VTD] = "Intel VT-d", [SLUICE_UNIT_AMD_VI] = "AMD-Vi",
        [SLUICE_UNIT_SMMU_V3] = "SMMUv3",       [SLUICE_UNIT_SMMU_V2] = "SMMUv2",
        [SLUICE_UNIT_RISCV] = "RISC-V IOMMU",   [SLUICE_UNIT_VIRTIO] = "virtio-iommu",
    };

    return (unsigned)kind < SLUICE_UNIT_KIND_COUNT ? texts[kind] : "unknown";
}

static struct platform_unit *unit_numbered(struct sluice *sluice, unsigned number)
{
    list_for_each(node, &sluice->platform.units)
    {
        if (number-- == 0)
            return container_of(node, struct platform_unit, node);
    }
    return NULL;
}

static enum sluice_status add_unit_locked(struct sluice *sluice,
                                          const struct sluice_unit_description *from,
                                          unsigned *out_unit)
{
    const struct platform_reader reader = {sluice, &sluice->platform, NULL};
    const struct platform_unit same = {
        .on_pci = from->on_pci, .segment = from->segment, .rid = from->rid, .base = from->base};
    struct platform_unit *unit;
    enum sluice_status status;
    unsigned count = 0;

    list_for_each(node, &sluice->platform.units)
    {
        if (platform_same_unit(container_of(node, struct platform_unit, node), &same))
            return SLUICE_ERR_EXISTS;
        count++;
    }
    status = platform_make_unit(&reader, 0, &unit);
    if (status != SLUICE_OK)
        return status;
    unit->kind = from->kind;
    /* No firmware has a word on it: such a unit says itself whether it can. */
    if (from->kind == SLUICE_UNIT_RISCV)
        sluice->platform.interrupt_remapping = true;
    unit->on_pci = from->on_pci;
    unit->segment = from->on_pci ? from->segment : 0;
    unit->rid = from->on_pci ? from->rid : 0;
    unit->base = from->on_pci ? 0 : from->base;
    unit->register_bytes = from->register_bytes != 0           ? from->register_bytes
                           : from->kind == SLUICE_UNIT_SMMU_V3 ? SMMU_V3_BYTES
                                                               : LEAST_BYTES;
    unit->maps_ids = true;
    unit->coherence = from->coherence;
    for (unsigned i = 0; i < SLUICE_UNIT_WIRES_MAX; i++)
        unit->wires[i] = from->wires[i];
    *out_unit = count;
    return SLUICE_OK;
}

enum sluice_status sluice_describe_unit(struct sluice *sluice,
                                        const struct sluice_unit_description *unit,
                                        unsigned *out_unit)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || unit == NULL || out_unit == NULL ||
        (unsigned)unit->kind >= SLUICE_UNIT_KIND_COUNT ||
        (unsigned)unit->coherence > SLUICE_COHERENCE_NO || (!unit->on_pci && unit->base == 0) ||
        (!unit->on_pci && unit->register_bytes > UINT64_MAX - unit->base))
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STOPPED)
        status = add_unit_locked(sluice, unit, out_unit);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

static bool ranges_meet(const struct platform_scope *scope, const struct sluice_pci_sources *from)
{
    return scope->kind == PLATFORM_SCOPE_PCI_RANGE && from->segment >= scope->segment &&
           from->segment <= scope->last_segment && scope->rid_ignored == from->rid_ignored &&
           from->first_rid <= scope->last_rid && scope->first_rid <= from->last_rid;
}

static bool taken(struct sluice *sluice, const struct sluice_pci_sources *from)
{
    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        list_for_each(scope_node, &unit->scopes)
        {
            if (ranges_meet(container_of(scope_node, struct platform_scope, node), from))
                return true;
        }
    }
    return false;
}

static enum sluice_status add_functions_locked(struct sluice *sluice,
                                               const struct sluice_pci_sources *from)
{
    struct platform_unit *unit = unit_numbered(sluice, from->unit);
    struct platform_scope *scope;
    enum sluice_status status;

    if (unit == NULL)
        return SLUICE_ERR_NOT_FOUND;
    if (taken(sluice, from))
        return SLUICE_ERR_EXISTS;
    status = platform_make_scope(sluice, &unit->scopes, PLATFORM_SCOPE_PCI_RANGE, 0, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->segment = from->segment;
    scope->last_segment = from->segment;
    scope->rid_ignored = from->rid_ignored;
    scope->first_rid = from->first_rid;
    scope->last_rid = from->last_rid;
    scope->first_id = from->first_id;
    scope->address_bits = from->address_bits;
    scope->ats = from->ats;
    scope->coherence = from->coherence;
    return SLUICE_OK;
}

static bool functions_valid(const struct sluice_pci_sources *from)
{
    return from->first_rid <= from->last_rid && (from->first_rid & from->rid_ignored) == 0 &&
           (from->last_rid & from->rid_ignored) == 0 && from->address_bits <= 64 &&
           (unsigned)from->coherence <= SLUICE_COHERENCE_NO &&
           from->first_id <= UINT32_MAX - (uint32_t)(from->last_rid - from->first_rid);
}

enum sluice_status sluice_describe_pci_sources(struct sluice *sluice,
                                               const struct sluice_pci_sources *sources)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || sources == NULL || !functions_valid(sources))
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STOPPED)
        status = add_functions_locked(sluice, sources);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

static size_t path_bytes(const char *path)
{
    size_t bytes = 0;

    while (path != NULL && bytes <= SLUICE_DEVICE_PATH_BYTES && path[bytes] != 0)
        bytes++;
    return bytes;
}

static enum sluice_status keep_name(struct sluice *sluice, const char *path,
                                    struct platform_scope *scope)
{
    size_t bytes = path_bytes(path);
    struct platform_table *copy;

    if (bytes == 0)
        return SLUICE_OK;
    copy = host_alloc(sluice, sizeof(*copy) + bytes);
    if (copy == NULL)
        return SLUICE_ERR_NO_MEMORY;
    copy->bytes = bytes;
    for (size_t i = 0; i < bytes; i++)
        copy->data[i] = (uint8_t)path[i];
    list_append(&sluice->platform.names, &copy->node);
    scope->name = (const char *)copy->data;
    scope->name_bytes = (uint32_t)bytes;
    return SLUICE_OK;
}

static enum sluice_status add_device_locked(struct sluice *sluice,
                                            const struct sluice_device_sources *from)
{
    struct platform_unit *unit = unit_numbered(sluice, from->unit);
    struct platform_scope *scope;
    enum sluice_status status;

    if (unit == NULL)
        return SLUICE_ERR_NOT_FOUND;
    status = platform_make_scope(sluice, &unit->scopes, PLATFORM_SCOPE_NAMED, 0, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->registers = from->registers;
    scope->first_id = from->first_id;
    scope->id_count = from->id_count;
    scope->address_bits = from->address_bits;
    scope->coherence = from->coherence;
    scope->tells_senders = from->messages != SLUICE_MESSAGES_UNKNOWN;
    status = keep_name(sluice, from->path, scope);
    if (status == SLUICE_OK && scope->tells_senders)
        status = platform_make_senders(
            sluice, &sluice->platform,
            &(struct platform_senders){.kind = from->messages,
                                       .count = 1, /* whatever it calls itself at its unit */
                                       .first_id = from->message_id,
                                       .controllers = 1ull << (from->message_controller % 64)});
    if (status != SLUICE_OK) {
        list_remove(&scope->node);
        host_free(sluice, scope, sizeof(*scope));
    }
    return status;
}

enum sluice_status sluice_describe_device_sources(struct sluice *sluice,
                                                  const struct sluice_device_sources *sources)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;
    size_t bytes;

    if (sluice == NULL || sources == NULL)
        return SLUICE_ERR_INVALID;
    bytes = path_bytes(sources->path);
    if (bytes > SLUICE_DEVICE_PATH_BYTES || (bytes == 0 && sources->registers == 0) ||
        sources->id_count == 0 || sources->id_count > SLUICE_DEVICE_IDS_MAX ||
        sources->first_id > UINT32_MAX - (sources->id_count - 1) || sources->address_bits > 64 ||
        (unsigned)sources->coherence > SLUICE_COHERENCE_NO ||
        (unsigned)sources->messages > SLUICE_MESSAGES_OTHER)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STOPPED)
        status = add_device_locked(sluice, sources);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

static enum sluice_status add_reserved_locked(struct sluice *sluice,
                                              const struct sluice_reserved_memory *from)
{
    const struct platform_reader reader = {sluice, &sluice->platform, NULL};
    const struct platform_unit *unit = unit_numbered(sluice, from->unit);
    const struct platform_reserved what = {.first = from->first,
                                           .last = from->last,
                                           .offset = from->moved ? from->phys - from->first : 0,
                                           .prot = from->prot};
    struct platform_reserved *reserved;
    struct platform_scope *scope;
    enum sluice_status status;

    if (unit == NULL)
        return SLUICE_ERR_NOT_FOUND;
    status = platform_make_reserved(&reader, &what, &reserved);
    if (status != SLUICE_OK)
        return status;
    status = platform_make_scope(sluice, &reserved->scopes, PLATFORM_SCOPE_IDS, 0, &scope);
    if (status != SLUICE_OK) {
        list_remove(&reserved->node);
        host_free(sluice, reserved, sizeof(*reserved));
        return status;
    }
    scope->unit = unit;
    scope->first_id = from->first_id;
    scope->id_count = from->id_count;
    return SLUICE_OK;
}

/** Whether memory can be where it is said to be moved to. */
static bool can_be_moved(const struct sluice_reserved_memory *memory)
{
    return memory->prot != 0 && (memory->phys ^ memory->first) % SLUICE_PAGE_BYTES == 0 &&
           memory->phys <= UINT64_MAX - (memory->last - memory->first);
}

enum sluice_status sluice_describe_reserved(struct sluice *sluice,
                                            const struct sluice_reserved_memory *memory)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || memory == NULL || memory->last < memory->first || memory->id_count == 0 ||
        memory->id_count > 65536 || memory->first_id > UINT32_MAX - (memory->id_count - 1) ||
        (memory->moved && !can_be_moved(memory)) ||
        (memory->prot & ~(uint32_t)(SLUICE_PROT_READ | SLUICE_PROT_WRITE)) != 0)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STOPPED)
        status = add_reserved_locked(sluice, memory);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_describe_message_senders(struct sluice *sluice,
                                                   const struct sluice_message_senders *senders)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || senders == NULL || senders->last_rid < senders->first_rid ||
        senders->kind == SLUICE_MESSAGES_UNKNOWN ||
        (unsigned)senders->kind > SLUICE_MESSAGES_OTHER ||
        senders->first_message_id > UINT32_MAX - (uint32_t)(senders->last_rid - senders->first_rid))
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STOPPED)
        status =
            platform_make_senders(sluice, &sluice->platform,
                                  &(struct platform_senders){
                                      .kind = senders->kind,
                                      .on_pci = true,
                                      .segment = senders->segment,
                                      .first_rid = senders->first_rid,
                                      .count = (uint32_t)senders->last_rid - senders->first_rid + 1,
                                      .first_id = senders->first_message_id,
                                      .controllers = 1ull << (senders->controller % 64)});
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_describe_message_doorbell(struct sluice *sluice, sluice_phys_t first,
                                                    sluice_phys_t last)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || last < first)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STOPPED)
        status = platform_make_doorbell(sluice, &sluice->platform, first, last);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}
