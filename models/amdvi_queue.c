// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's command buffer [2.4]: commands of 128 bits, device TLBs that answer or do not,
 * and the errors that stop it.
 */
#include "models/amdvi_internal.h"

enum {
    O_WAIT = 1,
    O_ENTRY = 2,
    O_PAGES = 3,
    O_DEVICE_TLB = 4,
    O_INTERRUPTS = 5,
    O_PAGE_ANSWER = 7,
    O_ALL = 8,
    O_COUNT,
};

/* Bits that must be clear. */
static const uint64_t reserved_low[O_COUNT] = {
    [O_WAIT] = MASK64(59, 52),
    [O_ENTRY] = MASK64(59, 16),
    [O_PAGES] = MASK64(31, 0) | MASK64(59, 48), /* a PASID means nothing without GN */
    [O_DEVICE_TLB] = MASK64(23, 16) | MASK64(59, 48),
    [O_INTERRUPTS] = MASK64(59, 16),
    [O_PAGE_ANSWER] = MASK64(31, 16) | MASK64(59, 52),
    [O_ALL] = MASK64(59, 0),
};
static const uint64_t reserved_high[O_COUNT] = {
    [O_ENTRY] = UINT64_MAX,
    [O_PAGES] = MASK64(11, 2),
    [O_DEVICE_TLB] = MASK64(11, 1),
    [O_INTERRUPTS] = UINT64_MAX,
    [O_ALL] = UINT64_MAX,
    [O_PAGE_ANSWER] = MASK64(1, 0) | MASK64(31, 3) | MASK64(43, 42) | MASK64(63, 48),
};

/* S clear: one page. S set: the lowest clear bit from 12 up tells the size [2.4.3]. */
static void range_of(uint64_t word, uint64_t *out_first, uint64_t *out_last)
{
    uint64_t address = word | 0xfff;
    uint64_t lowest_clear = ~address & (address + 1);
    uint64_t below = 0xfff;

    if ((word & 1) != 0)
        below =
            lowest_clear == 0 || lowest_clear == BIT64(63) ? UINT64_MAX : (lowest_clear << 1) - 1;
    *out_first = below == UINT64_MAX ? 0 : word & PAGE_MASK & ~below;
    *out_last = *out_first | below;
}

/* ---- what each command does; false: it is illegal here ---- */

static void settle(struct amdvi_model *unit)
{
    if (unit->entries_owed == 0 && unit->domains_owed == 0)
        unit->owes_everything = false;
}

static bool do_entry(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    (void)high;
    unit->unordered = true;
    unit->stats.entries++;
    if (unit->entries_owed > 0)
        unit->entries_owed--;
    settle(unit);
    if (!unit->inject.lost_invalidations)
        amdvi_entry_drop(unit, (uint16_t)low);
    return true;
}

static bool do_pages(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    uint64_t first, last;

    range_of(high, &first, &last);
    unit->unordered = true;
    unit->stats.pages++;
    if (last - first == UINT64_MAX) {
        unit->stats.pages_everything++;
        if (unit->domains_owed > 0)
            unit->domains_owed--;
        settle(unit);
    }
    if (!unit->inject.lost_invalidations)
        amdvi_cache_drop_range(unit, (uint16_t)(low >> 32), first, last, (high & 2) == 0);
    return true;
}

static struct amdvi_endpoint *endpoint_of(struct amdvi_model *unit, uint16_t rid)
{
    for (unsigned i = 0; i < unit->endpoint_count; i++) {
        if (unit->endpoints[i].rid == rid)
            return &unit->endpoints[i];
    }
    return NULL;
}

static uint64_t command_address(struct amdvi_model *unit)
{
    return (amdvi_get(unit, A_CMDBUF) & ADDRESS) + amdvi_get(unit, A_CMD_HEAD);
}

static bool times_out(struct amdvi_model *unit)
{
    if (unit->inject.timeout_at == 0)
        return false;
    if (unit->inject.timeout_at > 1) {
        unit->inject.timeout_at--;
        return false;
    }
    if (unit->inject.timeouts == 0)
        unit->inject.timeout_at = 0;
    else
        unit->inject.timeouts--;
    return true;
}

