// SPDX-License-Identifier: MIT
/*
 * The GICv3's distributor, this CPU's redistributor and its interface [GIC 12.9, 12.11, 12.2].
 */
#include "aarch64.h"
#include "arch.h"
#include "mmio.h"
#include "print.h"

#define GICD_CTLR         0x0000u
#define GICD_IGROUPR      0x0080u
#define GICD_ISENABLER    0x0100u
#define GICD_ICENABLER    0x0180u
#define GICD_IPRIORITYR   0x0400u
#define GICD_ICFGR        0x0c00u
#define GICD_IROUTER      0x6000u
#define CTLR_AFFINITY     (1u << 4)
#define CTLR_GROUP_1      (1u << 1)
#define CTLR_PENDING      (1u << 31)
#define DISTRIBUTOR_BYTES 0x10000u

#define GICR_TYPER     0x0008u
#define GICR_WAKER     0x0014u
#define TYPER_LAST     (1u << 4)
#define TYPER_VIRTUAL  (1u << 1) /* four frames instead of two */
#define WAKER_SLEEP    (1u << 1)
#define WAKER_ASLEEP   (1u << 2)
#define FRAME_BYTES    0x10000u
#define FRAMES_LIMIT   512u
#define PRIORITY       0xa0u
#define WAIT_NS        100000000ull
#define MPIDR_AFFINITY 0xff00ffffffull

static volatile uint8_t *distributor;

static bool settles(const volatile void *base, uint32_t reg, uint32_t mask)
{
    uint64_t deadline = arch_now_ns() + WAIT_NS;
    while ((mmio_read32(base, reg) & mask) != 0) {
        if (arch_now_ns() > deadline)
            return false;
    }
    return true;
}

static void start_distributor(void)
{
    /* Affinity routing first: the group's bit means another one without it [GIC 12.9.4]. */
    mmio_write32(distributor, GICD_CTLR, CTLR_AFFINITY);
    if (!settles(distributor, GICD_CTLR, CTLR_PENDING))
        machine_die("the interrupt distributor does not settle");
    mmio_write32(distributor, GICD_CTLR, CTLR_AFFINITY | CTLR_GROUP_1);
    if (!settles(distributor, GICD_CTLR, CTLR_PENDING))
        machine_die("the interrupt distributor does not settle");
}

/* MPIDR's affinity as GICR_TYPER and GICD_IROUTER have it: Aff3 in the upper half or at 39:32. */
static uint64_t affinity(void)
{
    return aarch64_read_register("mpidr_el1") & MPIDR_AFFINITY;
}

static bool is_mine(uint64_t typer)
{
    uint64_t mine = affinity();
    return typer >> 32 == ((mine & 0xffffff) | (mine >> 32) << 24);
}

/* This CPU's redistributor, awake; ends the run when there is none. */
static uint64_t find_redistributor(uint64_t phys, uint64_t bytes, uint64_t *out_typer)
{
    for (unsigned i = 0; i < FRAMES_LIMIT && bytes >= 2ull * FRAME_BYTES; i++) {
        volatile uint8_t *frame = arch_map_mmio(phys, FRAME_BYTES);
        uint64_t typer = mmio_read64(frame, GICR_TYPER);
        uint64_t step = (typer & TYPER_VIRTUAL) != 0 ? 4ull * FRAME_BYTES : 2ull * FRAME_BYTES;
        if (is_mine(typer)) {
            mmio_write32(frame, GICR_WAKER, mmio_read32(frame, GICR_WAKER) & ~WAKER_SLEEP);
            if (!settles(frame, GICR_WAKER, WAKER_ASLEEP))
                machine_die("the interrupt redistributor does not wake up");
            *out_typer = typer;
            return phys;
        }
        if ((typer & TYPER_LAST) != 0 || bytes < step)
            break;
        phys += step;
        bytes -= step;
    }
    machine_die("no interrupt redistributor for this CPU");
}

static void start_interface(void)
{
    aarch64_write_register("s3_0_c12_c12_5", 1);  /* ICC_SRE_EL1: system registers */
    aarch64_write_register("s3_0_c4_c6_0", 0xff); /* ICC_PMR_EL1: every priority */
    aarch64_write_register("s3_0_c12_c12_3", 0);  /* ICC_BPR1_EL1 */
    aarch64_write_register("s3_0_c12_c12_7", 1);  /* ICC_IGRPEN1_EL1 */
    arch_irqs_restore(true);
}

void aarch64_gic_init(const struct devicetree *tree)
{
    struct devicetree_node node;
    uint64_t phys, bytes, typer;
    if (!devicetree_find(tree, "arm,gic-v3", 0, &node) ||
        !devicetree_reg(tree, &node, 0, &phys, &bytes))
        machine_die("no GICv3");
    distributor = arch_map_mmio(phys, DISTRIBUTOR_BYTES);
    start_distributor();
    if (!devicetree_reg(tree, &node, 1, &phys, &bytes))
        machine_die("no interrupt redistributor");
    uint64_t redistributor = find_redistributor(phys, bytes, &typer);
    aarch64_its_init(tree, redistributor, typer);
    start_interface();
}

uint32_t aarch64_gic_take(void)
{
    uint32_t intid =
        (uint32_t)aarch64_read_register("s3_0_c12_c12_0") & 0xffffff; /* ICC_IAR1_EL1 */
    __asm__ volatile("dsb sy" : : : "memory"); /* taken before its device is looked at */
    return intid;
}

void aarch64_gic_end(uint32_t intid)
{
    aarch64_write_register("s3_0_c12_c12_1", intid); /* ICC_EOIR1_EL1 */
}

void aarch64_gic_enable_spi(uint32_t intid)
{
    uint32_t bit = 1u << (intid % 32), word = intid / 32 * 4;
    uint32_t shift = intid % 16 * 2, config = GICD_ICFGR + intid / 16 * 4;
    uint32_t kind = mmio_read32(distributor, config) & ~(3u << shift);
    mmio_write32(distributor, config, kind | 2u << shift);
    mmio_write32(distributor, GICD_IGROUPR + word,
                 mmio_read32(distributor, GICD_IGROUPR + word) | bit);
    mmio_write8(distributor, GICD_IPRIORITYR + intid, PRIORITY);
    mmio_write64(distributor, GICD_IROUTER + 8ull * intid, affinity());
    mmio_write32(distributor, GICD_ISENABLER + word, bit);
}

void aarch64_gic_disable_spi(uint32_t intid)
{
    mmio_write32(distributor, GICD_ICENABLER + intid / 32 * 4, 1u << (intid % 32));
    (void)settles(distributor, GICD_CTLR, CTLR_PENDING);
}
