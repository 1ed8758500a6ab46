// SPDX-License-Identifier: MIT
/*
 * A guest as its unit sees one: contexts and first-stage tables in memory that its hypervisor maps
 * at guest addresses. Of an SMMUv3's guest these are context descriptors and stage 1 tables
 * [SMMU 5.4, Arm ARM D8.3]; of a RISC-V IOMMU's, a process directory of one level, with which
 * requests without a process ID have process 0, and Sv39 tables [RISC-V IOMMU 2.2, RISC-V
 * Privileged Sv39]. Written apart from the library's own.
 *
 * SLUICE_TEST_UNIT says which: riscv, else SMMUv3.
 */
#ifndef TESTS_UNIT_NESTED_GUEST_H
#define TESTS_UNIT_NESTED_GUEST_H

#include "models/riscv.h"
#include "models/smmu3.h"
#include "scene.h"

#define GUEST_BASE  ((sluice_iova_t)0x100000) /**< guest address of its first page */
#define GUEST_PAGES 6u
#define GUEST_VA    ((sluice_iova_t)0x3000200000) /**< what its device uses */
#define GUEST_ASID  9u

/** Its pages, by what is in them. */
enum {
    GUEST_CONTEXTS = 0,
    GUEST_L1 = 1,
    GUEST_L2 = 2,
    GUEST_L3 = 3,
    GUEST_DATA = 4,
    GUEST_OTHER = 5,
};

/** What the unit is built as. */
struct guest_unit {
    struct smmu3_model_config smmu3;
    struct riscv_model_config riscv;
};

struct guest {
    struct scene *scene;
    struct sluice_domain *parent;
    struct sluice_pages pages[GUEST_PAGES];
};

/** A unit with two stages, and room for some contexts of a guest's. */
struct guest_unit guest_unit(void);
/** A machine with such a unit, which lives as long as `unit`. */
struct scene_config guest_machine(const struct guest_unit *unit);
/** Memory, mapped in a parent domain; GUEST_VA leads to GUEST_DATA, which is filled with 0x44, and
 * GUEST_OTHER is filled with 0x55. */
void guest_make(struct guest *guest, struct scene *scene);
void guest_free(struct guest *guest);
sluice_iova_t guest_address(unsigned page);
/** Writes context `index` for the tables; root is a guest address. */
void guest_context(struct guest *guest, unsigned index, uint64_t root, unsigned asid);
/** Points GUEST_VA + page * 4 KiB at a guest address. */
void guest_map(struct guest *guest, unsigned page, sluice_iova_t to, bool write);
/** What it tells of its contexts, of which requests without a PASID have the first. */
struct sluice_nested_info guest_info(void);
/** The same, but that its contexts are at another guest address. */
struct sluice_nested_info guest_info_at(sluice_iova_t contexts);
/** The index-th that no unit may take, and what it is refused with; false past the last. */
bool guest_info_wrong(unsigned index, struct sluice_nested_info *out,
                      enum sluice_status *out_status);
/**
 * Whether what was read of a page is kept when the page goes: no address of its own is behind it.
 * @param out_what  what the guest has to have forgotten then
 */
bool guest_keeps(unsigned page, enum sluice_nested_what *out_what);
struct sluice_domain *guest_nested(struct guest *guest);

#endif
