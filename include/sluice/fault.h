// SPDX-License-Identifier: MIT
/*
 * Faults: what a unit stopped, in one form for every kind of unit.
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_FAULT_H
#define SLUICE_FAULT_H

#include <stddef.h>

#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice;

/** Why a transaction was stopped, over all kinds of hardware. */
enum sluice_fault_reason {
    SLUICE_FAULT_OTHER = 0,    /**< see the hardware's own code and text */
    SLUICE_FAULT_BLOCKED,      /**< the device belongs to no domain, or to a blocking one */
    SLUICE_FAULT_NOT_MAPPED,   /**< nothing is mapped at the address */
    SLUICE_FAULT_READ_DENIED,  /**< mapped, but not for reading */
    SLUICE_FAULT_WRITE_DENIED, /**< mapped, but not for writing */
    SLUICE_FAULT_OUT_OF_RANGE, /**< the address is wider than the domain */
    SLUICE_FAULT_BAD_ENTRY,    /**< the unit found its own tables malformed */
    SLUICE_FAULT_TABLE_ACCESS, /**< the unit could not read its tables */
    SLUICE_FAULT_REQUEST_TYPE, /**< a kind of request that the entry does not allow */
    SLUICE_FAULT_INTERRUPT,    /**< an interrupt message was refused */
    SLUICE_FAULT_REASON_COUNT
};

/** The word for a reason, for logs ("not mapped"). Context: any. Never NULL. */
SLUICE_API const char *sluice_fault_reason_text(enum sluice_fault_reason reason);

enum sluice_access {
    SLUICE_ACCESS_READ = 0,
    SLUICE_ACCESS_WRITE,
    SLUICE_ACCESS_EXECUTE,
    SLUICE_ACCESS_ATOMIC,
    SLUICE_ACCESS_UNKNOWN,
};

/** Whose tables the address was looked up in when it faulted. */
enum sluice_fault_stage {
    SLUICE_STAGE_UNKNOWN = 0, /**< the hardware does not say */
    SLUICE_STAGE_NONE,        /**< no page table: what says who a source is refused it */
    SLUICE_STAGE_FIRST,  /**< stage 1 of Arm, guest tables of AMD; what leads there on RISC-V */
    SLUICE_STAGE_SECOND, /**< stage 2 of Arm, host tables of AMD */
};

struct sluice_fault {
    const char *unit; /**< name of the unit; lives as long as the instance */
    uint16_t segment; /**< PCI segment of the requester */
    uint32_t source;  /**< requester ID, stream ID or endpoint, as the unit says */
    uint32_t pasid;   /**< or SLUICE_NO_PASID */
    enum sluice_access access;
    enum sluice_fault_reason reason;
    enum sluice_fault_stage stage;
    uint32_t hardware_code;    /**< the unit's own number for it */
    const char *hardware_text; /**< the specification's words for that number */
    sluice_iova_t address;     /**< page-granular where the hardware says no more */
    bool address_valid;
    /**
     * Where the second stage faulted: the address that it was asked to translate, where the
     * hardware says so. That is what the first stage made of `address`, or, with
     * `intermediate_of_walk`, what of its tables and descriptors the unit had to read for that.
     */
    sluice_iova_t intermediate;
    bool intermediate_valid;
    bool intermediate_of_walk;
    bool privileged; /**< the request asked for privileged access */
    /** Of a refused interrupt message: which entry it named, where the hardware says so. */
    bool interrupt_index_valid;
    uint32_t interrupt_index;
    bool records_lost; /**< the unit dropped records around this one */
    uint64_t time_ns;  /**< host clock when it was drained */
};

/**
 * Called once a drained fault. Context: whatever drains: sluice_fault_poll's caller, or the event
 * interrupt's; must not sleep or call functions of Sluice that change anything.
 */
typedef void sluice_fault_handler(void *arg, const struct sluice_fault *fault);

/**
 * Drains the fault records of every unit, oldest first, into the instance's on_fault.
 * Bounded: at most as many records a unit as its log holds. Then what is due is done: devices with
 * too many faults are cut off (sluice/quarantine.h), and subscribers are told.
 * Context: any thread, not an interrupt; may run beside the event interrupt.
 * Returns the number of records drained.
 */
SLUICE_API unsigned sluice_fault_poll(struct sluice *sluice);

