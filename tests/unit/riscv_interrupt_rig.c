// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_interrupt_rig.h"

struct riscv_rig riscv_rig;

static bool extent(void *ctx, unsigned index, sluice_phys_t *out_first, sluice_phys_t *out_last)
{
    (void)ctx;
    *out_first = index == 0 ? FILES : FILES_TOO;
    *out_last = *out_first + (index == 0 ? 2 : 1) * SLUICE_PAGE_BYTES - 1;
    return index < 2;
}

static void configure(struct sluice_config *config, void *arg)
{
    (void)arg;
    riscv_rig.ops = *config->ops;
    riscv_rig.ops.doorbell_extent = riscv_rig.no_files ? NULL : extent;
    config->ops = &riscv_rig.ops;
    config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
}

static void arrived(void *arg, sluice_phys_t address, uint32_t data)
{
    (void)arg;
    riscv_rig.fired++;
    riscv_rig.address = address;
    riscv_rig.data = data;
}

void riscv_rig_reset(void)
{
    memset(&riscv_rig, 0, sizeof(riscv_rig));
    riscv_rig.unit = riscv_model_defaults();
    riscv_rig.unit.reset_mode = 1;
}

void riscv_rig_init(void)
{
    struct scene_config config = {.machine = machine_defaults_riscv(), .configure = configure};

    config.machine.kind_config = &riscv_rig.unit;
    scene_init(&riscv_rig.scene, &config);
    riscv_rig.model = riscv_rig.scene.machine->unit;
    riscv_model_set_message_sink(riscv_rig.model, arrived, NULL);
}

void riscv_rig_start(void)
{
    riscv_rig_init();
    assert_int_equal(sluice_start(riscv_rig.scene.sluice), SLUICE_OK);
}

struct sluice_domain *riscv_rig_join(struct sluice_device *device)
{
    struct sluice_domain *domain = scene_domain(&riscv_rig.scene, SLUICE_DOMAIN_DMA);

    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    return domain;
}

void riscv_rig_leave(struct sluice_device *device, struct sluice_domain *domain)
{
    scene_forget(device);
    if (domain != NULL)
        assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
}

enum sluice_status riscv_rig_try_alloc(struct sluice_device *device, unsigned count,
                                       struct sluice_interrupt **out)
{
    const struct sluice_interrupt_config config = {
        .kind = SLUICE_INTERRUPT_MSIX, .device = device, .count = count, .name = "test"};

    return sluice_interrupt_alloc(riscv_rig.scene.sluice, &config, out);
}

struct sluice_interrupt *riscv_rig_take(struct sluice_device *device, unsigned count)
{
    struct sluice_interrupt *interrupt = NULL;

    assert_int_equal(riscv_rig_try_alloc(device, count, &interrupt), SLUICE_OK);
    return interrupt;
}

enum sluice_status riscv_rig_route(struct sluice_interrupt *interrupt, unsigned index,
                                   uint32_t hart, uint16_t identity)
{
    const struct sluice_interrupt_route to = {.destination = hart, .vector = identity};

    return sluice_interrupt_route(interrupt, index, &to);
}

struct sluice_msi riscv_rig_message(struct sluice_interrupt *interrupt, unsigned index)
{
    struct sluice_msi msi;

    assert_int_equal(sluice_interrupt_message(interrupt, index, &msi), SLUICE_OK);
    return msi;
}

static sluice_phys_t riscv_rig_file_of(uint32_t hart)
{
    return hart < 2 ? FILES + hart * SLUICE_PAGE_BYTES : FILES_TOO;
}

void riscv_rig_expect_from(unsigned device, struct sluice_msi msi, uint32_t hart, uint32_t identity)
{
    unsigned before = riscv_rig.fired;

    assert_true(dma_device_msi(riscv_rig.scene.machine->devices[device], msi.address, msi.data));
    assert_int_equal(riscv_rig.fired, before + 1);
    assert_true(riscv_rig.address == riscv_rig_file_of(hart));
    assert_int_equal(riscv_rig.data, identity);
}

void riscv_rig_expect(struct sluice_interrupt *interrupt, unsigned index, uint32_t hart,
                      uint32_t identity)
{
    riscv_rig_expect_from(MACHINE_DEV_A, riscv_rig_message(interrupt, index), hart, identity);
}

void riscv_rig_expect_refused(unsigned device, sluice_iova_t address, uint32_t data, unsigned cause)
{
    unsigned before = riscv_rig.fired, faults = riscv_rig.scene.faults;

    assert_false(dma_device_msi(riscv_rig.scene.machine->devices[device], address, data));
    (void)sluice_fault_poll(riscv_rig.scene.sluice);
    assert_int_equal(riscv_rig.fired, before);
    assert_int_equal(riscv_rig.scene.faults, faults + 1);
    assert_int_equal(riscv_rig.scene.fault.hardware_code, cause);
}

struct sluice_interrupt_info riscv_rig_info(void)
{
    struct sluice_interrupt_info out;

    sluice_interrupt_info(riscv_rig.scene.sluice, &out);
    return out;
}

void riscv_rig_give(struct sluice_interrupt *interrupt)
{
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
}