static bool do_device_tlb(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    struct amdvi_endpoint *endpoint = endpoint_of(unit, (uint16_t)low);
    uint64_t first, last;

    if (!unit->config.device_tlb)
        return false;
    if (FIELD64(low, 31, 24) == 0)
        amdvi_violate(unit, "INVALIDATE_IOTLB_PAGES: none may be outstanding");
    /* Commands overlap [2.4]: the device could be told the old translation again. */
    if (unit->unordered)
        amdvi_violate(unit, "INVALIDATE_IOTLB_PAGES: nothing keeps it behind those before it");
    unit->stats.device_tlb++;
    range_of(high, &first, &last);
    if (endpoint == NULL || times_out(unit)) {
        amdvi_put_event(unit, E_DEVICE_TIMEOUT, (uint16_t)low, command_address(unit));
        return true;
    }
    if (!endpoint->to.invalidate(endpoint->to.arg, first, last)) {
        endpoint->outstanding++;
        endpoint->command = command_address(unit);
    }
    return true;
}

static bool do_interrupts(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    (void)high;
    unit->stats.interrupts++;
    if (!unit->inject.lost_invalidations)
        amdvi_interrupt_drop(unit, false, (uint16_t)low);
    return true;
}

static bool do_all(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    (void)low;
    (void)high;
    if (!unit->config.invalidate_all)
        return false;
    unit->stats.all++;
    unit->owes_everything = false;
    if (unit->inject.lost_invalidations)
        return true;
    unit->entry_count = 0;
    amdvi_cache_drop_all(unit);
    amdvi_interrupt_drop(unit, true, 0);
    return true;
}

static bool do_wait(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    unit->stats.waits++;
    if ((low & 5) != 0) /* a store is waited for by who asked; f holds back what follows */
        unit->unordered = false;
    if ((low & 1) == 0 || unit->inject.wait_never_written)
        return true;
    if (!model_host_write(unit->host, low & MASK64(51, 3), &high, sizeof(high)))
        amdvi_violate(unit, "COMPLETION_WAIT: %#llx is not RAM", (unsigned long long)low);
    return true;
}

static bool (*const handlers[O_COUNT])(struct amdvi_model *unit, uint64_t low, uint64_t high) = {
    [O_WAIT] = do_wait,
    [O_ENTRY] = do_entry,
    [O_PAGES] = do_pages,
    [O_DEVICE_TLB] = do_device_tlb,
    [O_INTERRUPTS] = do_interrupts,
    [O_PAGE_ANSWER] = amdvi_page_answer,
    [O_ALL] = do_all,
};

/* ---- the buffer ---- */

static unsigned outstanding(const struct amdvi_model *unit)
{
    unsigned count = 0;

    for (unsigned i = 0; i < unit->endpoint_count; i++)
        count += unit->endpoints[i].outstanding;
    return count;
}

static void advance(struct amdvi_model *unit)
{
    uint64_t bytes = BIT64(FIELD64(amdvi_get(unit, A_CMDBUF), 59, 56)) * 16;

    *amdvi_reg(unit, A_CMD_HEAD) = (amdvi_get(unit, A_CMD_HEAD) + 16) % bytes;
}

/* Stops at the command at the head; `code` 0: without a word. */
static void stop(struct amdvi_model *unit, unsigned code)
{
    if (code != 0)
        amdvi_put_event(unit, code, 0, command_address(unit));
    *amdvi_reg(unit, A_STATUS) &= ~S_CMDRUN;
    unit->halted = true;
    if (unit->config.head_past)
        advance(unit);
}

static bool hits(uint64_t *counter)
{
    return *counter != 0 && --*counter == 0;
}

static bool is_legal(struct amdvi_model *unit, const uint64_t command[2])
{
    unsigned opcode = (unsigned)FIELD64(command[0], 63, 60);

    if (opcode >= O_COUNT || handlers[opcode] == NULL || (command[0] & reserved_low[opcode]) != 0 ||
        (command[1] & reserved_high[opcode]) != 0) {
        amdvi_violate(unit, "command %#llx %#llx is illegal", (unsigned long long)command[0],
                      (unsigned long long)command[1]);
        return false;
    }
    return true;
}

