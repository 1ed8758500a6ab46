// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nested_guest.h"

/* ---- an SMMUv3's ---- */

#define ARM_TABLE     3u /* valid, and a table or a page */
#define ARM_NG        (1ull << 11)
#define ARM_AF        (1ull << 10)
#define ARM_INNER     (3ull << 8)
#define ARM_READ_ONLY (1ull << 7)
#define ARM_USER      (1ull << 6)

static void arm_context(uint64_t *contexts, unsigned index, uint64_t root, unsigned asid)
{
    uint64_t *cd = contexts + (size_t)index * 8;

    /* 39 bits of input, 4 KiB, write-back, no upper half; 48 bits of output; AA64, R, A. */
    cd[0] = 25u | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 30 | 1ull << 31 | 5ull << 32 | 1ull << 41 |
            1ull << 45 | 1ull << 46 | (uint64_t)asid << 48;
    cd[1] = root;
    cd[3] = 0xff;
}

static uint64_t arm_table(sluice_iova_t to)
{
    return to | ARM_TABLE;
}

static uint64_t arm_leaf(sluice_iova_t to, bool write)
{
    return to | ARM_NG | ARM_AF | ARM_INNER | ARM_USER | ARM_TABLE | (write ? 0 : ARM_READ_ONLY);
}

static struct sluice_nested_info arm_info(sluice_iova_t contexts)
{
    return (struct sluice_nested_info){.format = SLUICE_NESTED_SMMU_V3,
                                       .smmu3 = {.contexts = contexts, .without_substream = 2}};
}

static bool arm_wrong(unsigned index, struct sluice_nested_info *info, enum sluice_status *status)
{
    *status = SLUICE_ERR_INVALID;
    switch (index) {
    case 0:
        info->smmu3.contexts += 8;
        return true;
    case 1:
        info->smmu3.without_substream = 3;
        return true;
    case 2:
        info->smmu3.format = 3;
        return true;
    case 3:
        info->smmu3.contexts = (uint64_t)1 << 60;
        *status = SLUICE_ERR_RANGE;
        return true;
    case 4:
        info->smmu3.contexts_lg2 = 9;
        *status = SLUICE_ERR_UNSUPPORTED;
        return true;
    case 5:
        info->format = SLUICE_NESTED_RISCV;
        *status = SLUICE_ERR_UNSUPPORTED;
        return true;
    default:
        return false;
    }
}

/* ---- a RISC-V IOMMU's ---- */

#define RISCV_PD8   (1ull << 60)
#define RISCV_PD17  (2ull << 60)
#define RISCV_SV39  (8ull << 60)
#define RISCV_SV57  (10ull << 60)
#define RISCV_PAGE  0x1000u
#define RISCV_VALID 1u
#define RISCV_LEAF  0x53u /* valid, read, user, accessed */
#define RISCV_WRITE 0x84u /* and dirty */

static void riscv_context(uint64_t *contexts, unsigned index, uint64_t root, unsigned asid)
{
    uint64_t *pc = contexts + (size_t)index * 2;

    pc[0] = RISCV_VALID | (uint64_t)asid << 12;
    pc[1] = RISCV_SV39 | root / RISCV_PAGE;
}

static uint64_t riscv_table(sluice_iova_t to)
{
    return to / RISCV_PAGE << 10 | RISCV_VALID;
}

static uint64_t riscv_leaf(sluice_iova_t to, bool write)
{
    return to / RISCV_PAGE << 10 | RISCV_LEAF | (write ? RISCV_WRITE : 0);
}

static struct sluice_nested_info riscv_info(sluice_iova_t contexts)
{
    return (struct sluice_nested_info){.format = SLUICE_NESTED_RISCV,
                                       .riscv = {.first_stage = RISCV_PD8 | contexts / RISCV_PAGE,
                                                 .processes = true,
                                                 .default_process = true}};
}

