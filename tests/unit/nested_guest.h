// SPDX-License-Identifier: MIT
/*
 * A guest as an SMMUv3 sees one: context descriptors and stage 1 tables in memory that its
 * hypervisor maps at guest addresses [SMMU 5.4, Arm ARM D8.3]. Written apart from the library's
 * own.
 */
#ifndef TESTS_UNIT_NESTED_GUEST_H
#define TESTS_UNIT_NESTED_GUEST_H

#include "scene.h"

#define GUEST_BASE  ((sluice_iova_t)0x100000) /**< guest address of its first page */
#define GUEST_PAGES 6u
#define GUEST_VA    ((sluice_iova_t)0x7000200000) /**< what its device uses */
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

struct guest {
    struct scene *scene;
    struct sluice_domain *parent;
    struct sluice_pages pages[GUEST_PAGES];
};

/** Memory, mapped in a parent domain; GUEST_VA leads to GUEST_DATA, which is filled with 0x44, and
 * GUEST_OTHER is filled with 0x55. */
void guest_make(struct guest *guest, struct scene *scene);
void guest_free(struct guest *guest);
sluice_iova_t guest_address(unsigned page);
/** Writes context descriptor `index` for the tables; ttb is a guest address. */
void guest_context(struct guest *guest, unsigned index, uint64_t ttb, unsigned asid);
/** Points GUEST_VA + page * 4 KiB at a guest address. */
void guest_map(struct guest *guest, unsigned page, sluice_iova_t to, bool write);
/** What it tells of one context descriptor. */
struct sluice_nested_info guest_info(void);
struct sluice_domain *guest_nested(struct guest *guest);

#endif
