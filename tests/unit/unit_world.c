// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit_world.h"

static const uint8_t fills[2] = {0x11, 0x22};

static void on_fault(void *arg, const struct sluice_fault *fault)
{
    struct world *world = arg;

    world->faults++;
    world->fault = *fault;
}

void world_create(struct world *world, const struct world_kind *kind,
                  const struct model_host_config *host)
{
    struct sluice_config *to = &world->sluice.config;

    memset(world, 0, sizeof(*world));
    world->kind = kind;
    world->page_bytes = SLUICE_PAGE_BYTES << kind->page_order;
    world->host = model_host_create(host);
    model_host_configure(world->host, to);
    to->hardware_timeout_ns = 1000000;
    to->on_fault = on_fault;
    to->on_fault_arg = world;
    world->sluice.ops = to->ops;
    world->sluice.cpu_count = 1;
    list_init(&world->sluice.units);
    list_init(&world->sluice.devices);
    list_init(&world->sluice.domains);
    list_init(&world->sluice.interrupts);
}

void world_connect(struct world *world, void *model, const struct platform_unit *desc, bool ats)
{
    world->model = model;
    world->desc = *desc;
    list_init(&world->desc.scopes);
    for (unsigned i = 0; i < WORLD_DEVICES; i++) {
        uint16_t rid = SLUICE_RID(0, 3 + i, 0);

        world->devices[i] =
            dma_device_create_on(world->host, world->kind->model_ops, world->model, rid, ats);
        world->sources[i] = (struct source){.id = rid, .users = 1, .ats_enabled = ats};
    }
}

static void domain_open(struct world *world, struct world_domain *domain, uint8_t fill)
{
    struct pt_config config = {.node = -1, .iova_bits = world->iova_bits};

    if (world->format != NULL) { /* as another unit of the domain chose */
        config.format = world->format;
        config.levels = 4;
        config.phys_bits = 48;
        config.page_sizes = UINT64_MAX;
        config.coherent = config.live_change = config.run_change = true;
    }
    assert_int_equal(world->unit->ops->geometry(world->unit, &config), SLUICE_OK);
    assert_true(world->format == NULL || config.format == world->format);
    assert_int_equal(config.format->create(&world->sluice, &config, &domain->pt), SLUICE_OK);
    domain->link = (struct domain_link){.unit = world->unit, .pt = &domain->pt};
    assert_int_equal(world->unit->ops->link_open(world->unit, &domain->link), SLUICE_OK);
    domain->page = model_host_buffer(world->host, world->kind->page_order, false);
    memset(domain->page.virt, fill, world->page_bytes);
    assert_int_equal(world_map(world, domain), SLUICE_OK);
}

void world_probe(struct world *world)
{
    assert_int_equal(world->kind->unit_ops->probe(&world->sluice, &world->desc, &world->unit),
                     SLUICE_OK);
    for (unsigned i = 0; i < 2; i++)
        domain_open(world, &world->domains[i], fills[i]);
    for (unsigned i = 0; i < WORLD_DEVICES; i++)
        world->sources[i].unit = world->unit;
}

void world_begin(struct world *world, const struct world_config *config)
{
    world_init(world, config);
    world_probe(world);
    assert_int_equal(world_attach(world, 0, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world->unit->ops->start(world->unit), SLUICE_OK);
    assert_int_equal(world_reaches(world, 0), 0);
}

static void domain_close(struct world *world, struct world_domain *domain)
{
    assert_int_equal(world->unit->ops->link_close(world->unit, &domain->link), SLUICE_OK);
    domain->pt.format->destroy(&domain->pt);
    model_host_buffer_free(world->host, domain->page, world->kind->page_order);
}

void world_finish(struct world *world)
{
    for (unsigned i = 0; i < WORLD_DEVICES; i++)
        assert_int_equal(world_attach(world, i, NULL), SLUICE_OK);
    for (unsigned i = 0; i < 2; i++)
        domain_close(world, &world->domains[i]);
    if (world->kind->check_settled != NULL)
        world->kind->check_settled(world->model);
    if (world->unit->started)
        assert_int_equal(world->unit->ops->stop(world->unit), SLUICE_OK);
    world->unit->ops->release(world->unit);
    assert_int_equal(model_host_pages_in_use(world->host), 0);
    assert_int_equal(model_host_objects_in_use(world->host), 0);
    assert_int_equal(model_host_mmio_maps(world->host), 0);
    assert_int_equal(model_host_violations_print(world->host), 0);
    world_abandon(world);
}

void world_abandon(struct world *world)
{
    for (unsigned i = 0; i < WORLD_DEVICES; i++)
        dma_device_destroy(world->devices[i]);
    world->kind->destroy(world->model);
    (void)model_host_destroy(world->host);
}

enum sluice_status world_attach(struct world *world, unsigned device, struct world_domain *domain)
{
    struct source *source = &world->sources[device];
    struct domain_link *to = domain != NULL ? &domain->link : NULL;
    enum sluice_status status;

    if (to != NULL && source->ats_enabled)
        to->ats_sources++;
    status = world->unit->ops->attach(world->unit, source, SLUICE_NO_PASID, to);
    if (source->link != NULL && source->ats_enabled)
        source->link->ats_sources--;
    source->link = status == SLUICE_OK ? to : NULL;
    return status;
}

static enum sluice_status invalidate(struct world *world, struct world_domain *domain,
                                     struct pt_gather *gather)
{
    const struct unit_invalidation invalidation = {.link = &domain->link, .gather = gather};
    struct unit_ticket ticket;
    enum sluice_status status =
        world->unit->ops->invalidate_submit(world->unit, &invalidation, &ticket);

    if (status == SLUICE_OK)
        status = world->unit->ops->invalidate_wait(world->unit, &ticket);
    return status;
}

enum sluice_status world_map(struct world *world, struct world_domain *domain)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    assert_int_equal(domain->pt.format->map(&domain->pt, WORLD_IOVA, domain->page.phys,
                                            world->page_bytes, SLUICE_PROT_READ | SLUICE_PROT_WRITE,
                                            &gather),
                     SLUICE_OK);
    if (world->unit->caps.flush_on_map) {
        const struct pt_range range = {.first = WORLD_IOVA,
                                       .last = WORLD_IOVA + SLUICE_PAGE_BYTES - 1,
                                       .page_lg2 = 12,
                                       .tables = true};

        pt_gather_add(&gather, &range);
        return invalidate(world, domain, &gather);
    }
    return SLUICE_OK;
}

