// SPDX-License-Identifier: MIT
/*
 * Domains: create, destroy, describe.
 */
#include "domain/domain.h"

#define DEFAULT_LAZY_WINDOW_NS ((uint64_t)10000000)

/** Narrows a table configuration by every unit that the domain must work on. */
static enum sluice_status narrow_geometry(struct sluice *sluice, struct unit *unit,
                                          struct pt_config *config)
{
    enum sluice_status status = SLUICE_ERR_UNSUPPORTED;

    if (unit != NULL)
        return unit->ops->geometry(unit, config);
    list_for_each(node, &sluice->units)
    {
        struct unit *each = container_of(node, struct unit, node);

        status = each->ops->geometry(each, config);
        if (status != SLUICE_OK)
            return status;
    }
    return status;
}

/** Whether every unit of the domain has two stages. */
static bool can_be_parent(struct sluice *sluice, const struct unit *unit)
{
    if (unit != NULL)
        return unit->caps.nested != SLUICE_NESTED_NONE;
    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->caps.nested == SLUICE_NESTED_NONE)
            return false;
    }
    return true;
}

/** Whether some unit of the domain cannot pass transactions through. */
static bool identity_needs_tables(struct sluice *sluice, struct unit *unit)
{
    if (unit != NULL)
        return !unit->caps.pass_through;
    list_for_each(node, &sluice->units)
    {
        if (!container_of(node, struct unit, node)->caps.pass_through)
            return true;
    }
    return false;
}

static bool needs_tables(struct sluice *sluice, enum sluice_domain_kind kind, struct unit *unit)
{
    switch (kind) {
    case SLUICE_DOMAIN_BLOCKING:
    case SLUICE_DOMAIN_NESTED:
        return false;
    case SLUICE_DOMAIN_IDENTITY:
        return identity_needs_tables(sluice, unit);
    default:
        return true;
    }
}

static void copy_name(char target[DOMAIN_NAME_BYTES], const char *name)
{
    format_text(target, DOMAIN_NAME_BYTES, "%s", name != NULL ? name : "");
}

static enum sluice_status reserve_special(struct sluice_domain *domain, const struct unit *unit)
{
    unsigned bits = domain->pt.config.iova_bits;

    if (unit->caps.special_last == 0 || (bits < 64 && unit->caps.special_first >> bits != 0))
        return SLUICE_OK;
    return domain_reserve_locked(domain, SLUICE_RESERVED_SPECIAL, unit->caps.special_first,
                                 unit->caps.special_last);
}

/** What no unit of the domain translates is reserved while nothing can be mapped there yet. */
static enum sluice_status reserve_special_of_all(struct sluice_domain *domain, struct unit *unit)
{
    enum sluice_status status = SLUICE_OK;

    if (unit != NULL)
        return reserve_special(domain, unit);
    list_for_each(node, &domain->sluice->units)
    {
        if (status == SLUICE_OK)
            status = reserve_special(domain, container_of(node, struct unit, node));
    }
    return status;
}

static enum sluice_status create_tables(struct sluice_domain *domain, struct unit *unit,
                                        unsigned iova_bits)
{
    struct pt_config config = {
        .iova_bits = iova_bits, .second_stage = domain->nest_parent, .node = -1};
    enum sluice_status status = SLUICE_ERR_UNSUPPORTED;

    if (!domain->nest_parent || can_be_parent(domain->sluice, unit))
        status = narrow_geometry(domain->sluice, unit, &config);
    if (status != SLUICE_OK)
        return status;
    status = config.format->create(domain->sluice, &config, &domain->pt);
    domain->has_tables = status == SLUICE_OK;
    if (status == SLUICE_OK && domain->kind != SLUICE_DOMAIN_IDENTITY)
        status = history_create(domain);
    if (status == SLUICE_OK && domain->kind != SLUICE_DOMAIN_IDENTITY)
        status = reserve_special_of_all(domain, unit);
    return status;
}

enum sluice_status domain_create_locked(struct sluice *sluice,
                                        const struct sluice_domain_config *config,
                                        struct unit *unit, struct sluice_domain **out)
{
    struct sluice_domain *domain = host_alloc(sluice, sizeof(*domain));
    enum sluice_status status = SLUICE_OK;

