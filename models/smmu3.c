// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 model's life, and its register file [SMMU 6.3]: what may be written when, and what a
 * write sets off.
 */
#include "models/smmu3_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW 0x20000u

struct smmu3_model_config smmu3_model_defaults(void)
{
    return (struct smmu3_model_config){
        .base = 0x09050000,
        .stage1 = true,
        .stage2 = true,
        .coherent = true,
        .messages = true,
        .two_level = true,
        .contexts_2 = true,
        .wide_tags = true,
        .ranges = true,
        .bbml = 2,
        .sid_bits = 16,
        .oas = 5,
        .granules = 7,
        .stall = 1,
        .event_lg2 = 19,
        .latency_reads = 2,
    };
}

void smmu3_violate(struct smmu3_model *unit, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    model_host_violate(unit->host, "smmu3: %s", text);
}

void smmu3_lock(struct smmu3_model *unit)
{
    pthread_mutex_lock(&unit->lock);
}

void smmu3_unlock(struct smmu3_model *unit)
{
    pthread_mutex_unlock(&unit->lock);
}

/* ---- acknowledgements ---- */

static void follow(struct smmu3_model *unit)
{
    if (!unit->inject.stuck_cr0)
        smmu3_set(unit, R_CR0ACK, smmu3_get(unit, R_CR0));
    smmu3_set(unit, R_IRQ_CTRLACK, smmu3_get(unit, R_IRQ_CTRL));
    if (unit->config.queue_mode == SMMU3_MODEL_AT_DOORBELL)
        (void)smmu3_queue_run(unit, UINT32_MAX);
}

static void progress(struct smmu3_model *unit)
{
    if (unit->ack_left != 0 && --unit->ack_left == 0)
        follow(unit);
    if (unit->gbpa_left != 0 && --unit->gbpa_left == 0 && !unit->inject.stuck_gbpa)
        smmu3_set(unit, R_GBPA, smmu3_get(unit, R_GBPA) & ~(uint32_t)GBPA_UPDATE);
}

/* ---- writes ---- */

static void cr0_written(struct smmu3_model *unit, uint32_t value)
{
    uint32_t rising = value & ~smmu3_get(unit, R_CR0);

    if ((value & ~0x1fu) != 0)
        smmu3_violate(unit, "CR0: %#x has bits that are not there", value);
    if (smmu3_get(unit, R_CR0ACK) != smmu3_get(unit, R_CR0))
        smmu3_violate(unit, "CR0: written before the last write had taken effect");
    if ((rising & CR0_SMMUEN) != 0 && (unit->owes_streams || unit->owes_tlb))
        smmu3_violate(unit, "CR0: translation on before everything was invalidated");
    if ((rising & CR0_PRIQEN) != 0 && !unit->config.pri)
        smmu3_violate(unit, "CR0: no page requests here");
    smmu3_set(unit, R_CR0, value);
    unit->ack_left = unit->config.latency_reads;
    if (unit->ack_left == 0)
        follow(unit);
}

static void gbpa_written(struct smmu3_model *unit, uint32_t value)
{
    if ((smmu3_get(unit, R_GBPA) & GBPA_UPDATE) != 0 || (value & GBPA_UPDATE) == 0) {
        smmu3_violate(unit, "GBPA: written during an update, or without one");
        return;
    }
    smmu3_set(unit, R_GBPA, value);
    unit->gbpa_left = unit->config.latency_reads + 1;
}

static void acknowledged(struct smmu3_model *unit, uint32_t value)
{
    uint32_t toggled = value ^ smmu3_get(unit, R_GERRORN);

    if ((toggled & ~(smmu3_get(unit, R_GERROR) ^ smmu3_get(unit, R_GERRORN))) != 0)
        smmu3_violate(unit, "GERRORN: acknowledges what is not active");
    smmu3_set(unit, R_GERRORN, value);
    if ((toggled & 1) != 0)
        unit->halted = false;
    if (unit->config.queue_mode == SMMU3_MODEL_AT_DOORBELL)
        (void)smmu3_queue_run(unit, UINT32_MAX);
}

