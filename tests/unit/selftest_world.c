// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "models/riscv.h"
#include "models/smmu3.h"
#include "models/virtio.h"
#include "selftest_world.h"

#define BYTES     SLUICE_SELFTEST_BYTES
#define PAGE_MASK (SLUICE_PAGE_BYTES - 1)

static struct dma_device *engine_of(struct selftest_world *world)
{
    return world->scene.machine->devices[MACHINE_DEV_A];
}

/* ---- what is wrong with the unit ---- */

static bool kept(const struct selftest_world *world, sluice_iova_t iova, bool write,
                 sluice_phys_t *out)
{
    for (unsigned i = 0; i < world->kept_count; i++) {
        if (world->kept[i].page == (iova & ~PAGE_MASK) && (world->kept[i].write || !write)) {
            *out = world->kept[i].phys | (iova & PAGE_MASK);
            return true;
        }
    }
    return false;
}

static void keep(struct selftest_world *world, sluice_iova_t iova)
{
    struct sluice_domain *domain = sluice_device_domain(world->device);
    struct sluice_mapping mapping;
    sluice_phys_t known;

    if (domain == NULL || world->kept_count == SELFTEST_KEPT || kept(world, iova, false, &known) ||
        sluice_domain_lookup(domain, iova & ~PAGE_MASK, &mapping) != SLUICE_OK)
        return;
    world->kept[world->kept_count].page = iova & ~PAGE_MASK;
    world->kept[world->kept_count].write = (mapping.prot & SLUICE_PROT_WRITE) != 0;
    world->kept[world->kept_count++].phys = mapping.phys;
}

/** Where a broken unit leads an access that a good one stops; false: it stops it too. */
static bool leads(struct selftest_world *world, sluice_iova_t iova, bool write, sluice_phys_t *out)
{
    struct sluice_domain *domain = sluice_device_domain(world->device);
    struct sluice_mapping mapping;

    *out = iova;
    switch (world->flaw) {
    case FLAW_OPEN:
        return true;
    case FLAW_OPEN_READS:
        return !write;
    case FLAW_WHEN_BLOCKED:
        return domain == NULL;
    case FLAW_KEEPS:
        return kept(world, iova, write, out);
    case FLAW_KEEPS_READS:
        return !write && kept(world, iova, false, out);
    case FLAW_READ_ONLY:
        if (!write || domain == NULL || sluice_domain_lookup(domain, iova, &mapping) != SLUICE_OK)
            return false;
        *out = mapping.phys;
        return true;
    case FLAW_SAME_DOMAIN:
        if (domain == NULL || sluice_domain_lookup(world->first, iova, &mapping) != SLUICE_OK ||
            (write && (mapping.prot & SLUICE_PROT_WRITE) == 0))
            return false;
        *out = mapping.phys;
        return true;
    default:
        return false;
    }
}

static bool goes_past(const struct selftest_world *world, bool write)
{
    return world->flaw == FLAW_OPEN || (world->flaw == FLAW_OPEN_READS && !write);
}

static void also_write(struct selftest_world *world, sluice_iova_t iova)
{
    struct sluice_domain *domain = sluice_device_domain(world->device);
    struct sluice_mapping mapping;
    sluice_phys_t beside = world->flaw == FLAW_NEIGHBOUR ? SLUICE_PAGE_BYTES : BYTES;

    if (domain != NULL && sluice_domain_lookup(domain, iova, &mapping) == SLUICE_OK)
        (void)model_host_write(world->scene.machine->host, mapping.phys + beside, world->held, 1);
}

static bool move(struct selftest_world *world, sluice_iova_t iova, void *data, bool write)
{
    struct model_host *host = world->scene.machine->host;
    struct dma_device *engine = engine_of(world);
    sluice_phys_t phys;

    if (world->first == NULL)
        world->first = sluice_device_domain(world->device);
    if (!goes_past(world, write) && (write ? dma_device_write(engine, iova, data, BYTES, NULL)
                                           : dma_device_read(engine, iova, data, BYTES, NULL))) {
        keep(world, iova);
        if (write && (world->flaw == FLAW_NEIGHBOUR || world->flaw == FLAW_BESIDE))
            also_write(world, iova);
        return true;
    }
    if (!leads(world, iova, write, &phys))
        return false;
    return write ? model_host_write(host, phys, data, BYTES)
                 : model_host_read(host, phys, data, BYTES);
}

