// SPDX-License-Identifier: MIT
/*
 * The VT-d model's register file [11.4]: widths, read-only and reserved bits, halves of 64-bit
 * registers, and what a write sets off.
 */
#include "models/vtd_internal.h"

/* A register that software writes; what is not here is read-only or reserved. */
struct writable {
    unsigned offset;
    unsigned width;
    uint64_t bits;  /* kept as written */
    uint64_t plain; /* allowed to be set: the rest is reserved, or read-only */
    const char *name;
};

static const struct writable writable[] = {
    {R_RTADDR, 8, MASK64(63, 10), MASK64(63, 10), "RTADDR"},
    {R_FECTL, 4, CTL_IM, CTL_IM | CTL_IP, "FECTL"},
    {R_FEDATA, 4, UINT32_MAX, UINT32_MAX, "FEDATA"},
    {R_FEADDR, 4, MASK64(31, 2), MASK64(31, 2), "FEADDR"},
    {R_FEUADDR, 4, UINT32_MAX, UINT32_MAX, "FEUADDR"},
    {R_PMEN, 4, BIT64(31), BIT64(31) | 1u, "PMEN"},
    {R_PLMBASE, 4, MASK64(31, 12), UINT32_MAX, "PLMBASE"},
    {R_PLMLIMIT, 4, MASK64(31, 12), UINT32_MAX, "PLMLIMIT"},
    {R_PHMBASE, 8, ADDRESS_MASK, UINT64_MAX, "PHMBASE"},
    {R_PHMLIMIT, 8, ADDRESS_MASK, UINT64_MAX, "PHMLIMIT"},
    {R_IQA, 8, MASK64(63, 11) | 7u, MASK64(63, 11) | 7u, "IQA"},
    {R_IECTL, 4, CTL_IM, CTL_IM | CTL_IP, "IECTL"},
    {R_IEDATA, 4, UINT32_MAX, UINT32_MAX, "IEDATA"},
    {R_IEADDR, 4, MASK64(31, 2), MASK64(31, 2), "IEADDR"},
    {R_IEUADDR, 4, UINT32_MAX, UINT32_MAX, "IEUADDR"},
    {R_IRTA, 8, ADDRESS_MASK | BIT64(11) | 0xfu, ADDRESS_MASK | BIT64(11) | 0xfu, "IRTA"},
};

static bool is_wide(const struct vtd_model *unit, unsigned offset)
{
    static const uint8_t wide[] = {R_CAP, R_ECAP, R_RTADDR, R_CCMD,   R_PHMBASE, R_PHMLIMIT,
                                   R_IQH, R_IQT,  R_IQA,    R_IQERCD, R_IRTA};

    for (unsigned i = 0; i < sizeof(wide); i++) {
        if (wide[i] == offset)
            return true;
    }
    return offset == unit->config.iotlb_offset || offset == unit->config.iotlb_offset + 8u ||
           offset >= unit->config.fault_offset;
}

static bool in_records(const struct vtd_model *unit, unsigned offset)
{
    return offset >= unit->config.fault_offset &&
           offset < unit->config.fault_offset + 16u * unit->config.fault_records;
}

static bool queue_register(unsigned offset)
{
    return (offset >= R_IQH && offset < R_IRTA) && offset != 0x98u;
}

/* Counts an access; false when the unit is gone. */
static bool present(struct vtd_model *unit)
{
    if (unit->inject.gone_at != 0 && --unit->inject.gone_at == 0)
        unit->gone = true;
    return !unit->gone;
}

static uint32_t read_word(struct vtd_model *unit, unsigned offset)
{
    if (in_records(unit, offset))
        return vtd_fault_read(unit, offset - unit->config.fault_offset);
    if (offset == R_GCMD)
        return 0; /* write-only [11.4.4.1] */
    return vtd_get32(unit, offset);
}

static uint64_t register_read(void *arg, uint64_t at, unsigned width)
{
    struct vtd_model *unit = arg;
    unsigned offset = (unsigned)at;
    uint64_t value = UINT64_MAX;

    vtd_model_lock(unit);
    unit->stats.register_reads++;
    if (present(unit)) {
        if (width == 8 && !is_wide(unit, offset))
            vtd_violate(unit, "64-bit read of register %#x", offset);
        vtd_progress(unit);
        value = read_word(unit, offset);
        if (width == 8)
            value |= (uint64_t)read_word(unit, offset + 4) << 32;
    }
    vtd_model_unlock(unit);
    return value;
}

