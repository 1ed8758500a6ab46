// SPDX-License-Identifier: MIT
/*
 * The checking mode: every live mapping in a table, the last ones that ended in a ring, and reports
 * that name device and call sites.
 *
 *   check_table.c   remembering and finding      check.c   judging calls
 *   check_fault.c   judging devices, by their faults
 *   check_text.c    a report as a line
 *
 * One lock guards it all; nothing of it is used while the mode is off.
 */
#ifndef SLUICE_DMA_CHECK_H
#define SLUICE_DMA_CHECK_H

#include "dma/dma.h"

#define CHECK_BUCKETS 1024u /**< a power of two */
#define CHECK_HISTORY 1024u /**< ended mappings that are remembered */
#define CHECK_LEAKS   16u   /**< leaks named one by one */

enum check_kind {
    CHECK_BUFFER = 0,
    CHECK_LIST,
    CHECK_MMIO,
    CHECK_COHERENT
};

/** A name that outlives its device, for what history says about it. */
struct check_name {
    struct check_name *next;
    char text[DMA_NAME_BYTES];
};

/** A mapping, live or ended. */
struct check_entry {
    struct check_entry *next; /**< in its bucket */
    uint64_t dma_id;          /**< of the handle */
    uint64_t space_id;        /**< of the space; 0: none */
    const char *device;
    sluice_iova_t address;
    uint64_t bytes;
    uint32_t flags;
    enum check_kind kind;
    const char *site;
    const char *ended_site;
    uint64_t time_ns; /**< when it began; of an ended one when it ended */
};

struct dma_check {
    struct dma_context *context;
    struct sluice_spinlock lock;
    struct check_entry *buckets[CHECK_BUCKETS];
    uint64_t untracked; /**< live mappings that no memory was found to remember */
    uint64_t ended;     /**< how many ever ended */
    struct check_entry history[CHECK_HISTORY];
    struct check_name *names;
};

/* ---- check_table.c ---- */

/** The instance's table, made at first. Under sluice->lock. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status check_get_locked(struct dma_context *context,
                                                      struct dma_check **out);
void check_destroy(struct dma_check *check);
/** A device takes part from now on. Under sluice->lock. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status check_join(struct dma_check *check, struct sluice_dma *dma);
/** The text for a device that outlives it. */
const char *check_name_of(struct dma_check *check, const struct sluice_dma *dma);
struct check_entry **check_bucket(struct dma_check *check, sluice_iova_t address);
/** The live mapping of a device that an address lies in; exact beginnings first. */
struct check_entry **check_find(struct dma_check *check, const struct sluice_dma *dma,
                                sluice_iova_t address);
/** The last ended mapping that an address lay in, of a device, or with NULL of any. */
const struct check_entry *check_find_ended(struct dma_check *check, const struct sluice_dma *dma,
                                           uint64_t space_id, sluice_iova_t address);
/** What tells a handle's space from all others, those that are gone included. */
uint64_t check_space_id(const struct dma_space *space);
/** Moves a live entry to the history. */
void check_end(struct dma_check *check, struct check_entry **at, const char *site);
/** Fills in what a report says about a mapping. */
void check_describe(const struct check_entry *entry, bool ended, uint64_t now_ns,
                    struct sluice_dma_misuse *out);

/* ---- check.c ---- */

/** A mapping was made. */
void check_mapped(struct sluice_dma *dma, enum check_kind kind,
                  const struct sluice_dma_chunk *range, uint32_t flags, const char *site);
/** A mapping is about to end. Returns: OK; INVALID, NOT_FOUND (reported; leave it alone). */
SLUICE_MUST_CHECK enum sluice_status check_unmapping(struct sluice_dma *dma, enum check_kind kind,
                                                     const struct sluice_dma_chunk *range,
                                                     uint32_t flags, const char *site);
/** The same for lists; `whole_bytes` is the length of the one range of a list, or 0. */
void check_list_mapped(struct sluice_dma *dma, const struct sluice_dma_sg *sg, uint64_t whole_bytes,
                       uint32_t flags, const char *site);
SLUICE_MUST_CHECK enum sluice_status check_list_unmapping(struct sluice_dma *dma,
                                                          const struct sluice_dma_sg *sg,
                                                          uint64_t whole_bytes, uint32_t flags,
                                                          const char *site);
/** A part is about to be synchronised. Returns: as check_unmapping. */
SLUICE_MUST_CHECK enum sluice_status check_sync(struct sluice_dma *dma,
                                                const struct sluice_dma_chunk *range,
                                                uint32_t flags, const char *site);
/** A device is closed: reports what it leaves behind, and forgets it. */
void check_leave(struct sluice_dma *dma);
/** Reports to log and handler, and counts. No lock of the checking mode is held. */
void check_report(struct dma_check *check, const struct sluice_dma_misuse *misuse);

/* ---- check_text.c ---- */

/** What was wrong, and what is known of the mapping. */
size_t misuse_text_call(const struct sluice_dma_misuse *misuse, char *buffer, size_t bytes);
void misuse_text_mapping(const struct sluice_dma_misuse *misuse, char *buffer, size_t bytes);

/* ---- check_fault.c ---- */

instance_fault_observer check_observe;

#endif
