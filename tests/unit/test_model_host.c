// SPDX-License-Identifier: MIT
/*
 * The simulated host and machine: what they claim to detect is detected, what they claim to fail
 * fails, and the tables describe the machine.
 */
#include "models/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct model_host *host;
static const struct sluice_host_ops *ops;
static unsigned calls;

static int setup(void **state)
{
    (void)state;
    calls = 0;
    host = model_host_create(NULL);
    ops = model_host_ops(host);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)model_host_destroy(host);
    return 0;
}

static struct sluice_pages take(unsigned order, bool below_4g)
{
    struct sluice_page_request request = {.order = order, .node = -1, .below_4g = below_4g};
    struct sluice_pages pages = {0};

    assert_true(ops->pages_alloc(host, &request, &pages));
    return pages;
}

static void test_pages_are_zero_aligned_and_where_asked(void **state)
{
    static const uint8_t zeros[4096];

    (void)state;
    for (unsigned order = 0; order < 10; order++) {
        struct sluice_pages pages = take(order, true);

        assert_int_equal(pages.phys & (((uint64_t)4096 << order) - 1), 0);
        assert_true(pages.phys < (uint64_t)1 << 32);
        assert_memory_equal(pages.virt, zeros, 4096);
        assert_ptr_equal(model_host_virt(host, pages.phys), pages.virt);
        memset(pages.virt, 0xff, 4096);
        ops->pages_free(host, pages, order);
    }
    assert_int_equal(model_host_pages_in_use(host), 0);
    assert_int_equal(model_host_violations(host), 0);
}

static void test_linear_map_is_linear(void **state)
{
    struct sluice_config config = {0};
    struct sluice_pages low, high;

    (void)state;
    model_host_configure(host, &config);
    assert_true(config.linear_map);
    low = take(0, true);
    high = take(12, false); /* the whole upper extent */
    assert_true(high.phys >= (uint64_t)1 << 32);
    assert_int_equal((uintptr_t)low.virt, low.phys + config.linear_base);
    assert_int_equal((uintptr_t)high.virt, high.phys + config.linear_base);
    ops->pages_free(host, low, 0);
    ops->pages_free(host, high, 12);
}

static void test_wrong_frees_are_seen(void **state)
{
    struct sluice_pages pages = take(1, false);
    void *object = ops->alloc(host, 100);

    (void)state;
    ops->pages_free(host, pages, 0);
    assert_true(model_host_violated(host, "order 0 is not what was given"));
    ops->pages_free(host, pages, 1);
    assert_int_equal(model_host_violations(host), 1);
    ops->pages_free(host, pages, 1);
    assert_int_equal(model_host_violations(host), 2);
    ops->free(host, object, 99);
    assert_true(model_host_violated(host, "of 99 bytes, but 100"));
}

static void test_write_after_free_is_seen(void **state)
{
    struct sluice_pages pages = take(0, false);

    (void)state;
    ops->pages_free(host, pages, 0);
    ((uint8_t *)pages.virt)[77] = 0;
    assert_int_equal(model_host_violations(host), 0);
    pages = take(0, false);
    assert_true(model_host_violated(host, "written while it was free"));
    ops->pages_free(host, pages, 0);
}

static void test_allocations_fail_when_told(void **state)
{
    struct sluice_page_request request = {.node = -1};
    struct sluice_pages pages;
    void *object;

    (void)state;
    model_host_fail_allocation(host, 1, false);
    object = ops->alloc(host, 8);
    assert_non_null(object);
    assert_false(ops->pages_alloc(host, &request, &pages));
    assert_true(ops->pages_alloc(host, &request, &pages));
    model_host_fail_allocation(host, 0, true);
    assert_null(ops->alloc(host, 8));
    assert_null(ops->alloc(host, 8));
    model_host_fail_no_more(host);
    assert_int_equal(model_host_objects_in_use(host), 1);
    assert_int_equal(model_host_pages_in_use(host), 1);
    ops->free(host, object, 8);
    ops->pages_free(host, pages, 0);
    assert_int_equal(model_host_objects_in_use(host), 0);
}

static void test_clock_is_simulated(void **state)
{
    uint64_t first = ops->now_ns(host);

    (void)state;
    assert_int_equal(ops->now_ns(host), first + 1000);
    ops->stall_ns(host, 5000);
    assert_int_equal(ops->now_ns(host), first + 7000);
}

static uint64_t last_value;

static uint64_t test_read(void *arg, uint64_t offset, unsigned width)
{
    (void)arg;
    return offset * 16 + width;
}