/* What must be off, or not, when a register is written. */
static uint64_t guard_of(unsigned offset)
{
    if (offset >= R_CR1 && offset <= R_CR2)
        return CR0_SMMUEN | CR0_CMDQEN | CR0_EVENTQEN;
    if (offset >= R_STRTAB_BASE && offset < R_CMDQ_BASE)
        return CR0_SMMUEN;
    if ((offset >= R_CMDQ_BASE && offset < R_CMDQ_PROD) || offset == R_CMDQ_CONS)
        return CR0_CMDQEN;
    if (offset >= R_EVENTQ_BASE && offset <= R_EVENTQ_PROD)
        return CR0_EVENTQEN;
    return offset >= R_PRIQ_BASE && offset <= R_PRIQ_PROD ? CR0_PRIQEN : 0;
}

static void written(struct smmu3_model *unit, unsigned offset, uint32_t value)
{
    uint64_t guard = guard_of(offset);

    if (((smmu3_get(unit, R_CR0) | smmu3_get(unit, R_CR0ACK)) & guard) != 0)
        smmu3_violate(unit, "register %#x written while what it guards is on", offset);
    switch (offset) {
    case R_CR0:
        cr0_written(unit, value);
        return;
    case R_GBPA:
        gbpa_written(unit, value);
        return;
    case R_GERRORN:
        acknowledged(unit, value);
        return;
    case R_IRQ_CTRL:
        smmu3_set(unit, R_IRQ_CTRL, value);
        unit->ack_left = unit->ack_left != 0 ? unit->ack_left : unit->config.latency_reads;
        if (unit->ack_left == 0)
            follow(unit);
        return;
    case R_CMDQ_PROD:
        smmu3_set(unit, offset, value);
        unit->stats.doorbells++;
        if (unit->config.queue_mode == SMMU3_MODEL_AT_DOORBELL)
            (void)smmu3_queue_run(unit, UINT32_MAX);
        return;
    default:
        break;
    }
    if (offset < R_CR0 || offset == R_CR0ACK || offset == R_GERROR || offset == R_IRQ_CTRLACK) {
        smmu3_violate(unit, "write to read-only register %#x", offset);
        return;
    }
    if (!unit->config.messages && (offset == R_GERROR_CFG0 || offset == R_EVENTQ_CFG0))
        smmu3_violate(unit, "write to register %#x, which is not there without messages", offset);
    if (offset >= R_STRTAB_BASE && offset < R_CMDQ_BASE)
        unit->owes_streams = unit->owes_tlb = true;
    smmu3_set(unit, offset, value);
}

/* Offset in the file of an access, or R_BYTES: the producer and consumer indexes of the event and
 * page request queues are in page 1, and nothing else is. */
static unsigned place(uint64_t at)
{
    bool page1 = at >= 0x10000;
    unsigned offset = (unsigned)(at & 0xffff);
    bool index = offset == R_EVENTQ_PROD || offset == R_EVENTQ_CONS || offset == R_PRIQ_PROD ||
                 offset == R_PRIQ_CONS;

    return offset < R_BYTES && page1 == index ? offset : (unsigned)R_BYTES;
}

static bool wide(unsigned offset)
{
    return offset == R_STRTAB_BASE || offset == R_CMDQ_BASE || offset == R_EVENTQ_BASE ||
           offset == R_PRIQ_BASE || offset == R_GERROR_CFG0 || offset == R_EVENTQ_CFG0 ||
           offset == R_PRIQ_CFG0;
}

static bool present(struct smmu3_model *unit)
{
    if (unit->inject.gone_at != 0 && --unit->inject.gone_at == 0)
        unit->gone = true;
    return !unit->gone;
}

static uint64_t register_read(void *arg, uint64_t at, unsigned width)
{
    struct smmu3_model *unit = arg;
    unsigned offset = place(at);
    uint64_t value = width == 4 ? UINT32_MAX : UINT64_MAX;

    smmu3_lock(unit);
    if (present(unit)) {
        progress(unit);
        value = 0;
        if (offset == R_BYTES || (width == 8 && !wide(offset)))
            smmu3_violate(unit, "read of %u bytes at %#llx", width, (unsigned long long)at);
        else
            value = width == 8 ? smmu3_get64(unit, offset) : smmu3_get(unit, offset);
    }
    smmu3_unlock(unit);
    return value;
}

