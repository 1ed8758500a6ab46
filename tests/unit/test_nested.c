// SPDX-License-Identifier: MIT
/*
 * Nested domains: a guest's first stage on our second stage, judged by what its device reads, and
 * hostile guests. On an SMMUv3, or with SLUICE_TEST_UNIT=riscv on a RISC-V IOMMU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nested_guest.h"

#define RID_A   SLUICE_RID(0, 3, 0)
#define RID_B   SLUICE_RID(0, 4, 0)
#define NOWHERE ((sluice_iova_t)0x80000000) /* a guest address that nothing is at */

/* A machine, a guest in it, a device of the guest's. */
struct story {
    struct guest_unit unit;
    struct scene scene;
    struct guest guest;
    struct sluice_device *device;
    struct sluice_domain *nested;
};

static void story_begin(struct story *story)
{
    struct scene_config config;

    story->unit = guest_unit();
    config = guest_machine(&story->unit);
    scene_start(&story->scene, &config);
    guest_make(&story->guest, &story->scene);
    story->device = scene_device(&story->scene, RID_A);
    story->nested = guest_nested(&story->guest);
    assert_int_equal(sluice_domain_attach(story->nested, story->device), SLUICE_OK);
}

static void story_end(struct story *story)
{
    scene_forget(story->device);
    assert_int_equal(sluice_domain_destroy(story->nested), SLUICE_OK);
    guest_free(&story->guest);
    scene_finish(&story->scene);
}

static int reads(struct story *story)
{
    return scene_reads(&story->scene, MACHINE_DEV_A, GUEST_VA);
}

static void forget(struct story *story, enum sluice_nested_what what)
{
    const struct sluice_nested_invalidation item = {.what = what,
                                                    .pasid = SLUICE_NO_PASID,
                                                    .tag = GUEST_ASID,
                                                    .first = GUEST_VA,
                                                    .last = GUEST_VA + 0xfff};

    assert_int_equal(sluice_domain_invalidate_nested(story->nested, &item, 1), SLUICE_OK);
}

/* From the device's address through both stages; what the guest forgets is forgotten. */
static void through_both(void **state)
{
    static const enum sluice_nested_what ways[] = {SLUICE_NESTED_EVERYTHING, SLUICE_NESTED_TAG,
                                                   SLUICE_NESTED_RANGE};
    struct story story;

    (void)state;
    story_begin(&story);
    assert_int_equal(reads(&story), 0x44);
    assert_true(
        scene_writes(&story.scene, MACHINE_DEV_A, GUEST_VA, &story.guest.pages[GUEST_DATA]));
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        ((uint8_t *)story.guest.pages[GUEST_DATA].virt)[0] = 0x44;
        guest_map(&story.guest, 0, guest_address(GUEST_DATA), true);
        forget(&story, ways[i]);
        assert_int_equal(reads(&story), 0x44);
        guest_map(&story.guest, 0, guest_address(GUEST_OTHER), true);
        assert_int_equal(reads(&story), 0x44); /* cached, as hardware may */
        forget(&story, ways[i]);
        assert_int_equal(reads(&story), 0x55);
    }
    /* Another root in the descriptor, which leads nowhere. */
    guest_context(&story.guest, 0, guest_address(GUEST_L3), GUEST_ASID + 1);
    assert_int_equal(reads(&story), 0x55);
    forget(&story, SLUICE_NESTED_CONTEXTS);
    assert_int_equal(reads(&story), -1);
    story_end(&story);
}

/* Whatever the guest maps, it reaches no more than its hypervisor mapped. */
static void bounded(void **state)
{
    const struct sluice_domain_config plain = {.kind = SLUICE_DOMAIN_UNMANAGED};
    struct sluice_pages secret;
    struct sluice_domain *other;
    struct story story;

    (void)state;
    story_begin(&story);
    secret = scene_page(&story.scene, 0x66);
    assert_int_equal(sluice_domain_create(story.scene.sluice, &plain, &other), SLUICE_OK);
    scene_map(other, GUEST_VA, &secret);
    /* Memory of the host's, by its own address; then nothing at all. */
    guest_map(&story.guest, 1, secret.phys, true);
    guest_map(&story.guest, 2, NOWHERE, true);
    assert_int_equal(reads(&story), 0x44);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, GUEST_VA + 0x1000), -1);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, GUEST_VA + 0x2000), -1);
    /* A page that the hypervisor lets be read only. */
    assert_int_equal(sluice_domain_map(story.guest.parent, NOWHERE, secret.phys, SLUICE_PAGE_BYTES,
                                       SLUICE_PROT_READ),
                     SLUICE_OK);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, GUEST_VA + 0x2000), 0x66);
    assert_false(scene_writes(&story.scene, MACHINE_DEV_A, GUEST_VA + 0x2000, &secret));
    scene_page_free(&story.scene, secret);
    assert_int_equal(sluice_domain_destroy(other), SLUICE_OK);
    story_end(&story);
}

