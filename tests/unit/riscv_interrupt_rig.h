// SPDX-License-Identifier: MIT
/*
 * A machine with a RISC-V IOMMU that remaps interrupts, and what its devices' messages become.
 * There is one of it, since the model's hooks of the host have a context of their own.
 */
#ifndef TESTS_UNIT_RISCV_INTERRUPT_RIG_H
#define TESTS_UNIT_RISCV_INTERRUPT_RIG_H

#include "models/riscv.h"
#include "scene.h"
#include "unit/riscv/riommu.h"

#define RID_A     SLUICE_RID(0, 3, 0)
#define RID_B     SLUICE_RID(0, 4, 0)
#define RID_PCI   SLUICE_RID(2, 5, 0)   /* behind a bridge, sends as 02:00.0 */
#define FILES     UINT64_C(0x28001000)  /* interrupt files of harts 0 and 1 */
#define FILES_TOO UINT64_C(0x29000000)  /* and of hart 2 */
#define WINDOW    UINT64_C(0x28000000)  /* what the library makes of them */
#define ENTRIES   (RIOMMU_MESSAGES - 2) /* without the doorbells in the window */
#define HARTS     3u
#define NOT_VALID 262u /* causes of faults */
#define BAD       263u

struct riscv_rig {
    struct scene scene; /* first */
    struct sluice_host_ops ops;
    struct riscv_model_config unit;
    bool no_files;
    struct riscv_model *model;
    unsigned fired;
    sluice_phys_t address; /* of the last */
    uint32_t data;
};

extern struct riscv_rig riscv_rig;

/** Begins anew; what is configured is changed before the next two. */
void riscv_rig_reset(void);
void riscv_rig_init(void);
/** The same, and the instance is started. */
void riscv_rig_start(void);

/** A device gets a domain of its own, and leaves it; NULL: it has none. */
struct sluice_domain *riscv_rig_join(struct sluice_device *device);
void riscv_rig_leave(struct sluice_device *device, struct sluice_domain *domain);

enum sluice_status riscv_rig_try_alloc(struct sluice_device *device, unsigned count,
                                       struct sluice_interrupt **out);
struct sluice_interrupt *riscv_rig_take(struct sluice_device *device, unsigned count);
void riscv_rig_give(struct sluice_interrupt *interrupt);
enum sluice_status riscv_rig_route(struct sluice_interrupt *interrupt, unsigned index,
                                   uint32_t hart, uint16_t identity);
struct sluice_msi riscv_rig_message(struct sluice_interrupt *interrupt, unsigned index);
struct sluice_interrupt_info riscv_rig_info(void);

/** A message of a device arrives at a hart under an identity. */
void riscv_rig_expect_from(unsigned device, struct sluice_msi msi, uint32_t hart,
                           uint32_t identity);
/** That of an entry, of MACHINE_DEV_A. */
void riscv_rig_expect(struct sluice_interrupt *interrupt, unsigned index, uint32_t hart,
                      uint32_t identity);
/** It goes nowhere, and the unit says why. */
void riscv_rig_expect_refused(unsigned device, sluice_iova_t address, uint32_t data,
                              unsigned cause);

#endif
