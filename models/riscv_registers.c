// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU model's register file [RISC-V IOMMU 5]: what may be written when, and what a
 * write sets off.
 */
#include "models/riscv_internal.h"

/* Queues by number: command, fault, page request. */
static const struct {
    unsigned base, head, tail, csr;
    uint32_t clears; /* by writing 1 */
} queues[3] = {
    {R_CQB, R_CQH, R_CQT, R_CQCSR, CSR_MF | CSR_OF | CSR_ILL | CSR_WIP},
    {R_FQB, R_FQH, R_FQT, R_FQCSR, CSR_MF | CSR_OF},
    {R_PQB, R_PQH, R_PQT, R_PQCSR, CSR_MF | CSR_OF},
};

static uint32_t size_of(const struct riscv_model *unit, unsigned queue)
{
    return 2u << (riscv_get(unit, queues[queue].base) & 31);
}

/* ---- what takes time ---- */

static void ddtp_follow(struct riscv_model *unit)
{
    if (unit->inject.stuck_ddtp)
        return;
    riscv_set64(unit, R_DDTP, riscv_get64(unit, R_DDTP) & ~BIT64(4));
    unit->ddtp = riscv_get64(unit, R_DDTP);
}

static void csr_follow(struct riscv_model *unit, unsigned queue)
{
    uint32_t csr = riscv_get(unit, queues[queue].csr);

    if (unit->inject.stuck_queues)
        return;
    csr &= ~(CSR_BUSY | CSR_ON);
    riscv_set(unit, queues[queue].csr, (csr & CSR_EN) != 0 ? csr | CSR_ON : csr);
    if (queue == 0 && unit->config.queue_mode == RISCV_MODEL_AT_DOORBELL)
        (void)riscv_queue_run(unit, UINT32_MAX);
}

static void progress(struct riscv_model *unit)
{
    if (unit->ddtp_left != 0 && --unit->ddtp_left == 0)
        ddtp_follow(unit);
    for (unsigned queue = 0; queue < 3; queue++) {
        if (unit->csr_left[queue] != 0 && --unit->csr_left[queue] == 0)
            csr_follow(unit, queue);
    }
}

/* ---- writes ---- */

static void check_transition(struct riscv_model *unit, uint64_t value)
{
    unsigned from = (unsigned)FIELD64(unit->ddtp, 3, 0), to = (unsigned)FIELD64(value, 3, 0);

    if ((riscv_get(unit, R_DDTP) & 16) != 0)
        riscv_violate(unit, "DDTP: written while it is busy");
    if (from > MODE_BARE && to != MODE_OFF)
        riscv_violate(unit, "DDTP: from mode %u to %u without off between", from, to);
    if (from > MODE_BARE && to == MODE_OFF && ((unit->ddtp ^ value) & MASK64(53, 10)) != 0)
        riscv_violate(unit, "DDTP: the root is changed while turning off");
}

static void ddtp_written(struct riscv_model *unit, uint64_t value)
{
    unsigned mode = (unsigned)FIELD64(value, 3, 0);

    check_transition(unit, value);
    if (mode > MODE_3LVL || (mode >= MODE_1LVL && (unit->config.modes >> (mode - 2) & 1) == 0))
        mode = unit->config.odd_mode;
    riscv_set64(unit, R_DDTP, (value & MASK64(53, 10)) | 16 | mode);
    unit->ddtp_left = unit->config.latency_reads;
    if (unit->ddtp_left == 0)
        ddtp_follow(unit);
}

static void csr_written(struct riscv_model *unit, unsigned queue, uint32_t value)
{
    uint32_t csr = riscv_get(unit, queues[queue].csr);
    uint32_t enables = CSR_EN | CSR_IE;

    if ((csr & CSR_BUSY) != 0)
        riscv_violate(unit, "control of queue %u: written while it is busy", queue);
    if ((value & CSR_EN) != 0 && (csr & CSR_EN) == 0) {
        csr &= ~queues[queue].clears;
        riscv_set(unit, queue == 0 ? queues[queue].head : queues[queue].tail, 0);
    }
    csr = (csr & ~(value & queues[queue].clears) & ~enables) | (value & enables) | CSR_BUSY;
    riscv_set(unit, queues[queue].csr, csr);
    unit->csr_left[queue] = unit->config.latency_reads;
    if (unit->csr_left[queue] == 0)
        csr_follow(unit, queue);
    riscv_raise_errors(unit);
}

static bool anything_on(const struct riscv_model *unit)
{
    bool on = FIELD64(unit->ddtp, 3, 0) != MODE_OFF;

    for (unsigned queue = 0; queue < 3; queue++)
        on = on || (riscv_get(unit, queues[queue].csr) & (CSR_EN | CSR_ON)) != 0;
    return on;
}

static void fctl_written(struct riscv_model *unit, uint32_t value)
{
    uint32_t can = (unit->config.both_orders ? 1u : 0) | (unit->config.igs == 2 ? 2u : 0);

    if (anything_on(unit))
        riscv_violate(unit, "FCTL: written while the unit or a queue is on");
    riscv_set(unit, R_FCTL, (riscv_get(unit, R_FCTL) & ~can) | (value & can));
}