    if (domain == NULL)
        return SLUICE_ERR_NO_MEMORY;
    domain->sluice = sluice;
    domain->kind = config->kind;
    domain->lazy = config->lazy;
    domain->lazy_window_ns =
        config->lazy_window_ns != 0 ? config->lazy_window_ns : DEFAULT_LAZY_WINDOW_NS;
    domain->prefer_32bit = config->prefer_32bit;
    domain->nest_parent = config->nest_parent;
    copy_name(domain->name, config->name);
    list_init(&domain->links);
    list_append(&sluice->domains, &domain->node);
    if (needs_tables(sluice, config->kind, unit))
        status = create_tables(domain, unit, config->iova_bits);
    if (status == SLUICE_OK && config->kind == SLUICE_DOMAIN_IDENTITY && domain->has_tables)
        status = identity_map_locked(domain);
    if (status != SLUICE_OK) {
        domain_free_locked(domain);
        return status;
    }
    *out = domain;
    return SLUICE_OK;
}

static void free_reserved(struct sluice_domain *domain)
{
    struct domain_reserved_block *block = domain->reserved.next;

    while (block != NULL) {
        struct domain_reserved_block *next = block->next;

        host_free(domain->sluice, block, sizeof(*block));
        block = next;
    }
}

void domain_free_locked(struct sluice_domain *domain)
{
    struct sluice *sluice = domain->sluice;

    if (domain->has_tables) {
        if (atomic_load_explicit(&domain->tables_withheld, memory_order_acquire)) {
            uint64_t pages = atomic_load_explicit(&domain->pt.table_pages, memory_order_relaxed);

            atomic_fetch_add_explicit(&sluice->withheld_pages, pages, memory_order_relaxed);
            log_error(sluice,
                      "domain '%s': %llu pages of tables are withheld: a unit never "
                      "confirmed that it let go of them",
                      domain->name, (unsigned long long)pages);
        } else {
            domain->pt.format->destroy(&domain->pt);
        }
    }
    history_destroy(domain);
    free_reserved(domain);
    list_remove(&domain->node);
    host_free(sluice, domain, sizeof(*domain));
}

enum sluice_status sluice_domain_create(struct sluice *sluice,
                                        const struct sluice_domain_config *config,
                                        struct sluice_domain **out)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || config == NULL || out == NULL ||
        (unsigned)config->kind > SLUICE_DOMAIN_BLOCKING || config->iova_bits > 64 ||
        (config->nest_parent && config->kind != SLUICE_DOMAIN_UNMANAGED))
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED)
        status = sluice->policy != NULL ? sluice->policy->allow_domain(sluice, config) : SLUICE_OK;
    if (status == SLUICE_OK)
        status = domain_create_locked(sluice, config,
                                      config->device != NULL ? config->device->unit : NULL, out);
    sluice_spin_unlock(&sluice->lock, irq);
    if (status == SLUICE_OK && config->kind == SLUICE_DOMAIN_IDENTITY)
        log_warning(sluice, "domain '%s': identity: its devices reach all of memory unprotected",
                    (*out)->name);
    return status;
}

enum sluice_status sluice_domain_destroy(struct sluice_domain *domain)
{
    enum sluice_status status = SLUICE_OK;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (domain == NULL)
        return SLUICE_ERR_INVALID;
    sluice = domain->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_CHANGING)
        status = SLUICE_ERR_STATE;
    else if (domain->devices != 0 || domain->held != 0 || domain->assignees != 0 ||
             domain->children != 0 || !list_empty(&domain->links) ||
             atomic_load_explicit(&domain->manager, memory_order_relaxed) != NULL)
        status = SLUICE_ERR_BUSY;
    else {
        if (domain->parent != NULL)
            domain->parent->children--;
        domain_free_locked(domain);
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

const char *domain_kind_text(enum sluice_domain_kind kind)
{
    static const char *const names[] = {
        [SLUICE_DOMAIN_DMA] = "DMA",           [SLUICE_DOMAIN_UNMANAGED] = "unmanaged",
        [SLUICE_DOMAIN_IDENTITY] = "identity", [SLUICE_DOMAIN_BLOCKING] = "blocking",
        [SLUICE_DOMAIN_NESTED] = "nested",
    };

    return names[kind];
}

void sluice_domain_info(struct sluice_domain *domain, struct sluice_domain_info *out)
{
    *out = (struct sluice_domain_info){
        .kind = domain->kind,
        .device_count = domain->devices,
        .history_bytes = atomic_load_explicit(&domain->history_bytes, memory_order_relaxed)};
    if (!domain->has_tables)
        return;
    out->last = domain->pt.config.iova_bits >= 64
                    ? UINT64_MAX
                    : ((uint64_t)1 << domain->pt.config.iova_bits) - 1;
    out->page_sizes = domain->pt.config.page_sizes;
    out->table_bytes =
        atomic_load_explicit(&domain->pt.table_pages, memory_order_relaxed) * SLUICE_PAGE_BYTES;
}
