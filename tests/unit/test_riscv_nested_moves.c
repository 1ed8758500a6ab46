// SPDX-License-Identifier: MIT
/*
 * Nested domains on a RISC-V IOMMU: hostile guests, devices that move in and out, and interrupts
 * that go through entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_interrupt_rig.h"
#include "riscv_story.h"

/* ---- hostile guests ---- */

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 16;
}

/* An entry that leads somewhere more often than chance would have it. */
static uint64_t entry(uint64_t *seed, const struct sluice_pages *secret)
{
    uint64_t flags = next(seed) & 0xff, to;

    switch (next(seed) % 4) {
    case 0:
        to = guest_address((unsigned)(next(seed) % GUEST_PAGES));
        break;
    case 1:
        to = secret->phys;
        break;
    case 2:
        to = next(seed) & 0xfffffffffff000;
        break;
    default:
        return next(seed) << 20 ^ next(seed);
    }
    return to >> 12 << 10 | (next(seed) % 2 != 0 ? 0xd7 : flags);
}

/* Whatever is in all of the guest's pages, its device reaches these and nothing else. */
static void anything(void **state)
{
    struct sluice_domain *nested;
    struct sluice_pages secret;
    struct story story = {.unit = guest_unit()};
    uint64_t seed = 1;

    (void)state;
    story_begin(&story);
    secret = scene_page(&story.scene, 0x66);
    nested = guest_nested(&story.guest);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    for (unsigned round = 0; round < 300; round++) {
        const uint8_t byte = 0x99;

        for (unsigned page = 0; page < GUEST_PAGES; page++) {
            uint64_t *words = story.guest.pages[page].virt;

            for (unsigned i = 0; i < SLUICE_PAGE_BYTES / 8; i++)
                words[i] = entry(&seed, &secret);
        }
        if (round % 2 != 0)
            guest_context(&story.guest, 0, guest_address((unsigned)(next(&seed) % GUEST_PAGES)),
                          GUEST_ASID);
        story_forget(nested, SLUICE_NESTED_EVERYTHING, 0, 0);
        for (unsigned i = 0; i < 16; i++)
            (void)dma_device_write(story.scene.machine->devices[MACHINE_DEV_A],
                                   next(&seed) & 0x3fffffffff, &byte, 1, NULL);
        for (unsigned i = 0; i < SLUICE_PAGE_BYTES; i++)
            assert_int_equal(((uint8_t *)secret.virt)[i], 0x66);
    }
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    scene_page_free(&story.scene, secret);
    story_end(&story);
}

/* ---- moving ---- */

struct look {
    struct story *story;
    int allowed[2];
    unsigned seen, wrong;
    bool busy;
};

static void look(void *arg)
{
    struct look *at = arg;
    int byte;

    if (at->busy)
        return;
    at->busy = true;
    byte = story_reads_process(at->story,
                               SLUICE_NO_PASID); /* past the device: nothing runs after it */
    at->busy = false;
    at->seen++;
    at->wrong += byte != -1 && byte != at->allowed[0] && byte != at->allowed[1];
}

static void move(struct look *at, struct sluice_domain *to, int old, int new)
{
    at->allowed[0] = old;
    at->allowed[1] = new;
    at->busy = false;
    assert_int_equal(to != NULL ? sluice_domain_attach(to, at->story->device)
                                : sluice_domain_detach(at->story->device),
                     SLUICE_OK);
    at->busy = true; /* draining its faults takes time too, in which it would look again */
    assert_int_equal(story_reads(at->story), new);
}

/* A device that never stops reading, while it is moved between all kinds of domains. */
static void no_window(void **state)
{
    const struct sluice_nested_info one = story_one_stage(GUEST_L1, GUEST_ASID);
    const struct sluice_nested_info two = guest_info();
    struct sluice_domain *nested[2], *plain;
    struct story story = {.unit = guest_unit()};
    struct look at = {.story = &story, .busy = true};
    struct sluice_pages page;

    (void)state;
    story.unit.riscv.queue_mode = RISCV_MODEL_AT_TICK;
    story_begin(&story);
    page = scene_page(&story.scene, 0x77);
    plain = scene_domain(&story.scene, SLUICE_DOMAIN_UNMANAGED);
    scene_map(plain, GUEST_VA, &page);
    nested[0] = story_nest(&story.guest, &one);
    nested[1] = story_nest(&story.guest, &two);
    model_host_add_tick(story.scene.machine->host, look, &at);
    move(&at, plain, -1, 0x77);
    move(&at, nested[0], 0x77, 0x44);
    move(&at, nested[1], 0x44, 0x44);
    move(&at, plain, 0x44, 0x77);
    move(&at, nested[1], 0x77, 0x44);
    move(&at, story.guest.parent, 0x44, -1);
    move(&at, nested[0], -1, 0x44);
    move(&at, story.guest.parent, 0x44, -1);
    move(&at, nested[0], -1, 0x44);
    move(&at, NULL, 0x44, -1);
    assert_int_equal(at.wrong, 0);
    assert_true(at.seen > 50);
    assert_int_equal(sluice_domain_destroy(nested[0]), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested[1]), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(plain), SLUICE_OK);
    scene_page_free(&story.scene, page);
    story_end(&story);
}