static bool riscv_wrong(unsigned index, struct sluice_nested_info *info, enum sluice_status *status)
{
    const uint64_t page = guest_address(GUEST_L1) / RISCV_PAGE;
    static const struct sluice_nested_riscv wrong[] = {
        {.first_stage = RISCV_SV39, .processes = true}, /* no such directory */
        {.first_stage = 4ull << 60, .processes = true},
        {.first_stage = RISCV_PD8}, /* no such first stage */
        {.first_stage = 15ull << 60},
        {.first_stage = 7ull << 60},
        {.first_stage = RISCV_SV39 | 1ull << 44}, /* reserved */
        {.first_stage = RISCV_SV39 | 1ull << 59},
        {.first_stage = 1ull << 50}, /* likewise of a bare one */
        {.first_stage = RISCV_SV39, .tag = 1u << 20},
        {.first_stage = RISCV_SV39, .tag = UINT32_MAX},
        {.first_stage = RISCV_SV39, .default_process = true},
    };
    const unsigned count = sizeof(wrong) / sizeof(wrong[0]);

    *status = SLUICE_ERR_INVALID;
    if (index < count) {
        info->riscv = wrong[index];
        info->riscv.first_stage |= page;
        return true;
    }
    switch (index - count) {
    case 0: /* beyond what the parent can have */
        info->riscv.first_stage = RISCV_PD8 | 1ull << 43;
        *status = SLUICE_ERR_RANGE;
        return true;
    case 1: /* not built into this unit */
        info->riscv.first_stage = RISCV_PD17 | page;
        *status = SLUICE_ERR_UNSUPPORTED;
        return true;
    case 2:
        info->riscv = (struct sluice_nested_riscv){.first_stage = RISCV_SV57 | page};
        *status = SLUICE_ERR_UNSUPPORTED;
        return true;
    case 3:
        info->format = SLUICE_NESTED_SMMU_V3;
        *status = SLUICE_ERR_UNSUPPORTED;
        return true;
    default:
        return false;
    }
}

/* ---- of either ---- */

struct guest_unit guest_unit(void)
{
    struct guest_unit unit = {.smmu3 = smmu3_model_defaults(), .riscv = riscv_model_defaults()};

    unit.smmu3.ssid_bits = 8;
    unit.riscv.reset_mode = 1; /* bare */
    unit.riscv.processes = 5;  /* PD8 and PD20 */
    unit.riscv.sv57 = unit.riscv.sv57x4 = false;
    unit.riscv.by_device_address = true;
    return unit;
}

struct scene_config guest_machine(const struct guest_unit *unit)
{
    bool riscv = scene_on_riscv();
    struct scene_config config = {.machine =
                                      riscv ? machine_defaults_riscv() : machine_defaults_smmu3()};

    config.machine.kind_config = riscv ? (const void *)&unit->riscv : &unit->smmu3;
    return config;
}

sluice_iova_t guest_address(unsigned page)
{
    return GUEST_BASE + page * SLUICE_PAGE_BYTES;
}

static uint64_t *words(struct guest *guest, unsigned page)
{
    return guest->pages[page].virt;
}

void guest_context(struct guest *guest, unsigned index, uint64_t root, unsigned asid)
{
    uint64_t *contexts = words(guest, GUEST_CONTEXTS);

    if (scene_on_riscv())
        riscv_context(contexts, index, root, asid);
    else
        arm_context(contexts, index, root, asid);
}

void guest_map(struct guest *guest, unsigned page, sluice_iova_t to, bool write)
{
    words(guest, GUEST_L3)[(GUEST_VA >> 12 & 511) + page] =
        scene_on_riscv() ? riscv_leaf(to, write) : arm_leaf(to, write);
}

static uint64_t table(unsigned page)
{
    return scene_on_riscv() ? riscv_table(guest_address(page)) : arm_table(guest_address(page));
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
    words(guest, GUEST_L1)[GUEST_VA >> 30] = table(GUEST_L2);
    words(guest, GUEST_L2)[GUEST_VA >> 21 & 511] = table(GUEST_L3);
    guest_map(guest, 0, guest_address(GUEST_DATA), true);
    guest_context(guest, 0, guest_address(GUEST_L1), GUEST_ASID);
}

void guest_free(struct guest *guest)
{
    assert_int_equal(sluice_domain_destroy(guest->parent), SLUICE_OK);
    for (unsigned i = 0; i < GUEST_PAGES; i++)
        scene_page_free(guest->scene, guest->pages[i]);
}

struct sluice_nested_info guest_info_at(sluice_iova_t contexts)
{
    return scene_on_riscv() ? riscv_info(contexts) : arm_info(contexts);
}

struct sluice_nested_info guest_info(void)
{
    return guest_info_at(guest_address(GUEST_CONTEXTS));
}

bool guest_info_wrong(unsigned index, struct sluice_nested_info *out,
                      enum sluice_status *out_status)
{
    *out = guest_info();
    return scene_on_riscv() ? riscv_wrong(index, out, out_status)
                            : arm_wrong(index, out, out_status);
}

bool guest_keeps(unsigned page, enum sluice_nested_what *out_what)
{
    *out_what = scene_on_riscv() ? SLUICE_NESTED_TAG : SLUICE_NESTED_CONTEXTS;
    /* A RISC-V IOMMU's contexts may hold addresses of what is below, and go with it. Which table
     * the root led to is a guest's address, and kept. */
    return page == (scene_on_riscv() ? GUEST_L1 : GUEST_CONTEXTS);
}

struct sluice_domain *guest_nested(struct guest *guest)
{
    const struct sluice_nested_info info = guest_info();
    struct sluice_domain *nested;

    assert_int_equal(sluice_domain_create_nested(guest->parent, &info, &nested), SLUICE_OK);
    return nested;
}
