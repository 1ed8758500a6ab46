// SPDX-License-Identifier: MIT
/*
 * The fault log. See log.h.
 */
#include "fault/log.h"

enum sluice_status fault_log_init(struct sluice *sluice, struct fault_log *log, uint64_t records)
{
    log->slots = host_alloc(sluice, (size_t)records * sizeof(log->slots[0]));
    if (log->slots == NULL)
        return SLUICE_ERR_NO_MEMORY;
    log->slots_count = records;
    return SLUICE_OK;
}

void fault_log_clear(struct sluice *sluice, struct fault_log *log)
{
    host_free(sluice, log->slots, (size_t)log->slots_count * sizeof(log->slots[0]));
    log->slots = NULL;
}

void fault_words_store(atomic_uint_fast64_t words[FAULT_WORDS], const struct sluice_fault *fault)
{
    union {
        struct sluice_fault fault;
        uint64_t words[FAULT_WORDS];
    } copy = {.words = {0}};

    copy.fault = *fault;
    /* Release: whoever reads one of these sees the odd turn before it; pairs with fault_words_load.
     */
    for (unsigned i = 0; i < FAULT_WORDS; i++)
        atomic_store_explicit(&words[i], copy.words[i], memory_order_release);
}

void fault_words_load(atomic_uint_fast64_t words[FAULT_WORDS], struct sluice_fault *out)
{
    union {
        struct sluice_fault fault;
        uint64_t words[FAULT_WORDS];
    } copy;

    /* Acquire: the look at the turn that follows is not older; pairs with fault_words_store. */
    for (unsigned i = 0; i < FAULT_WORDS; i++)
        copy.words[i] = atomic_load_explicit(&words[i], memory_order_acquire);
    *out = copy.fault;
}

void fault_log_put(struct fault_log *log, const struct sluice_fault *fault)
{
    uint64_t number = atomic_fetch_add_explicit(&log->next, 1, memory_order_acq_rel);
    struct fault_slot *slot = &log->slots[number & (log->slots_count - 1)];
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);

    /*
     * A writer that was held up for a whole round, or one that is: the slot is not this one's, and
     * to wait for it in an interrupt could be for ever. Readers see a number without a record.
     */
    if ((turn & 1) != 0 || turn > 2 * number ||
        !atomic_compare_exchange_strong_explicit(&slot->turn, &turn, 2 * number + 1,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&log->overtaken, 1, memory_order_relaxed);
        return;
    }
    fault_words_store(slot->words, fault);
    /* Release: the words come before the even turn; pairs with the reader's first load. */
    atomic_store_explicit(&slot->turn, 2 * number + 2, memory_order_release);
}

/** Whether a record is there; *out_late when it never will be, or is no more. */
static bool read_slot(struct fault_log *log, uint64_t number, struct sluice_fault *out,
                      bool *out_late)
{
    struct fault_slot *slot = &log->slots[number & (log->slots_count - 1)];
    uint64_t before = atomic_load_explicit(&slot->turn, memory_order_acquire);

    *out_late = before > 2 * number + 2;
    if (before != 2 * number + 2)
        return false;
    fault_words_load(slot->words, out);
    *out_late = atomic_load_explicit(&slot->turn, memory_order_relaxed) != before;
    return !*out_late;
}

bool fault_log_get(struct fault_log *log, uint64_t *cursor, struct sluice_fault *out,
                   uint64_t *lost)
{
    for (;;) {
        uint64_t end = fault_log_end(log);
        bool late;

        if (*cursor == end)
            return false;
        /* What is further back than the log is long was overwritten, all of it. */
        if (end - *cursor > log->slots_count) {
            *lost += end - *cursor - log->slots_count;
            *cursor = end - log->slots_count;
        }
        if (read_slot(log, *cursor, out, &late)) {
            ++*cursor;
            return true;
        }
        /* Not there yet, unless so many came after it that its writer must have given up. */
        if (!late && end - *cursor <= log->slots_count / 2)
            return false;
        ++*lost;
        ++*cursor;
    }
}
