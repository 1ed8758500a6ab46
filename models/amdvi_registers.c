// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's register file [3.4]: what may be written when, and what a write sets off.
 */
#include "models/amdvi_internal.h"

/* Bits of CONTROL that this unit has; the rest is reserved, or of features it has not. */
static uint64_t control_bits(const struct amdvi_model *unit)
{
    return MASK64(12, 0) | (unit->config.guest_apic ? C_GA : 0) | (unit->config.x2apic ? C_XT : 0) |
           (unit->config.many_interrupts ? BIT64(43) : 0) |
           (unit->config.page_requests ? C_PPRLOG | C_PPRINT | C_PPR : 0) |
           (unit->config.dual_events ? C_DUALEVT : 0) |
           (unit->config.segments_lg2 != 0 ? C_SEGMENTS : 0);
}

void amdvi_registers_reset(struct amdvi_model *unit)
{
    for (unsigned i = 0; i < A_REGISTERS / 8; i++)
        unit->file[i] = 0;
    *amdvi_reg(unit, A_EFR) = unit->config.has_efr ? amdvi_model_efr(&unit->config) : 0;
    unit->reads_left = 0;
    unit->late = unit->halted = false;
    unit->owes_everything = false;
}

static bool running(const struct amdvi_model *unit, uint64_t bit)
{
    return (amdvi_get(unit, A_STATUS) & bit) != 0;
}

static bool enabled(const struct amdvi_model *unit)
{
    return (amdvi_get(unit, A_CONTROL) & C_EN) != 0;
}

static uint64_t ring_bytes(uint64_t base)
{
    return BIT64(FIELD64(base, 59, 56)) * 16;
}

/* Run bits follow their enables, and only while the unit is on [3.4]. */
static void follow(struct amdvi_model *unit)
{
    uint64_t control = amdvi_get(unit, A_CONTROL);
    uint64_t *status = amdvi_reg(unit, A_STATUS);
    uint64_t stuck = unit->inject.stuck_status;
    uint64_t want = *status & ~(S_CMDRUN | S_EVTRUN | S_PPRRUN);

    if ((control & (C_EN | C_CMDBUF)) == (C_EN | C_CMDBUF) && !unit->halted)
        want |= S_CMDRUN;
    if ((control & (C_EN | C_EVTLOG)) == (C_EN | C_EVTLOG) && !amdvi_log_overflowed(unit))
        want |= S_EVTRUN;
    if ((control & (C_EN | C_PPRLOG)) == (C_EN | C_PPRLOG) && (*status & S_PPROVERFLOW) == 0)
        want |= S_PPRRUN;
    *status = (want & ~stuck) | (*status & stuck);
    if (unit->config.queue_mode == AMDVI_MODEL_AT_DOORBELL)
        (void)amdvi_queue_run(unit, UINT32_MAX);
}

static void progress(struct amdvi_model *unit)
{
    amdvi_put_progress(unit);
    if (unit->reads_left != 0 && --unit->reads_left == 0)
        follow(unit);
}

/* Nothing of what is cached may be used any more, but it is until it is dropped. */
static void owe(struct amdvi_model *unit)
{
    unit->owes_everything = true;
    unit->entries_owed = unit->domains_owed = 65536;
}