static void register_write(void *arg, uint64_t at, unsigned width, uint64_t value)
{
    struct smmu3_model *unit = arg;
    unsigned offset = place(at);

    smmu3_lock(unit);
    if (present(unit)) {
        if (offset == R_BYTES || (width == 8 && !wide(offset))) {
            smmu3_violate(unit, "write of %u bytes at %#llx", width, (unsigned long long)at);
        } else {
            written(unit, offset, (uint32_t)value);
            if (width == 8)
                written(unit, offset + 4, (uint32_t)(value >> 32));
        }
    }
    smmu3_unlock(unit);
}

static const struct model_mmio_ops mmio_ops = {register_read, register_write};

/* ---- life ---- */

static void tick(void *arg)
{
    struct smmu3_model *unit = arg;

    smmu3_lock(unit);
    (void)smmu3_queue_run(unit, 1);
    smmu3_unlock(unit);
}

void smmu3_model_reset(struct smmu3_model *unit)
{
    const struct smmu3_model_config *config = &unit->config;

    smmu3_lock(unit);
    for (unsigned i = 0; i < R_BYTES / 4; i++)
        unit->file[i] = 0;
    smmu3_set(unit, R_IDR0,
              (uint32_t)config->stage2 | (uint32_t)config->stage1 << 1 | 2u << 2 |
                  (uint32_t)config->coherent << 4 | config->httu << 6 |
                  (uint32_t)config->ats << 10 | (uint32_t)config->contexts_2 << 19 |
                  (uint32_t)config->wide_tags << 12 | (uint32_t)config->messages << 13 |
                  (uint32_t)config->pri << 16 | (uint32_t)config->wide_tags << 18 | 2u << 21 |
                  config->stall << 24 | 1u << 26 | (uint32_t)config->two_level << 27);
    smmu3_set(unit, R_IDR1,
              config->sid_bits | config->ssid_bits << 6 | 19u << 21 | config->event_lg2 << 16 |
                  (config->pri ? 19u << 11 : 0));
    smmu3_set(unit, R_IDR3, (uint32_t)config->ranges << 10 | config->bbml << 11);
    smmu3_set(unit, R_IDR5, config->oas | config->granules << 4);
    smmu3_set(unit, R_IIDR, config->iidr);
    smmu3_set(unit, R_AIDR, 2);
    unit->owes_streams = unit->owes_tlb = true;
    unit->halted = unit->atc_failed = unit->unordered = false;
    unit->ack_left = unit->gbpa_left = 0;
    smmu3_unlock(unit);
}

struct smmu3_model *smmu3_model_create(struct model_host *host,
                                       const struct smmu3_model_config *config)
{
    struct smmu3_model *unit = calloc(1, sizeof(*unit));
    pthread_mutexattr_t attributes;

    if (unit == NULL)
        abort();
    unit->host = host;
    unit->config = *config;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&unit->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    smmu3_model_reset(unit);
    model_host_add_mmio(host, config->base, WINDOW, &mmio_ops, unit);
    if (config->queue_mode == SMMU3_MODEL_AT_TICK)
        model_host_add_tick(host, tick, unit);
    return unit;
}

void smmu3_model_destroy(struct smmu3_model *unit)
{
    pthread_mutex_destroy(&unit->lock);
    free(unit);
}

void smmu3_model_inject(struct smmu3_model *unit, const struct smmu3_model_injection *injection)
{
    smmu3_lock(unit);
    unit->inject = *injection;
    unit->gone = false;
    if (injection->gerror != 0)
        smmu3_raise_error(unit, injection->gerror);
    smmu3_unlock(unit);
}

void smmu3_model_stats(struct smmu3_model *unit, struct smmu3_model_stats *out)
{
    smmu3_lock(unit);
    *out = unit->stats;
    smmu3_unlock(unit);
}

unsigned smmu3_model_tlb_entries(struct smmu3_model *unit)
{
    return unit->tlb_count;
}

unsigned smmu3_model_streams_cached(struct smmu3_model *unit)
{
    return unit->entry_count;
}

bool smmu3_model_translating(struct smmu3_model *unit)
{
    return smmu3_on(unit, CR0_SMMUEN);
}

void smmu3_model_evict(struct smmu3_model *unit)
{
    smmu3_lock(unit);
    unit->tlb_count = unit->entry_count = unit->pointer_count = unit->context_count = 0;
    smmu3_unlock(unit);
}