/* Reading its tables and descriptors is bounded like the rest. */
static void tables_bounded(void **state)
{
    struct sluice_nested_info info;
    struct sluice_domain *nested;
    struct sluice_pages secret;
    struct story story;

    (void)state;
    story_begin(&story);
    secret = scene_page(&story.scene, 0);
    /* The very context, in memory that is the host's. */
    for (unsigned i = 0; i < 8; i++)
        ((uint64_t *)secret.virt)[i] = ((uint64_t *)story.guest.pages[GUEST_CONTEXTS].virt)[i];
    info = guest_info_at(secret.phys);
    assert_int_equal(sluice_domain_create_nested(story.guest.parent, &info, &nested), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(reads(&story), -1);
    assert_int_equal(sluice_domain_attach(story.nested, story.device), SLUICE_OK);
    assert_int_equal(reads(&story), 0x44);
    guest_context(&story.guest, 0, secret.phys, GUEST_ASID + 1);
    forget(&story, SLUICE_NESTED_EVERYTHING);
    assert_int_equal(reads(&story), -1);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    scene_page_free(&story.scene, secret);
    story_end(&story);
}

/* What the hypervisor takes away is gone from what was cached of both stages together. */
static void parent_unmaps(void **state)
{
    static const unsigned gone[] = {GUEST_DATA, GUEST_L3, GUEST_L1, GUEST_CONTEXTS};
    enum sluice_nested_what forgets;
    struct story story;

    (void)state;
    story_begin(&story);
    for (unsigned i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        assert_int_equal(reads(&story), 0x44);
        assert_int_equal(sluice_domain_unmap(story.guest.parent, guest_address(gone[i]),
                                             SLUICE_PAGE_BYTES, NULL),
                         SLUICE_OK);
        if (guest_keeps(gone[i], &forgets)) {
            assert_int_equal(reads(&story), 0x44);
            forget(&story, forgets);
        }
        assert_int_equal(reads(&story), -1);
        scene_map(story.guest.parent, guest_address(gone[i]), &story.guest.pages[gone[i]]);
    }
    story_end(&story);
}

/* Between all kinds of domains, and what holds what. */
static void coming_and_going(void **state)
{
    struct sluice_domain *plain, *second;
    struct sluice_device *b;
    struct sluice_pages page;
    struct sluice_domain_info info;
    struct story story;

    (void)state;
    story_begin(&story);
    page = scene_page(&story.scene, 0x77);
    plain = scene_domain(&story.scene, SLUICE_DOMAIN_UNMANAGED);
    scene_map(plain, GUEST_VA, &page);
    assert_int_equal(sluice_domain_attach(plain, story.device), SLUICE_OK);
    assert_int_equal(reads(&story), 0x77);
    assert_int_equal(sluice_domain_attach(story.nested, story.device), SLUICE_OK);
    assert_int_equal(reads(&story), 0x44);
    assert_int_equal(sluice_domain_attach(story.guest.parent, story.device), SLUICE_OK);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, guest_address(GUEST_OTHER)), 0x55);
    assert_int_equal(reads(&story), -1);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(reads(&story), -1);
    assert_int_equal(sluice_domain_attach(story.nested, story.device), SLUICE_OK);
    assert_int_equal(reads(&story), 0x44);
    /* A second one in the same parent, for another device. */
    second = guest_nested(&story.guest);
    b = scene_device(&story.scene, RID_B);
    assert_int_equal(sluice_domain_attach(second, b), SLUICE_OK);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_B, GUEST_VA), 0x44);
    assert_int_equal(sluice_domain_destroy(second), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_destroy(story.guest.parent), SLUICE_ERR_BUSY);
    scene_forget(b);
    assert_int_equal(reads(&story), 0x44);
    sluice_domain_info(second, &info);
    assert_int_equal(info.kind, SLUICE_DOMAIN_NESTED);
    assert_int_equal(sluice_domain_destroy(second), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(story.guest.parent), SLUICE_ERR_BUSY);
    /* It has no tables of ours. */
    assert_int_equal(
        sluice_domain_map(story.nested, GUEST_VA, page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_attach(plain, story.device), SLUICE_OK);
    scene_page_free(&story.scene, page);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(plain), SLUICE_OK);
    /* Nobody is in the nested one: it stands on the parent all the same. */
    assert_int_equal(sluice_domain_destroy(story.guest.parent), SLUICE_ERR_BUSY);
    story_end(&story);
}

