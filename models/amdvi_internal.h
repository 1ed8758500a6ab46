// SPDX-License-Identifier: MIT
/*
 * The inside of the AMD-Vi model: amdvi.c (life, small functions), amdvi_registers.c,
 * amdvi_queue.c (commands), amdvi_cache.c, amdvi_walk.c (translation), amdvi_interrupt.c
 * (messages), amdvi_log.c (events), amdvi_page.c (page requests). All of it runs with the unit
 * locked.
 *
 * Section numbers are of the AMD specification, revision 3.08.
 */
#ifndef MODELS_AMDVI_INTERNAL_H
#define MODELS_AMDVI_INTERNAL_H

#include "models/amdvi.h"

#include <pthread.h>

/* Register offsets [3.4]. */
enum {
    A_DEVTAB = 0x00,
    A_CMDBUF = 0x08,
    A_EVTLOG = 0x10,
    A_CONTROL = 0x18,
    A_EXCL_BASE = 0x20,
    A_EXCL_LIMIT = 0x28,
    A_EFR = 0x30,
    A_PPRLOG = 0x38,
    A_EVTLOG_B = 0xf8,
    A_SEGMENT1 = 0x100, /* to 7, at 0x130 */
    A_SEGMENT7 = 0x130,
    A_CMD_HEAD = 0x2000,
    A_CMD_TAIL = 0x2008,
    A_EVT_HEAD = 0x2010,
    A_EVT_TAIL = 0x2018,
    A_STATUS = 0x2020,
    A_PPR_HEAD = 0x2030,
    A_PPR_TAIL = 0x2038,
    A_EVTB_HEAD = 0x2070,
    A_EVTB_TAIL = 0x2078,
    A_REGISTERS = 0x2080,
};

#define BIT64(n)              ((uint64_t)1 << (n))
#define FIELD64(v, high, low) (((v) >> (low)) & (UINT64_MAX >> (63 - ((high) - (low)))))
#define MASK64(high, low)     ((UINT64_MAX >> (63 - ((high) - (low)))) << (low))
#define PAGE_MASK             MASK64(63, 12)
#define ADDRESS               MASK64(51, 12)

#define C_EN       BIT64(0)
#define C_EVTLOG   BIT64(2)
#define C_EVTINT   BIT64(3)
#define C_COHERENT BIT64(10)
#define C_CMDBUF   BIT64(12)
#define C_PPRLOG   BIT64(13)
#define C_PPRINT   BIT64(14)
#define C_PPR      BIT64(15)
#define C_GA       BIT64(17)
#define C_DUALEVT  MASK64(33, 32) /* 2: goes on in the other log by itself */
#define C_SEGMENTS MASK64(36, 34) /* log2 of how many */
#define C_XT       BIT64(50)

#define S_EVTOVERFLOW BIT64(0)
#define S_EVTINT      BIT64(1)
#define S_COMWAITINT  BIT64(2)
#define S_EVTRUN      BIT64(3)
#define S_CMDRUN      BIT64(4)
#define S_PPROVERFLOW BIT64(5)
#define S_PPRINT      BIT64(6)
#define S_PPRRUN      BIT64(7)
#define S_EVTOVERB    BIT64(15)
#define S_EVTACTIVE   BIT64(16) /* events go to log B */

/* Events [2.5]. */
enum {
    E_ILLEGAL_ENTRY = 1,
    E_PAGE_FAULT = 2,
    E_TABLE_ERROR = 3,
    E_PAGE_TABLE_ERROR = 4,
    E_ILLEGAL_COMMAND = 5,
    E_COMMAND_ERROR = 6,
    E_DEVICE_TIMEOUT = 7,
    E_INVALID_REQUEST = 8,
    E_INVALID_PAGE_REQUEST = 9,
};

#define CACHE_BUCKETS 1024u
#define ENTRIES_MAX   512u
#define ENDPOINTS_MAX 16u
#define OWED_MAX      1024u
/* Cached interrupt entries. */
#define INTERRUPTS_MAX 4096u

/* A cached translation (level 0), or a cached pointer to the table at `level`. */
struct amdvi_cached {
    struct amdvi_cached *next;
    uint16_t domain;
    uint8_t level;
    bool refused;   /**< nothing there, as a unit with NpCache remembers */
    uint64_t index; /**< address >> (12 + 9 * level) */
    sluice_phys_t phys;
    unsigned next_level; /**< of a table: the level it has */
    bool read, write;
};

struct amdvi_cached_entry {
    uint16_t rid;
    uint8_t event; /**< not 0: it cannot be used */
    uint64_t word[4];
};

struct amdvi_cached_interrupt {
    uint16_t rid;
    uint32_t index;
    uint64_t word[2];
};

