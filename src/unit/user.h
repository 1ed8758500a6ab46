// SPDX-License-Identifier: MIT
/*
 * Who uses a link: the sources, and PASIDs of sources, that invalidations of the link must name one
 * by one, because they keep translations in a device TLB or because the unit knows what they use by
 * something of theirs instead of by the link's tag. A driver has one list of them a unit.
 *
 * A user is added before the unit can translate for it through the link, and removed once the unit
 * and the device have forgotten what they had: while a source moves, it has two.
 *
 * Locks: the list is changed under the lock that the driver submits invalidations with, so that a
 * submission walks it whole; who changes it holds sluice->lock too, so that lookups need no other.
 */
#ifndef SLUICE_UNIT_USER_H
#define SLUICE_UNIT_USER_H

#include "unit/unit.h"

#include <sluice/cpu.h>

/** log2 of the size of a block that is all there is. */
#define UNIT_EVERYTHING_LG2 64u

struct unit_user {
    struct list_node node;
    const struct domain_link *link;
    uint32_t source; /**< struct source.id */
    uint32_t pasid;  /**< or SLUICE_NO_PASID: requests without one */
    uint32_t tag;    /**< of its own, instead of the link's; 0: it has none */
    uint8_t depth;   /**< invalidations its device TLB takes at once; 0 is 32 [PCIe 10.5.1.2] */
    bool device_tlb; /**< it may keep translations */
};

struct unit_users {
    struct list_node list; /**< struct unit_user */
    struct sluice *sluice;
    struct sluice_spinlock *lock;
};

void unit_users_init(struct unit_users *users, struct unit *unit, struct sluice_spinlock *lock);
/** Frees what is left, when the unit is released. */
void unit_users_release(struct unit_users *users);

/** Whether a source that uses the link keeps translations of it; the link may be NULL: blocked. */
bool unit_keeps_translations(const struct unit *unit, const struct source *source,
                             const struct domain_link *link);

/** NULL: there is none. Context: sluice->lock, or users->lock. */
struct unit_user *unit_user_find(const struct unit_users *users, uint32_t source, uint32_t pasid,
                                 const struct domain_link *link);
/** As unit_user_find, of requests without a PASID, for the link that the source has now. */
struct unit_user *unit_user_of(const struct unit_users *users, const struct source *source);
/** Adds a copy of `what`. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status unit_user_add(struct unit_users *users,
                                                   const struct unit_user *what);
/** @param user  may be NULL: nothing */
void unit_user_remove(struct unit_users *users, struct unit_user *user);
/** Drops what an attach that failed left of the link's users: the link goes away. */
void unit_users_forget(struct unit_users *users, const struct domain_link *link);

static inline bool unit_user_has_device_tlb(const struct unit_user *user)
{
    return user != NULL && user->device_tlb;
}

/** Has a user's device TLB forget the 2^lg2 bytes at `address`, a multiple of that. */
typedef void unit_device_tlb_sink(void *arg, const struct unit_user *user, uint64_t address,
                                  unsigned lg2);
/** Calls `sink` for all that the device TLBs of a link have to forget. Context: users->lock. */
void unit_users_device_tlbs_locked(const struct unit_users *users,
                                   const struct unit_invalidation *invalidation,
                                   unit_device_tlb_sink *sink, void *arg);

#endif