static enum sluice_status try(struct story *story, const struct sluice_nested_info *info)
{
    struct sluice_domain *nested;
    enum sluice_status status = sluice_domain_create_nested(story->guest.parent, info, &nested);

    if (status != SLUICE_OK)
        return status;
    status = sluice_domain_attach(nested, story->device);
    assert_int_equal(reads(story), 0x44); /* where it was */
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    return status;
}

static void refusals(void **state)
{
    const struct sluice_domain_config wrong = {.kind = SLUICE_DOMAIN_DMA, .nest_parent = true};
    const struct sluice_domain_config nested = {.kind = SLUICE_DOMAIN_NESTED};
    struct sluice_nested_info info;
    enum sluice_status status;
    struct sluice_nested_invalidation item = {.what = SLUICE_NESTED_RANGE, .first = 1};
    struct sluice_domain *plain, *out;
    struct story story;

    (void)state;
    story_begin(&story);
    for (unsigned i = 0; guest_info_wrong(i, &info, &status); i++)
        assert_int_equal(try(&story, &info), status);
    info.format = SLUICE_NESTED_NONE;
    assert_int_equal(try(&story, &info), SLUICE_ERR_INVALID);
    info = guest_info();
    plain = scene_domain(&story.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_create_nested(plain, &info, &out), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_create_nested(story.nested, &info, &out), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_create(story.scene.sluice, &wrong, &out), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_create(story.scene.sluice, &nested, &out), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_invalidate_nested(plain, &item, 1), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_invalidate_nested(story.nested, &item, 1), SLUICE_ERR_INVALID);
    item.what = (enum sluice_nested_what)9;
    assert_int_equal(sluice_domain_invalidate_nested(story.nested, &item, 1), SLUICE_ERR_INVALID);
    assert_int_equal(
        sluice_domain_invalidate_nested(story.nested, &item, SLUICE_NESTED_LIST_MAX + 1),
        SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_invalidate_nested(story.nested, &item, 0), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(plain), SLUICE_OK);
    story_end(&story);
}

/* A list as long as there may be, of ranges as wide as there are. */
static void long_lists(void **state)
{
    struct sluice_nested_invalidation list[SLUICE_NESTED_LIST_MAX];
    struct story story;

    (void)state;
    story_begin(&story);
    for (unsigned i = 0; i < SLUICE_NESTED_LIST_MAX; i++)
        list[i] = (struct sluice_nested_invalidation){.what = SLUICE_NESTED_RANGE,
                                                      .tag = i * 0x1000000u,
                                                      .first = i % 2 != 0 ? 0 : GUEST_VA,
                                                      .last = UINT64_MAX};
    assert_int_equal(reads(&story), 0x44);
    guest_map(&story.guest, 0, guest_address(GUEST_OTHER), true);
    list[0].tag = GUEST_ASID;
    assert_int_equal(sluice_domain_invalidate_nested(story.nested, list, SLUICE_NESTED_LIST_MAX),
                     SLUICE_OK);
    assert_int_equal(reads(&story), 0x55);
    /* A tag that no ASID can be is nobody's: nothing is forgotten, and nothing goes wrong. */
    guest_map(&story.guest, 0, guest_address(GUEST_DATA), true);
    assert_int_equal(sluice_domain_invalidate_nested(story.nested, &list[1], 1), SLUICE_OK);
    assert_int_equal(reads(&story), 0x55);
    story_end(&story);
}

static int reads_pasid(struct story *story, uint32_t pasid)
{
    const struct model_dma_request request = {
        .rid = 0x1000 + RID_A, .address = GUEST_VA, .has_pasid = true, .pasid = pasid};
    uint8_t byte = 0;

    if (!smmu3_model_dma(story->scene.machine->unit, &request, &byte, 1, NULL))
        return -1;
    return byte;
}