struct amdvi_endpoint {
    uint16_t rid;
    unsigned outstanding;
    uint64_t command; /**< address of the last one that it has not answered */
    struct model_endpoint to;
};

/* A group of page requests that its device waits for the answer to. */
struct amdvi_owed {
    uint16_t rid;
    uint16_t group;
    bool has_pasid;
    uint32_t pasid;
};

struct amdvi_model {
    struct model_host *host;
    struct amdvi_model_config config;
    struct model_pci_function *function;
    uint8_t msi;          /**< offset of the MSI capability */
    pthread_mutex_t lock; /**< recursive; guards everything below */
    uint64_t file[A_REGISTERS / 8];
    unsigned reads_left; /**< until STATUS follows CONTROL */
    bool halted;         /**< an error stopped the command buffer, until it is turned off */
    bool unordered;      /**< own caches may still be dropping what commands before asked for */
    bool owes_everything;
    uint64_t entries_owed, domains_owed; /**< to be dropped singly, of a unit without "all" */

    struct amdvi_cached_entry entries[ENTRIES_MAX];
    unsigned entry_count;
    struct amdvi_cached *buckets[CACHE_BUCKETS];
    unsigned cached_count;

    struct amdvi_cached_interrupt interrupts[INTERRUPTS_MAX];
    unsigned interrupt_count;
    amdvi_model_interrupt_sink *interrupt_sink;
    void *interrupt_sink_arg;

    struct amdvi_endpoint endpoints[ENDPOINTS_MAX];
    unsigned endpoint_count;

    struct amdvi_owed owed[OWED_MAX];
    unsigned owed_count;

    bool late; /**< an event is on its way to memory */
    unsigned late_left;
    sluice_phys_t late_at;
    uint64_t late_event[2];

    struct amdvi_model_injection inject;
    bool gone;
    struct amdvi_model_stats stats;
};

__attribute__((format(printf, 2, 3))) void amdvi_violate(struct amdvi_model *unit,
                                                         const char *format, ...);

static inline uint64_t *amdvi_reg(struct amdvi_model *unit, unsigned offset)
{
    return &unit->file[offset / 8];
}

static inline uint64_t amdvi_get(const struct amdvi_model *unit, unsigned offset)
{
    return unit->file[offset / 8];
}

/* amdvi_registers.c */
extern const struct model_mmio_ops amdvi_mmio_ops;
void amdvi_registers_reset(struct amdvi_model *unit);

/* amdvi_queue.c */
unsigned amdvi_queue_run(struct amdvi_model *unit, unsigned limit);

/* amdvi_cache.c */
struct amdvi_cached *amdvi_cache_find(struct amdvi_model *unit, uint16_t domain, unsigned level,
                                      uint64_t address);
void amdvi_cache_add(struct amdvi_model *unit, const struct amdvi_cached *what);
void amdvi_cache_drop_all(struct amdvi_model *unit);
void amdvi_cache_drop_range(struct amdvi_model *unit, uint16_t domain, uint64_t first,
                            uint64_t last, bool leaves_only);
const struct amdvi_cached_entry *amdvi_entry_find(struct amdvi_model *unit, uint16_t rid);
void amdvi_entry_add(struct amdvi_model *unit, const struct amdvi_cached_entry *what);
void amdvi_entry_drop(struct amdvi_model *unit, uint16_t rid);

/* amdvi_interrupt.c */
void amdvi_interrupt_drop(struct amdvi_model *unit, bool any, uint16_t rid);
/** CONTROL is about to change: whether what is cached of interrupt entries means another thing. */
bool amdvi_interrupt_control(struct amdvi_model *unit, uint64_t before, uint64_t value);

/* amdvi_walk.c */
/** The device table entry of a requester, from the cache if it is there. */
struct amdvi_cached_entry amdvi_entry_get(struct amdvi_model *unit, uint16_t rid);
void amdvi_ats_request(void *unit, uint16_t rid, uint64_t address, struct model_translation *out);

/* amdvi_page.c */
/** COMPLETE_PPR_REQUEST; false: there is no such command. */
bool amdvi_page_answer(struct amdvi_model *unit, uint64_t low, uint64_t high);

/* amdvi_log.c */
/** Whether the event log that is written now has overflowed. */
bool amdvi_log_overflowed(const struct amdvi_model *unit);
/** Sets an interrupt bit of STATUS; the message is sent when it was clear and `enable` is set. */
void amdvi_raise(struct amdvi_model *unit, uint64_t bit, uint64_t enable);
void amdvi_put_event(struct amdvi_model *unit, unsigned code, uint64_t low, uint64_t high);
/** A register is read: an event that was late comes nearer. */
void amdvi_put_progress(struct amdvi_model *unit);

#endif