static void control_written(struct amdvi_model *unit, uint64_t value)
{
    uint64_t before = amdvi_get(unit, A_CONTROL);

    if (amdvi_interrupt_control(unit, before, value))
        owe(unit);
    if ((value & ~control_bits(unit)) != 0)
        amdvi_violate(unit, "CONTROL: %#llx has bits that this unit does not have",
                      (unsigned long long)value);
    if ((value & ~before & C_EN) != 0) {
        if ((amdvi_get(unit, A_DEVTAB) & ADDRESS) == 0)
            amdvi_violate(unit, "CONTROL: turned on without a device table");
        owe(unit);
    }
    if ((value & ~before & C_CMDBUF) != 0 && running(unit, S_CMDRUN))
        amdvi_violate(unit, "CONTROL: command buffer turned on before it had stopped");
    if ((value & ~before & C_EVTLOG) != 0 && running(unit, S_EVTRUN))
        amdvi_violate(unit, "CONTROL: event log turned on before it had stopped");
    if ((value & ~before & C_PPRLOG) != 0 && running(unit, S_PPRRUN))
        amdvi_violate(unit, "CONTROL: page request log turned on before it had stopped");
    if (FIELD64(value, 33, 32) == 1 || FIELD64(value, 33, 32) == 3)
        amdvi_violate(unit, "CONTROL: logs that software changes over are not modelled");
    if (((value ^ before) & C_DUALEVT) != 0 && running(unit, S_EVTRUN))
        amdvi_violate(unit, "CONTROL: one log or two changed while it runs");
    if ((value & C_DUALEVT) != 0 && (value & C_EVTLOG) != 0 && amdvi_get(unit, A_EVTLOG_B) == 0)
        amdvi_violate(unit, "CONTROL: two event logs without the second");
    if ((value & ~before & C_EVTLOG) != 0)
        *amdvi_reg(unit, A_STATUS) &= ~S_EVTACTIVE;
    if ((value & C_PPRLOG) != 0 && amdvi_get(unit, A_PPRLOG) == 0)
        amdvi_violate(unit, "CONTROL: page request log turned on without one");
    if (FIELD64(value, 36, 34) > unit->config.segments_lg2)
        amdvi_violate(unit, "CONTROL: more segments of the device table than the unit has");
    for (unsigned i = 1; (value & C_EN) != 0 && i < BIT64(FIELD64(value, 36, 34)); i++) {
        if ((amdvi_get(unit, A_SEGMENT1 + (i - 1) * 8) & ADDRESS) == 0)
            amdvi_violate(unit, "CONTROL: on without segment %u of the device table", i);
    }
    if (((value ^ before) & C_SEGMENTS) != 0 && (value & before & C_EN) != 0)
        owe(unit);
    *amdvi_reg(unit, A_CONTROL) = value;
    if ((value & C_CMDBUF) == 0)
        unit->halted = false;
    unit->reads_left = unit->config.latency_reads;
    if (unit->reads_left == 0)
        follow(unit);
}

/* Segments but the first have 1 MiB at most, which takes a bit less to say [3.4]. */
static void devtab_written(struct amdvi_model *unit, unsigned offset, uint64_t value)
{
    if ((value & (MASK64(11, offset == A_DEVTAB ? 9 : 8) | MASK64(63, 52))) != 0 ||
        (value & ADDRESS) >> unit->config.phys_bits != 0)
        amdvi_violate(unit, "DEVTAB: %#llx is reserved or beyond the width of addresses",
                      (unsigned long long)value);
    if (enabled(unit) && unit->config.table_fixed)
        return;
    if (offset != A_DEVTAB && unit->inject.dead_segments)
        return;
    *amdvi_reg(unit, offset) = value;
    if (enabled(unit))
        owe(unit);
}

/* The rings in memory: registers, the pointer that is hardware's, and the bit that says it runs. */
struct ring {
    unsigned base, head, tail;
    unsigned own; /* hardware's pointer */
    uint64_t run;
};

static const struct ring rings[] = {
    {A_CMDBUF, A_CMD_HEAD, A_CMD_TAIL, A_CMD_HEAD, S_CMDRUN},
    {A_EVTLOG, A_EVT_HEAD, A_EVT_TAIL, A_EVT_TAIL, S_EVTRUN},
    {A_PPRLOG, A_PPR_HEAD, A_PPR_TAIL, A_PPR_TAIL, S_PPRRUN},
    {A_EVTLOG_B, A_EVTB_HEAD, A_EVTB_TAIL, A_EVTB_TAIL, S_EVTRUN},
};

static const struct ring *ring_of(unsigned offset)
{
    const struct ring *ring = rings;

    while (ring->base != offset && ring->head != offset && ring->tail != offset)
        ring++;
    return ring;
}

static void ring_written(struct amdvi_model *unit, unsigned offset, uint64_t value)
{
    const struct ring *ring = ring_of(offset);

    if (running(unit, ring->run))
        amdvi_violate(unit, "base of a ring written while it runs");
    if (FIELD64(value, 59, 56) < 8 || (value & (MASK64(11, 0) | MASK64(55, 52) | MASK64(63, 60))))
        amdvi_violate(unit, "ring base %#llx: length below 256 entries, or reserved bits",
                      (unsigned long long)value);
    if (((value & ADDRESS) & (ring_bytes(value) - 1)) != 0)
        amdvi_violate(unit, "ring base %#llx is not aligned to its length",
                      (unsigned long long)value);
    *amdvi_reg(unit, offset) = value;
    *amdvi_reg(unit, ring->head) = 0; /* [3.4] */
    *amdvi_reg(unit, ring->tail) = 0;
}