static void plain_written(struct vtd_model *unit, const struct writable *reg, uint64_t value)
{
    uint32_t status = vtd_get32(unit, R_GSTS);

    if ((value & ~reg->plain) != 0)
        vtd_violate(unit, "%s: reserved bits written: %#llx", reg->name, (unsigned long long)value);
    if (reg->offset == R_IQA && (status & G_QIE) != 0) {
        vtd_violate(unit, "IQA written while the queue is enabled");
        return;
    }
    value &= reg->bits;
    if (reg->offset == R_FECTL || reg->offset == R_IECTL)
        value |= vtd_get32(unit, reg->offset) & CTL_IP;
    if (reg->width == 8)
        vtd_set64(unit, reg->offset, value);
    else
        vtd_set32(unit, reg->offset, (uint32_t)value);
    if (reg->offset == R_FECTL)
        vtd_fault_control_written(unit);
    if (reg->offset == R_IECTL)
        vtd_completion_control_written(unit);
    if (reg->offset == R_PMEN) /* PRS follows EPM [11.4.7.1] */
        vtd_set32(unit, R_PMEN, (uint32_t)value | (uint32_t)(value >> 31));
}

/*
 * The registers that act. `value` is the whole register; `high` tells that the upper half was
 * written, which is where the command bits of 64-bit registers are. True when it was one of them.
 */
static bool command_written(struct vtd_model *unit, unsigned offset, uint64_t value, bool high)
{
    if (offset == R_GCMD) {
        vtd_command_written(unit, (uint32_t)value);
    } else if (offset == R_CCMD) {
        vtd_set64(unit, R_CCMD, value & ~MASK64(60, 59));
        if (high)
            vtd_context_written(unit, value);
    } else if (offset == R_FSTS) {
        vtd_fault_status_written(unit, (uint32_t)value);
    } else if (offset == R_IQT) {
        vtd_tail_written(unit, value);
    } else if (offset == R_ICS) {
        if ((value & 1u) != 0) { /* IWC, write 1 to clear [11.4.9.6] */
            vtd_set32(unit, R_ICS, 0);
            vtd_set32(unit, R_IECTL, vtd_get32(unit, R_IECTL) & ~CTL_IP);
        }
    } else if (offset == unit->config.iotlb_offset) {
        vtd_set64(unit, offset, value);
    } else if (offset == unit->config.iotlb_offset + 8u) {
        vtd_set64(unit, offset, value & ~MASK64(58, 57));
        if (high)
            vtd_iotlb_written(unit, value);
    } else {
        return false;
    }
    return true;
}

static void whole_written(struct vtd_model *unit, unsigned offset, uint64_t value, bool high)
{
    if (queue_register(offset) && !unit->config.queued) {
        vtd_violate(unit, "register %#x of the queue that this unit does not have", offset);
        return;
    }
    if (command_written(unit, offset, value, high))
        return;
    for (unsigned i = 0; i < sizeof(writable) / sizeof(writable[0]); i++) {
        if (writable[i].offset == offset) {
            plain_written(unit, &writable[i], value);
            return;
        }
    }
    vtd_violate(unit, "write of %#llx to read-only or reserved register %#x",
                (unsigned long long)value, offset);
}

/* FSTS and ICS halves, and what a half of a 64-bit register leaves of the other half. */
static void register_written(struct vtd_model *unit, unsigned offset, unsigned width,
                             uint64_t value)
{
    if (in_records(unit, offset)) {
        unsigned at = offset - unit->config.fault_offset;

        vtd_fault_record_written(unit, at, (uint32_t)value);
        if (width == 8)
            vtd_fault_record_written(unit, at + 4, (uint32_t)(value >> 32));
    } else if (width == 8) {
        if (!is_wide(unit, offset))
            vtd_violate(unit, "64-bit write of register %#x", offset);
        whole_written(unit, offset, value, true);
    } else if (offset % 8 == 4 && is_wide(unit, offset - 4)) {
        whole_written(unit, offset - 4, vtd_get32(unit, offset - 4) | value << 32, true);
    } else if (is_wide(unit, offset)) {
        whole_written(unit, offset, (uint32_t)value | (uint64_t)vtd_get32(unit, offset + 4) << 32,
                      false);
    } else {
        whole_written(unit, offset, (uint32_t)value, true);
    }
}

static void register_write(void *arg, uint64_t offset, unsigned width, uint64_t value)
{
    struct vtd_model *unit = arg;

    vtd_model_lock(unit);
    unit->stats.register_writes++;
    if (present(unit))
        register_written(unit, (unsigned)offset, width, value);
    vtd_model_unlock(unit);
}

const struct model_mmio_ops vtd_mmio_ops = {register_read, register_write};