/* ---- the hooks ---- */

/** Whether the device does anything at all; *out_status is what it says if not. */
static bool works(struct selftest_world *world, enum sluice_status *out_status)
{
    world->accesses++;
    if (world->meanwhile != NULL)
        world->meanwhile(world);
    *out_status = SLUICE_OK;
    if (world->flaw == FLAW_ERRORS)
        *out_status = SLUICE_ERR_HARDWARE;
    if (world->flaw == FLAW_HANGS && world->accesses >= world->hangs_at)
        *out_status = SLUICE_ERR_TIMEOUT;
    return *out_status == SLUICE_OK && world->flaw != FLAW_DEAD &&
           (world->dies_after == 0 || world->accesses <= world->dies_after);
}

static enum sluice_status hook_write(void *arg, sluice_iova_t iova)
{
    struct selftest_world *world = arg;
    enum sluice_status status;

    if (!works(world, &status))
        return status;
    return move(world, iova, world->held, true) ? SLUICE_OK : SLUICE_ERR_HARDWARE;
}

static enum sluice_status hook_read(void *arg, sluice_iova_t iova)
{
    struct selftest_world *world = arg;
    uint8_t data[BYTES] = {0};
    enum sluice_status status;
    bool done;

    if (!works(world, &status))
        return status;
    done = move(world, iova, data, false);
    /* What a refused read brings is zeroes, as on a bus that answers all the same. */
    if (world->flaw != FLAW_WRITE_ONLY && !(world->flaw == FLAW_STALE && world->has_read))
        memcpy(world->held, data, BYTES);
    world->has_read = true;
    return done ? SLUICE_OK : SLUICE_ERR_HARDWARE;
}

/* By DMA, as a device does that has no other way. */

static enum sluice_status hook_load(void *arg, const struct sluice_selftest_scratch *scratch)
{
    struct selftest_world *world = arg;
    uint8_t data[BYTES] = {0};
    enum sluice_status status;

    if (!works(world, &status))
        return status;
    if (!move(world, scratch->iova, data, false))
        return SLUICE_ERR_HARDWARE;
    memcpy(world->held, data, BYTES);
    return SLUICE_OK;
}

static enum sluice_status hook_show(void *arg, const struct sluice_selftest_scratch *scratch)
{
    struct selftest_world *world = arg;
    enum sluice_status status;

    if (!works(world, &status) || world->flaw == FLAW_MUTE)
        return status;
    return move(world, scratch->iova, world->held, true) ? SLUICE_OK : SLUICE_ERR_HARDWARE;
}

static enum sluice_status hook_message(void *arg, const struct sluice_selftest_scratch *scratch,
                                       const struct sluice_msi *msi, bool *out_arrived)
{
    struct selftest_world *world = arg;
    /* An older message has the vector in its data, and no handle in its address [VT-d 5.1.2]. */
    bool older = (msi->data & 0xffu) == SELFTEST_VECTOR;
    unsigned before = world->fired;
    enum sluice_status status;

    (void)scratch;
    if (!works(world, &status))
        return status;
    (void)dma_device_msi(engine_of(world), msi->address, msi->data);
    *out_arrived = world->fired > before;
    if (world->flaw == FLAW_ANY_ENTRY || (world->flaw == FLAW_OLDER_MESSAGES && older))
        *out_arrived = true;
    if (world->flaw == FLAW_NO_MESSAGES)
        *out_arrived = false;
    return SLUICE_OK;
}

const struct sluice_selftest_ops selftest_hooks = {.load = hook_load,
                                                   .show = hook_show,
                                                   .write = hook_write,
                                                   .read = hook_read,
                                                   .message = hook_message};
const struct sluice_selftest_ops selftest_hooks_silent = {
    .load = hook_load, .show = hook_show, .write = hook_write, .read = hook_read};

/* ---- the machine ---- */