static void test_write(void *arg, uint64_t offset, unsigned width, uint64_t value)
{
    (void)arg;
    (void)width;
    last_value = offset == 0x104 ? value : 0;
}

static void hook(void *arg, const struct model_mmio_event *event)
{
    (void)arg;
    assert_int_equal(event->phys, 0xf0000104);
    assert_int_equal(event->after, calls);
    if (!event->after)
        assert_int_equal(last_value, 0);
    else
        assert_int_equal(last_value, 9);
    calls++;
    assert_int_equal(model_host_run_events(host), 0); /* interrupts are off here */
}

static void count(void *arg)
{
    (void)arg;
    calls += 100;
}

static void test_registers_and_hook(void **state)
{
    static const struct model_mmio_ops mmio = {test_read, test_write};
    void *handle;

    (void)state;
    last_value = 0;
    model_host_add_mmio(host, 0xf0000000, 0x1000, &mmio, NULL);
    assert_false(ops->mmio_map(host, 0xf0000000, 0x2000, &handle));
    assert_true(ops->mmio_map(host, 0xf0000100, 0x10, &handle));
    assert_int_equal(ops->mmio_read64(host, handle, 8), 0x108 * 16 + 8);
    ops->defer(host, count, NULL);
    model_host_set_mmio_hook(host, hook, NULL);
    ops->mmio_write32(host, handle, 4, 9);
    model_host_set_mmio_hook(host, NULL, NULL);
    assert_int_equal(calls, 2);
    assert_int_equal(model_host_run_events(host), 1);
    assert_int_equal(calls, 102);
    assert_int_equal(model_host_violations(host), 0);
    (void)ops->mmio_read32(host, handle, 0x10);
    assert_true(model_host_violated(host, "offset 0x10 of a mapping"));
    ops->mmio_unmap(host, handle, 0x10);
    assert_int_equal(model_host_mmio_maps(host), 0);
}

static uint8_t sum(const uint8_t *table, size_t bytes)
{
    uint8_t total = 0;

    while (bytes-- != 0)
        total = (uint8_t)(total + table[bytes]);
    return total;
}

static void test_machine_and_its_tables(void **state)
{
    struct machine_config config = machine_defaults();
    struct machine *machine;
    const struct sluice_host_ops *hooks;

    (void)state;
    config.functions[MACHINE_DEV_A].ats = true;
    config.regions[0] =
        (struct machine_region){.base = 0x200000, .last = 0x203fff, .rid = SLUICE_RID(1, 0, 0)};
    config.scoped = true;
    machine = machine_create(&config);
    hooks = model_host_ops(machine->host);
    assert_int_equal(sum(machine->dmar, machine->dmar_bytes), 0);
    assert_int_equal(sum(machine->mcfg, machine->mcfg_bytes), 0);
    assert_int_equal(machine->dmar[4] | machine->dmar[5] << 8, machine->dmar_bytes);
    /* DRHD: 16 bytes and four scopes of 8; then an RMRR with a path of two. */
    assert_int_equal(machine->dmar[48 + 2], 16 + 4 * 8);
    assert_int_equal(machine->dmar[48 + 48], 1);
    assert_memory_equal(machine->dmar + 48 + 48 + 24, "\x01\x0a\0\0\0\0\x1c\0\0\0", 10);
    assert_int_equal(hooks->pci_read(machine->host, 0, SLUICE_RID(0, 0x1c, 0), 0x19, 1), 1);
    assert_int_equal(hooks->pci_read(machine->host, 0, SLUICE_RID(0, 9, 0), 0, 4), UINT32_MAX);
    assert_int_equal(hooks->pci_read(machine->host, 0, SLUICE_RID(0, 3, 0), 0x100, 4), 0x1000f);
    assert_int_equal(hooks->pci_read(machine->host, 0, SLUICE_RID(0, 3, 0), 0x40, 1), 0x10);
    assert_int_equal(dma_device_rid(machine->devices[MACHINE_DEV_PCI]), SLUICE_RID(2, 0, 0));
    assert_int_equal(machine_destroy(machine), 0);
}

#define WITH_HOST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOST(test_pages_are_zero_aligned_and_where_asked),
        WITH_HOST(test_linear_map_is_linear),
        WITH_HOST(test_wrong_frees_are_seen),
        WITH_HOST(test_write_after_free_is_seen),
        WITH_HOST(test_allocations_fail_when_told),
        WITH_HOST(test_clock_is_simulated),
        WITH_HOST(test_registers_and_hook),
        cmocka_unit_test(test_machine_and_its_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