/* Without memory at any point the device stays where it was. */
static void no_memory(void **state)
{
    const struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    struct story story = {.unit = guest_unit()};
    struct sluice_domain *nested;
    unsigned failures = 0;

    (void)state;
    story_begin(&story);
    assert_int_equal(sluice_domain_attach(story.guest.parent, story.device), SLUICE_OK);
    nested = story_nest(&story.guest, &info);
    for (uint64_t nth = 0;; nth++) {
        enum sluice_status status;

        model_host_fail_allocation(story.scene.machine->host, nth, true);
        status = sluice_domain_attach(nested, story.device);
        model_host_fail_no_more(story.scene.machine->host);
        if (status == SLUICE_OK)
            break;
        failures++;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, guest_address(GUEST_OTHER)),
                         0x55);
        assert_int_equal(story_reads(&story), -1);
    }
    assert_true(failures >= 2); /* a link, and whom to tell of */
    assert_int_equal(story_reads(&story), 0x44);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    story_end(&story);
}

/* ---- where interrupts go through entries ---- */

/* Devices have GSCIDs of their own there; messages go where the guest's tables lead them to. */
static void remapped(void **state)
{
    const struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    struct sluice_domain *nested;
    struct sluice_interrupt *interrupt;
    struct sluice_device *a, *b;
    struct sluice_msi msi;
    struct guest guest;
    struct scene *scene = &riscv_rig.scene;

    (void)state;
    riscv_rig_reset();
    riscv_rig.unit.by_device_address = true;
    riscv_rig_start();
    guest_make(&guest, scene);
    a = scene_device(scene, STORY_RID_A);
    b = scene_device(scene, STORY_RID_B);
    interrupt = riscv_rig_take(a, 1);
    assert_int_equal(riscv_rig_route(interrupt, 0, 1, 42), SLUICE_OK);
    msi = riscv_rig_message(interrupt, 0);
    nested = story_nest(&guest, &info);
    assert_int_equal(sluice_domain_attach(nested, a), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(nested, b), SLUICE_OK);
    for (unsigned device = MACHINE_DEV_A; device <= MACHINE_DEV_B; device++)
        assert_int_equal(scene_reads(scene, device, GUEST_VA), 0x44);
    guest_map(&guest, 0, guest_address(GUEST_OTHER), true);
    story_forget(nested, SLUICE_NESTED_RANGE, GUEST_ASID, GUEST_VA);
    for (unsigned device = MACHINE_DEV_A; device <= MACHINE_DEV_B; device++)
        assert_int_equal(scene_reads(scene, device, GUEST_VA), 0x55);
    /* The guest's tables say where the message is to go, and the device's entry what of it. */
    riscv_rig_expect_refused(MACHINE_DEV_A, msi.address, msi.data, STORY_WRITE_PAGE);
    guest_map(&guest, 3, msi.address & ~(uint64_t)0xfff, true);
    msi.address = GUEST_VA + 0x3000;
    riscv_rig_expect_from(MACHINE_DEV_A, msi, 1, 42);
    riscv_rig_expect_refused(MACHINE_DEV_B, msi.address, msi.data, NOT_VALID);
    assert_int_equal(
        sluice_domain_unmap(guest.parent, guest_address(GUEST_OTHER), SLUICE_PAGE_BYTES, NULL),
        SLUICE_OK);
    for (unsigned device = MACHINE_DEV_A; device <= MACHINE_DEV_B; device++)
        assert_int_equal(scene_reads(scene, device, GUEST_VA), -1);
    riscv_rig_expect_from(MACHINE_DEV_A, msi, 1, 42);
    riscv_rig_give(interrupt);
    riscv_rig_expect_refused(MACHINE_DEV_A, msi.address, msi.data, NOT_VALID);
    scene_forget(b);
    scene_forget(a);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    guest_free(&guest);
    scene_finish(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything),
        cmocka_unit_test(no_window),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(remapped),
    };

    return story_on_riscv() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