static void base_written(struct riscv_model *unit, unsigned queue, uint64_t value)
{
    if ((riscv_get(unit, queues[queue].csr) & (CSR_ON | CSR_BUSY)) != 0)
        riscv_violate(unit, "base of queue %u: written while it is on", queue);
    riscv_set64(unit, queues[queue].base, value & (MASK64(53, 10) | 31));
}

static void index_written(struct riscv_model *unit, unsigned queue, bool head, uint32_t value)
{
    if (head == (queue == 0)) {
        riscv_violate(unit, "index of queue %u: written, but it is the unit's", queue);
        return;
    }
    if (value >= size_of(unit, queue))
        riscv_violate(unit, "index of queue %u: %u is beyond its end", queue, value);
    riscv_set(unit, head ? queues[queue].head : queues[queue].tail,
              value & (size_of(unit, queue) - 1));
    if (queue != 0)
        return;
    unit->stats.doorbells++;
    if (unit->config.queue_mode == RISCV_MODEL_AT_DOORBELL)
        (void)riscv_queue_run(unit, UINT32_MAX);
}

static void written(struct riscv_model *unit, unsigned offset, uint32_t value)
{
    for (unsigned queue = 0; queue < 3; queue++) {
        if (offset == queues[queue].csr) {
            csr_written(unit, queue, value);
            return;
        }
        if (offset == queues[queue].head || offset == queues[queue].tail) {
            index_written(unit, queue, offset == queues[queue].head, value);
            return;
        }
    }
    if (offset == R_FCTL) {
        fctl_written(unit, value);
    } else if (offset == R_IPSR) {
        riscv_set(unit, R_IPSR, riscv_get(unit, R_IPSR) & ~value);
        riscv_raise_errors(unit); /* what is still the case [RISC-V IOMMU 5.18] */
    } else if (offset >= R_MSI && unit->config.igs != 1) {
        riscv_set(unit, offset, value);
    } else {
        riscv_violate(unit, "write of 4 bytes at %#x", offset);
    }
}

static void written_wide(struct riscv_model *unit, unsigned offset, uint64_t value)
{
    for (unsigned queue = 0; queue < 3; queue++) {
        if (offset == queues[queue].base) {
            base_written(unit, queue, value);
            return;
        }
    }
    if (offset == R_DDTP)
        ddtp_written(unit, value);
    else if (offset == R_ICVEC)
        riscv_set64(unit, R_ICVEC, value & 0x3333); /* four vectors */
    else if (offset >= R_MSI && offset % 16 == 0 && unit->config.igs != 1)
        riscv_set64(unit, offset, value & MASK64(55, 2));
    else
        riscv_violate(unit, "write of 8 bytes at %#x", offset);
}

/* ---- accesses ---- */

static bool is_wide(unsigned offset)
{
    return offset == R_CAP || offset == R_DDTP || offset == R_CQB || offset == R_FQB ||
           offset == R_PQB || offset == R_ICVEC || (offset >= R_MSI && offset % 16 == 0);
}

/* Page requests come with ATS; on PCI, nothing answers before memory space is on. */
static bool is_there(struct riscv_model *unit, uint64_t offset, unsigned width)
{
    bool page_requests = offset == R_PQB || offset == R_PQH || offset == R_PQT || offset == R_PQCSR;

    if (unit->config.pci && (model_pci_config(unit->function)[4] & 2) == 0)
        riscv_violate(unit, "access at %#x without memory space", (unsigned)offset);
    if (offset + width <= R_BYTES && offset % width == 0 &&
        (width == 4 || is_wide((unsigned)offset)) && (!page_requests || unit->config.ats))
        return true;
    riscv_violate(unit, "access of %u bytes at %#x", width, (unsigned)offset);
    return false;
}

static bool present(struct riscv_model *unit)
{
    if (riscv_hits(&unit->inject.gone_at))
        unit->gone = true;
    return !unit->gone;
}

static uint64_t register_read(void *arg, uint64_t at, unsigned width)
{
    struct riscv_model *unit = arg;
    uint64_t value = width == 4 ? UINT32_MAX : UINT64_MAX;

    riscv_lock(unit);
    if (present(unit)) {
        progress(unit);
        value = 0;
        if (is_there(unit, at, width))
            value = width == 8 ? riscv_get64(unit, (unsigned)at) : riscv_get(unit, (unsigned)at);
    }
    riscv_unlock(unit);
    return value;
}

static void register_write(void *arg, uint64_t at, unsigned width, uint64_t value)
{
    struct riscv_model *unit = arg;

    riscv_lock(unit);
    if (present(unit) && is_there(unit, at, width)) {
        if (width == 8)
            written_wide(unit, (unsigned)at, value);
        else
            written(unit, (unsigned)at, (uint32_t)value);
    }
    riscv_unlock(unit);
}

const struct model_mmio_ops riscv_mmio_ops = {register_read, register_write};