static void pointer_written(struct amdvi_model *unit, unsigned offset, uint64_t value)
{
    const struct ring *ring = ring_of(offset);
    uint64_t bytes = ring_bytes(amdvi_get(unit, ring->base));

    if ((value & ~MASK64(18, 4)) != 0 || value >= bytes) {
        amdvi_violate(unit, "pointer %#x: %#llx is reserved or beyond the ring", offset,
                      (unsigned long long)value);
        return;
    }
    if (offset == ring->own && running(unit, ring->run))
        amdvi_violate(unit, "pointer %#x of hardware's written while the ring runs", offset);
    *amdvi_reg(unit, offset) = value;
    if (offset == A_CMD_TAIL) {
        unit->stats.doorbells++;
        if (unit->config.queue_mode == AMDVI_MODEL_AT_DOORBELL)
            (void)amdvi_queue_run(unit, UINT32_MAX);
    }
}

static bool is_segment(unsigned offset)
{
    return offset >= A_SEGMENT1 && offset <= A_SEGMENT7;
}

static bool known(const struct amdvi_model *unit, unsigned offset)
{
    if (offset == A_PPRLOG || offset == A_PPR_HEAD || offset == A_PPR_TAIL)
        return unit->config.page_requests;
    if (offset == A_EVTLOG_B || offset == A_EVTB_HEAD || offset == A_EVTB_TAIL)
        return unit->config.dual_events;
    if (is_segment(offset))
        return (offset - A_SEGMENT1) / 8 + 1 < BIT64(unit->config.segments_lg2);
    return offset <= A_EFR || (offset >= A_CMD_HEAD && offset <= A_STATUS);
}

static void written(struct amdvi_model *unit, unsigned offset, uint64_t value)
{
    if (!known(unit, offset)) {
        amdvi_violate(unit, "write of %#llx to register %#x, which is not there",
                      (unsigned long long)value, offset);
        return;
    }
    if (is_segment(offset)) {
        devtab_written(unit, offset, value);
        return;
    }
    switch (offset) {
    case A_DEVTAB:
        devtab_written(unit, offset, value);
        break;
    case A_CMDBUF:
    case A_EVTLOG:
    case A_PPRLOG:
    case A_EVTLOG_B:
        ring_written(unit, offset, value);
        break;
    case A_CONTROL:
        control_written(unit, value);
        break;
    case A_EXCL_BASE:
    case A_EXCL_LIMIT:
        *amdvi_reg(unit, offset) = value & (ADDRESS | 3u);
        break;
    case A_CMD_HEAD:
    case A_CMD_TAIL:
    case A_EVT_HEAD:
    case A_EVT_TAIL:
    case A_PPR_HEAD:
    case A_PPR_TAIL:
    case A_EVTB_HEAD:
    case A_EVTB_TAIL:
        pointer_written(unit, offset, value);
        break;
    case A_STATUS: /* write 1 to clear; run bits are read-only */
        *amdvi_reg(unit, A_STATUS) &= ~(value & (S_EVTOVERFLOW | S_EVTINT | S_COMWAITINT |
                                                 S_PPROVERFLOW | S_PPRINT | S_EVTOVERB));
        break;
    default:
        amdvi_violate(unit, "write of %#llx to read-only or reserved register %#x",
                      (unsigned long long)value, offset);
    }
}

/* Counts an access; false when the unit is gone. */
static bool present(struct amdvi_model *unit)
{
    if (unit->inject.gone_at != 0 && --unit->inject.gone_at == 0)
        unit->gone = true;
    return !unit->gone;
}

static uint64_t register_read(void *arg, uint64_t at, unsigned width)
{
    struct amdvi_model *unit = arg;
    unsigned offset = (unsigned)at & ~7u;
    uint64_t value = UINT64_MAX;

    amdvi_model_lock(unit);
    unit->stats.register_reads++;
    if (present(unit)) {
        progress(unit);
        value = known(unit, offset) ? amdvi_get(unit, offset) : 0;
        if (width == 4)
            value = (uint32_t)(value >> (at & 4) * 8);
    }
    amdvi_model_unlock(unit);
    return value;
}

static void register_write(void *arg, uint64_t at, unsigned width, uint64_t value)
{
    struct amdvi_model *unit = arg;
    unsigned offset = (unsigned)at & ~7u;

    amdvi_model_lock(unit);
    unit->stats.register_writes++;
    if (present(unit)) {
        if (width == 4 && known(unit, offset)) { /* halves, each taking effect by itself */
            uint64_t old = offset == A_STATUS ? 0 : amdvi_get(unit, offset);
            unsigned shift = (unsigned)(at & 4) * 8;

            value = (old & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)(uint32_t)value << shift;
        }
        written(unit, offset, value);
    }
    amdvi_model_unlock(unit);
}

const struct model_mmio_ops amdvi_mmio_ops = {register_read, register_write};
