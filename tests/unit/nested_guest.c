// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nested_guest.h"

#define TABLE     3u /* valid, and a table or a page */
#define NG        (1ull << 11)
#define AF        (1ull << 10)
#define INNER     (3ull << 8)
#define READ_ONLY (1ull << 7)
#define USER      (1ull << 6)

sluice_iova_t guest_address(unsigned page)
{
    return GUEST_BASE + page * SLUICE_PAGE_BYTES;
}

static uint64_t *words(struct guest *guest, unsigned page)
{
    return guest->pages[page].virt;
}

void guest_context(struct guest *guest, unsigned index, uint64_t ttb, unsigned asid)
{
    uint64_t *cd = words(guest, GUEST_CONTEXTS) + (size_t)index * 8;

    /* 39 bits of input, 4 KiB, write-back, no upper half; 48 bits of output; AA64, R, A. */
    cd[0] = 25u | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 30 | 1ull << 31 | 5ull << 32 | 1ull << 41 |
            1ull << 45 | 1ull << 46 | (uint64_t)asid << 48;
    cd[1] = ttb;
    cd[3] = 0xff;
}

void guest_map(struct guest *guest, unsigned page, sluice_iova_t to, bool write)
{
    words(guest, GUEST_L3)[(GUEST_VA >> 12 & 511) + page] =
        to | NG | AF | INNER | USER | TABLE | (write ? 0 : READ_ONLY);
}

void guest_make(struct guest *guest, struct scene *scene)
{
    const struct sluice_domain_config config = {
        .kind = SLUICE_DOMAIN_UNMANAGED, .name = "parent", .nest_parent = true};

    *guest = (struct guest){.scene = scene};
    assert_int_equal(sluice_domain_create(scene->sluice, &config, &guest->parent), SLUICE_OK);
    for (unsigned i = 0; i < GUEST_PAGES; i++) {
        guest->pages[i] = scene_page(scene, i == GUEST_DATA ? 0x44 : i == GUEST_OTHER ? 0x55 : 0);
        scene_map(guest->parent, guest_address(i), &guest->pages[i]);
    }
    words(guest, GUEST_L1)[GUEST_VA >> 30] = guest_address(GUEST_L2) | TABLE;
    words(guest, GUEST_L2)[GUEST_VA >> 21 & 511] = guest_address(GUEST_L3) | TABLE;
    guest_map(guest, 0, guest_address(GUEST_DATA), true);
    guest_context(guest, 0, guest_address(GUEST_L1), GUEST_ASID);
}

void guest_free(struct guest *guest)
{
    assert_int_equal(sluice_domain_destroy(guest->parent), SLUICE_OK);
    for (unsigned i = 0; i < GUEST_PAGES; i++)
        scene_page_free(guest->scene, guest->pages[i]);
}

struct sluice_nested_info guest_info(void)
{
    return (struct sluice_nested_info){
        .format = SLUICE_NESTED_SMMU_V3,
        .smmu3 = {.contexts = guest_address(GUEST_CONTEXTS), .without_substream = 2}};
}

struct sluice_domain *guest_nested(struct guest *guest)
{
    const struct sluice_nested_info info = guest_info();
    struct sluice_domain *nested;

    assert_int_equal(sluice_domain_create_nested(guest->parent, &info, &nested), SLUICE_OK);
    return nested;
}