enum sluice_status world_unmap(struct world *world, struct world_domain *domain)
{
    struct pt_gather gather;
    enum sluice_status status;

    pt_gather_init(&gather);
    assert_int_equal(
        domain->pt.format->unmap(&domain->pt, WORLD_IOVA, world->page_bytes, &gather, NULL),
        SLUICE_OK);
    status = invalidate(world, domain, &gather);
    if (status == SLUICE_OK)
        domain->pt.format->release(&domain->pt, &gather);
    else
        (void)pt_gather_withhold(&domain->pt, &gather);
    return status;
}

static int reaches_at(struct world *world, unsigned device, uint64_t iova)
{
    uint8_t byte = 0;

    if (!dma_device_read(world->devices[device], iova, &byte, 1, NULL))
        return -1;
    return byte == fills[0] ? 0 : byte == fills[1] ? 1 : 2;
}

int world_reaches(struct world *world, unsigned device)
{
    return reaches_at(world, device, WORLD_IOVA);
}

/* From its first page to its last, in case something is told of one of them only. */
static void check_reaches(struct world *world, unsigned device, int want)
{
    assert_int_equal(reaches_at(world, device, WORLD_IOVA), want);
    assert_int_equal(reaches_at(world, device, WORLD_IOVA + world->page_bytes - 1), want);
}

static void move_about(struct world *world)
{
    check_reaches(world, 0, 0);  /* served from the first moment */
    check_reaches(world, 1, -1); /* all others are blocked */
    /* A second device in the same domain, then from one domain to the other and back. */
    assert_int_equal(world_attach(world, 1, &world->domains[0]), SLUICE_OK);
    check_reaches(world, 1, 0);
    assert_int_equal(world_attach(world, 1, &world->domains[1]), SLUICE_OK);
    check_reaches(world, 1, 1);
    check_reaches(world, 0, 0);
    assert_int_equal(world_attach(world, 1, &world->domains[0]), SLUICE_OK);
    check_reaches(world, 1, 0);
    /* What is unmapped is gone from every cache, of both devices. */
    assert_int_equal(world_unmap(world, &world->domains[0]), SLUICE_OK);
    check_reaches(world, 0, -1);
    check_reaches(world, 1, -1);
    assert_int_equal(world_map(world, &world->domains[0]), SLUICE_OK);
    check_reaches(world, 1, 0);
    /* And of that domain only. */
    assert_int_equal(world_attach(world, 1, &world->domains[1]), SLUICE_OK);
    check_reaches(world, 1, 1);
    assert_int_equal(world_unmap(world, &world->domains[0]), SLUICE_OK);
    check_reaches(world, 0, -1);
    check_reaches(world, 1, 1);
    assert_int_equal(world_map(world, &world->domains[0]), SLUICE_OK);
    check_reaches(world, 0, 0);
    assert_int_equal(world_attach(world, 0, NULL), SLUICE_OK);
    check_reaches(world, 0, -1);
    assert_int_equal(world_attach(world, 0, &world->domains[0]), SLUICE_OK);
}

void world_walk_through(struct world *world)
{
    const struct unit_ops *ops = world->unit->ops;

    assert_true(world->kind->translating(world->model));
    move_about(world);
    /* Off, with the attachments kept, and on again. */
    assert_int_equal(ops->stop(world->unit), SLUICE_OK);
    assert_false(world->kind->translating(world->model));
    assert_int_equal(ops->start(world->unit), SLUICE_OK);
    check_reaches(world, 0, 0);
    check_reaches(world, 1, 1);
    /* Asleep, powered off, awake. */
    assert_int_equal(ops->suspend(world->unit), SLUICE_OK);
    world->kind->power_off(world->model);
    assert_int_equal(ops->resume(world->unit), SLUICE_OK);
    check_reaches(world, 0, 0);
    check_reaches(world, 1, 1);
    assert_int_equal(world_unmap(world, &world->domains[1]), SLUICE_OK);
    check_reaches(world, 1, -1);
    assert_false(world_degraded(world));
}

unsigned world_drain(struct world *world)
{
    return world->unit->ops->faults_drain(world->unit, on_fault, world);
}

bool world_degraded(const struct world *world)
{
    return atomic_load(&world->unit->degraded) != 0;
}
