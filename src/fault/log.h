// SPDX-License-Identifier: MIT
/*
 * The fault log: the last records, for any number of readers that each go at their own pace.
 *
 * Writers never wait and never take a lock, since most of them are interrupts: each takes a number,
 * and with it a slot. A reader that falls behind by more than the log holds is told how many
 * records it lost, exactly: numbers have no gaps.
 *
 * Called by src/fault; writers from any context.
 */
#ifndef SLUICE_FAULT_LOG_H
#define SLUICE_FAULT_LOG_H

#include "core/instance.h"

#include <sluice/fault.h>

#define FAULT_WORDS ((sizeof(struct sluice_fault) + 7u) / 8u)

/**
 * `turn` says whose slot it is: 2 * number + 1 while record `number` is written, 2 * number + 2
 * when it is there. The words are atomic because a reader may look while a writer writes; what it
 * read counts only if the turn was the same before and after.
 */
struct fault_slot {
    atomic_uint_fast64_t turn;
    atomic_uint_fast64_t words[FAULT_WORDS];
};

struct fault_log {
    uint64_t slots_count; /**< a power of two */
    atomic_uint_fast64_t next;
    atomic_uint_fast64_t overtaken; /**< records not written: their slot's last one still was */
    struct fault_slot *slots;
};

/** Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status fault_log_init(struct sluice *sluice, struct fault_log *log,
                                                    uint64_t records);
void fault_log_clear(struct sluice *sluice, struct fault_log *log);

/** A record's words, for one writer and any readers; each brings what tells them apart. */
void fault_words_store(atomic_uint_fast64_t words[FAULT_WORDS], const struct sluice_fault *fault);
void fault_words_load(atomic_uint_fast64_t words[FAULT_WORDS], struct sluice_fault *out);

/** Writes a record. Context: any. */
void fault_log_put(struct fault_log *log, const struct sluice_fault *fault);

/** Number of the next record that will be written. */
static inline uint64_t fault_log_end(struct fault_log *log)
{
    return atomic_load_explicit(&log->next, memory_order_acquire);
}

/**
 * Reads record *cursor, or the first one after it that is still there, and moves the cursor behind
 * it. @param lost   increased by the number of records that were skipped
 * Returns false when there is nothing (yet).
 */
bool fault_log_get(struct fault_log *log, uint64_t *cursor, struct sluice_fault *out,
                   uint64_t *lost);

#endif