static bool take_one(struct amdvi_model *unit)
{
    uint64_t command[2];
    unsigned opcode;

    if (hits(&unit->inject.silent_at)) {
        stop(unit, 0);
        return false;
    }
    if (hits(&unit->inject.hardware_at) ||
        !model_host_fetch128(unit->host, command_address(unit), MODEL_SNOOPED, "amdvi: commands",
                             command)) {
        stop(unit, E_COMMAND_ERROR);
        return false;
    }
    opcode = (unsigned)FIELD64(command[0], 63, 60);
    /* Everything behind a wait waits too: stricter than hardware, where only a barrier does. */
    if (opcode == O_WAIT && outstanding(unit) != 0)
        return false;
    if (hits(&unit->inject.illegal_at) || !is_legal(unit, command)) {
        stop(unit, E_ILLEGAL_COMMAND);
        return false;
    }
    if (!handlers[opcode](unit, command[0], command[1])) {
        amdvi_violate(unit, "command %u is not there", opcode);
        stop(unit, E_ILLEGAL_COMMAND);
        return false;
    }
    unit->stats.commands++;
    advance(unit);
    return true;
}

static bool may_take(const struct amdvi_model *unit)
{
    return !unit->gone && !unit->inject.queue_stuck &&
           (amdvi_get(unit, A_STATUS) & S_CMDRUN) != 0 &&
           amdvi_get(unit, A_CMD_HEAD) != amdvi_get(unit, A_CMD_TAIL);
}

unsigned amdvi_queue_run(struct amdvi_model *unit, unsigned limit)
{
    unsigned taken = 0;

    while (taken < limit && may_take(unit) && take_one(unit))
        taken++;
    return taken;
}

/* ---- device TLBs ---- */

void amdvi_model_connect(struct amdvi_model *unit, uint16_t rid,
                         const struct model_endpoint *endpoint)
{
    amdvi_model_lock(unit);
    if (unit->endpoint_count < ENDPOINTS_MAX)
        unit->endpoints[unit->endpoint_count++] =
            (struct amdvi_endpoint){.rid = rid, .to = *endpoint};
    else
        amdvi_violate(unit, "the test has more device TLBs than the model room");
    amdvi_model_unlock(unit);
}

static void completed(void *arg, uint16_t rid)
{
    struct amdvi_model *unit = arg;
    struct amdvi_endpoint *endpoint;

    amdvi_model_lock(unit);
    endpoint = endpoint_of(unit, rid);
    if (endpoint != NULL && endpoint->outstanding != 0)
        endpoint->outstanding--;
    if (unit->config.queue_mode == AMDVI_MODEL_AT_DOORBELL)
        (void)amdvi_queue_run(unit, UINT32_MAX);
    amdvi_model_unlock(unit);
}

void amdvi_model_endpoint_timeout(struct amdvi_model *unit, uint16_t rid)
{
    struct amdvi_endpoint *endpoint;

    amdvi_model_lock(unit);
    endpoint = endpoint_of(unit, rid);
    if (endpoint != NULL && endpoint->outstanding != 0) {
        endpoint->outstanding = 0;
        amdvi_put_event(unit, E_DEVICE_TIMEOUT, rid, endpoint->command);
    }
    if (unit->config.queue_mode == AMDVI_MODEL_AT_DOORBELL)
        (void)amdvi_queue_run(unit, UINT32_MAX);
    amdvi_model_unlock(unit);
}

/* ---- for devices of any kind ---- */

static void unit_lock(void *unit)
{
    amdvi_model_lock(unit);
}

static void unit_unlock(void *unit)
{
    amdvi_model_unlock(unit);
}

static bool unit_dma(void *unit, const struct model_dma_request *request, void *data, size_t bytes,
                     struct model_dma_result *result)
{
    return amdvi_model_dma(unit, request, data, bytes, result);
}

static void unit_connect(void *unit, uint16_t rid, const struct model_endpoint *endpoint)
{
    amdvi_model_connect(unit, rid, endpoint);
}

const struct model_unit_ops amdvi_model_ops = {
    unit_lock, unit_unlock, unit_dma, amdvi_ats_request, unit_connect, completed,
};