/**
 * What is known of a fault's address, beyond what the hardware says: looked up in the domain that
 * the device, or its PASID, is in when the record is made.
 *
 * Each domain remembers its last unmaps (sluice_config.unmap_history), by ranges and times, at no
 * cost worth speaking of. A time is that of the invalidation's completion, within one wait for the
 * hardware; in a lazy domain it is that of a batch of unmaps, from when the first of them was
 * queued to the flush that ended it. Of an unmap over several mappings at once, what lies between
 * them may count as unmapped too. The checking mode (sluice_config.check_dma) knows more exactly,
 * and then it is what is told.
 */
enum sluice_address_history {
    SLUICE_ADDRESS_UNKNOWN = 0, /**< nobody kept a record, or the address is not valid */
    /** Nothing is mapped there now, and it is not among the last unmaps (`unmaps_known`): whether
     * it ever was mapped is not known. */
    SLUICE_ADDRESS_NOT_MAPPED,
    SLUICE_ADDRESS_MAPPED,   /**< mapped now, in the domain of the device */
    SLUICE_ADDRESS_UNMAPPED, /**< was mapped, and ended: see unmapped_ago_ns */
    /** Nothing was ever mapped there in this domain. Never said falsely; of an address in a region
     * of 2 MiB that was in use, or as good as one, it is not said. */
    SLUICE_ADDRESS_NEVER_MAPPED,
};

/** A fault with what the library knows of it; texts are copies. */
struct sluice_fault_record {
    uint64_t number; /**< counts without gaps over the instance, from 0 */
    struct sluice_fault fault;
    char device[64]; /**< "0000:01:00.0 'nic'"; empty: nobody told of a device with this ID */
    char domain[32]; /**< of the device now; empty: none */
    enum sluice_address_history history;
    uint64_t unmapped_ago_ns; /**< UNMAPPED: at least so long ago, when the record was made */
    /** UNMAPPED: and at most so much longer; UINT64_MAX: nobody knows how much. */
    uint64_t unmapped_slack_ns;
    /** UNMAPPED: a unit has not confirmed it: it goes on, or the unit did not answer. */
    bool unmap_unconfirmed;
    uint64_t unmaps_known; /**< NOT_MAPPED: it is not among so many, the domain's last ones */
};

/** Enough for any record's text. */
#define SLUICE_FAULT_TEXT_BYTES 512u

/**
 * A record in one line: who, what it tried, why it was stopped, and what was at the address; never
 * more than `bytes`, terminated. Context: any. Returns the length that the whole line has.
 */
SLUICE_API size_t sluice_fault_text(const struct sluice_fault_record *record, char *buffer,
                                    size_t bytes);

/**
 * A subscriber: called once a fault, in order, never two at a time.
 * @param lost   records that came between the last call and this one and were overwritten before
 *               they could be told
 * Context: that of who works on faults: the host's `defer`, or sluice_fault_poll. No lock of the
 * instance is held; it may sleep if those may, but then later faults wait.
 */
typedef void sluice_fault_subscriber(void *arg, const struct sluice_fault_record *record,
                                     uint64_t lost);

struct sluice_fault_subscription;

/** Subscribes from now on. Returns: OK; INVALID; NO_MEMORY. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_fault_subscribe(struct sluice *sluice, sluice_fault_subscriber *subscriber, void *arg,
                       struct sluice_fault_subscription **out);
/**
 * Ends a subscription; when this returns the subscriber is not running for it and never will. A
 * call that runs is waited for; records that it was behind by are not told.
 * Context: as in the head of sluice/instance.h. Also from a subscriber, which may end every
 * subscription but the one that it is called for: it would wait for itself.
 */
SLUICE_API void sluice_fault_unsubscribe(struct sluice_fault_subscription *subscription);

struct sluice_fault_counts {
    uint64_t faults;      /**< delivered by the units, in all */
    uint64_t overwritten; /**< of them, never in the log: another writer held their place */
    uint64_t quarantines; /**< devices cut off */
    uint64_t recoveries;  /**< and brought back */
    uint64_t silences;    /**< sources that were silenced (sluice/quarantine.h) */
    /** Drained records around which a unit said that it dropped others: each stands for one lost
     * record at least, as units do not count them. */
    uint64_t hardware_losses;
    uint64_t holds; /**< times that a unit's event interrupt was held back (fault_share) */
};

/** What was counted since the instance was made. Context: any; no lock is taken. */
SLUICE_API void sluice_fault_counts(struct sluice *sluice, struct sluice_fault_counts *out);

#ifdef __cplusplus
}
#endif

#endif