static void fire_vtd(void *arg, const struct vtd_model_interrupt *interrupt)
{
    struct selftest_world *world = arg;

    world->fired += interrupt->vector == SELFTEST_VECTOR;
}

static void fire_amd(void *arg, const struct amdvi_model_interrupt *interrupt)
{
    struct selftest_world *world = arg;

    world->fired += interrupt->vector == SELFTEST_VECTOR;
}

void selftest_world_start(struct selftest_world *world, const struct scene_config *config)
{
    memset(world, 0, sizeof(*world));
    scene_start(&world->scene, config);
    if (world->scene.machine->units[0] != NULL)
        vtd_model_set_interrupt_sink(world->scene.machine->units[0], fire_vtd, world);
    if (world->scene.machine->amd != NULL)
        amdvi_model_set_interrupt_sink(world->scene.machine->amd, fire_amd, world);
    world->device = scene_device(&world->scene, SELFTEST_RID);
}

void selftest_world_finish(struct selftest_world *world, uint64_t withheld)
{
    scene_forget(world->device);
    scene_finish_withheld(&world->scene, withheld);
}

enum sluice_status selftest_world_run(struct selftest_world *world,
                                      struct sluice_selftest_evidence *out)
{
    const struct sluice_selftest_config config = {
        .ops = &selftest_hooks, .arg = world, .route = {.vector = SELFTEST_VECTOR}};
    struct sluice_selftest_evidence unit;
    enum sluice_status status;

    world->accesses = world->kept_count = 0;
    world->first = NULL;
    world->has_read = false;
    status = sluice_selftest_run(world->device, &config, out);
    assert_int_equal(sluice_selftest_evidence(world->scene.sluice, 0, &unit), SLUICE_OK);
    if (out->made)
        assert_memory_equal(unit.steps, out->steps, sizeof(unit.steps));
    return status;
}

static void ask_for_remapping(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
    config->interrupt_entries = 256;
}

void selftest_world_remaps(struct scene_config *config)
{
    config->configure = ask_for_remapping;
    config->machine.interrupt_remapping = true;
    config->machine.units[0].remaps_interrupts = true;
}

void selftest_world_lose_invalidations(struct selftest_world *world, bool lose)
{
    struct machine *machine = world->scene.machine;
    const char *table = machine->config.kind != NULL ? machine->config.kind->signature : "";

    if (machine->units[0] != NULL)
        vtd_model_inject(machine->units[0],
                         &(struct vtd_model_injection){.lost_invalidations = lose});
    if (machine->amd != NULL)
        amdvi_model_inject(machine->amd,
                           &(struct amdvi_model_injection){.lost_invalidations = lose});
    if (strcmp(table, "IORT") == 0)
        smmu3_model_inject(machine->unit,
                           &(struct smmu3_model_injection){.lost_invalidations = lose});
    if (strcmp(table, "RIMT") == 0)
        riscv_model_inject(machine->unit,
                           &(struct riscv_model_injection){.lost_invalidations = lose});
    if (strcmp(table, "VIOT") == 0)
        virtio_model_inject(machine->unit, &(struct virtio_model_injection){.lost_unmaps = lose});
}

static void show(const struct sluice_selftest_evidence *evidence)
{
    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++)
        print_message("# %s: %s: %s\n", sluice_selftest_step_text((enum sluice_selftest_step)i),
                      sluice_selftest_outcome_text(evidence->steps[i].outcome),
                      evidence->steps[i].seen);
}

void selftest_expect(const struct sluice_selftest_evidence *evidence, unsigned failed,
                     unsigned open)
{
    for (unsigned i = 0; i < SELFTEST_MEMORY_STEPS; i++) {
        enum sluice_selftest_outcome want = (failed >> i & 1u) != 0 ? SLUICE_SELFTEST_FAILED
                                            : (open >> i & 1u) != 0 ? SLUICE_SELFTEST_INCONCLUSIVE
                                                                    : SLUICE_SELFTEST_PASSED;

        if (evidence->steps[i].outcome == want)
            continue;
        show(evidence);
        fail_msg("%s is %s", sluice_selftest_step_text((enum sluice_selftest_step)i),
                 sluice_selftest_outcome_text(evidence->steps[i].outcome));
    }
}