/* Substreams of the guest's: which there are, and where requests without one go, it says. */
static void substreams(void **state)
{
    struct sluice_nested_info info = guest_info();
    struct sluice_nested_invalidation item = {.what = SLUICE_NESTED_CONTEXTS, .pasid = 2};
    struct sluice_domain *nested;
    struct story story;

    (void)state;
    story_begin(&story);
    guest_context(&story.guest, 2, guest_address(GUEST_L1), GUEST_ASID + 2);
    info.smmu3.contexts_lg2 = 2;
    for (unsigned without = 0; without < 3; without++) {
        info.smmu3.without_substream = without;
        assert_int_equal(sluice_domain_create_nested(story.guest.parent, &info, &nested),
                         SLUICE_OK);
        assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
        assert_int_equal(reads_pasid(&story, 2), 0x44);
        assert_int_equal(reads_pasid(&story, 1), -1);
        assert_int_equal(reads_pasid(&story, 4), -1);
        assert_int_equal(reads(&story), without == 2 ? 0x44 : -1);
        assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, guest_address(GUEST_OTHER)),
                         without == 1 ? 0x55 : -1);
        assert_int_equal(sluice_domain_attach(story.nested, story.device), SLUICE_OK);
        assert_int_equal(reads_pasid(&story, 2), -1);
        assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    }
    info.smmu3.without_substream = 0;
    assert_int_equal(sluice_domain_create_nested(story.guest.parent, &info, &nested), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(reads_pasid(&story, 2), 0x44);
    guest_context(&story.guest, 2, NOWHERE, GUEST_ASID + 3);
    assert_int_equal(sluice_domain_invalidate_nested(nested, &item, 1), SLUICE_OK);
    assert_int_equal(reads_pasid(&story, 2), -1);
    assert_int_equal(sluice_domain_attach(story.nested, story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    story_end(&story);
}

/* scene_silence() knows an SMMUv3 only where SLUICE_TEST_UNIT says it. */
static void silence(struct scene *scene, bool silent)
{
    if (scene_on_riscv())
        scene_silence(scene, silent);
    else
        smmu3_model_inject(scene->machine->unit,
                           &(struct smmu3_model_injection){.sync_stuck = silent});
}

/* A unit that does not answer: the device is blocked, and the parent's memory is not given back. */
static void no_answer(void **state)
{
    struct sluice_domain_info info;
    struct story story;

    (void)state;
    story_begin(&story);
    assert_int_equal(reads(&story), 0x44);
    silence(&story.scene, true);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_ERR_TIMEOUT);
    silence(&story.scene, false);
    assert_int_equal(
        sluice_domain_unmap(story.guest.parent, guest_address(GUEST_DATA), SLUICE_PAGE_BYTES, NULL),
        SLUICE_ERR_TIMEOUT);
    sluice_domain_info(story.guest.parent, &info);
    scene_finish_withheld(&story.scene, info.table_bytes / SLUICE_PAGE_BYTES);
}

/* Units with one stage, or of a kind that nests nothing. */
static void unsupported(void **state)
{
    const struct sluice_domain_config parent = {.kind = SLUICE_DOMAIN_UNMANAGED,
                                                .nest_parent = true};
    struct scene_config on_vtd = {.machine = machine_defaults()};
    struct guest_unit unit = guest_unit();
    struct scene_config config = guest_machine(&unit);
    struct sluice_domain *domain;
    struct scene scene;

    (void)state;
    scene_start(&scene, &on_vtd);
    assert_int_equal(sluice_domain_create(scene.sluice, &parent, &domain), SLUICE_ERR_UNSUPPORTED);
    scene_finish(&scene);
    unit.smmu3.stage1 = false;
    unit.riscv.sv39 = unit.riscv.sv48 = unit.riscv.sv57 = false;
    scene_start(&scene, &config);
    assert_int_equal(sluice_domain_create(scene.sluice, &parent, &domain), SLUICE_ERR_UNSUPPORTED);
    scene_finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_both),     cmocka_unit_test(bounded),
        cmocka_unit_test(tables_bounded),   cmocka_unit_test(parent_unmaps),
        cmocka_unit_test(coming_and_going), cmocka_unit_test(refusals),
        cmocka_unit_test(long_lists),       cmocka_unit_test(no_answer),
        cmocka_unit_test(unsupported),      cmocka_unit_test(substreams),
    };
    const size_t count = sizeof(tests) / sizeof(tests[0]);

    /* The last is an SMMUv3's alone; a RISC-V IOMMU's are in test_riscv_nested.c. */
    return _cmocka_run_group_tests("nested", tests, scene_on_riscv() ? count - 1 : count, NULL,
                                   NULL);
}
