// SPDX-License-Identifier: MIT
/*
 * Isolation groups and isolation policy as the library itself sees them.
 *
 *   scan.c      functions from configuration space     reason.c   why members are together
 *   tie.c       who cannot be kept from whom           query.c    the public look at groups
 *   shared.c    who is taken for another               index.c    groups and members in order
 *   policy.c    what a level and a group forbid        assign.c   isolation modes
 *   level.c     what a level demands                   trust.c    ports that lead outside
 *   messages.c  whose messages are nobody else's
 *
 * src/domain asks through sluice->policy, which points to group_policy, before it creates a domain
 * or attaches a device: this folder stands above it. Everything runs under sluice->lock, or for
 * the one caller that put the instance into the state "changing".
 */
#ifndef SLUICE_GROUP_GROUP_H
#define SLUICE_GROUP_GROUP_H

#include "domain/domain.h"

#define GROUP_NONE UINT32_MAX

/** One function of PCI, or one device that firmware names. */
struct group_function {
    uint16_t segment;
    uint16_t rid;
    uint32_t identity;   /**< vendor and device, to see that it is still the same */
    uint16_t class_code; /**< base class and subclass */
    enum pci_express_type type;
    enum pci_passage passage; /**< bridges: whose ID they put on requests */
    uint8_t secondary;        /**< bridges with a bus below: its number, else 0 */
    uint8_t subordinate;
    bool is_bridge;
    bool is_platform;
    /** Platform: what names it, where that is no requester ID; `rid` and `segment` are 0 then. */
    const struct platform_scope *scope;
    uint32_t ordinal;                 /**< of it among those */
    const struct platform_unit *unit; /**< NULL: its ID is its requester ID */
    uint32_t first_id;                /**< under which `unit` sees it */
    uint32_t id_count;
    bool is_virtual; /**< a virtual function; `physical` is its physical function's ID */
    uint16_t physical;
    bool unseen;        /**< it was added, and does not answer */
    uint16_t lacks;     /**< of access control, were it a port or one of several functions */
    bool refused;       /**< has what it lacks, and did not turn it on */
    bool binds;         /**< what is below it is in its group */
    uint8_t causes;     /**< 1 << enum sluice_group_cause: it tied others together */
    uint16_t other_rid; /**< for ALIAS and NUMBERING */
    const char *source; /**< for ALIAS */
    uint32_t parent;    /**< index of the bridge above, GROUP_NONE on a root bus */
    uint32_t leader;    /**< towards the lowest index of the group; see group_leader */
    struct sluice_device *device; /**< what the library was told of it, or NULL */
    uint32_t reasons_end;         /**< reasons of its group, up to its own and with them */
    /* Of the group, in its leader: where its members begin, and how many of each there are. */
    uint32_t first;
    uint32_t members;
    uint32_t devices; /**< members that are no bridges */
    uint32_t reasons;
};

/** The topology of all segments, sorted by segment and ID; then what is outside PCI. */
struct group_map {
    size_t bytes; /**< as allocated */
    uint32_t count;
    uint32_t capacity;
    bool blind;          /**< the host gives no configuration space */
    uint32_t exact[256]; /**< of the segment that is looked at: bridge with this secondary bus */
    uint32_t group_count;
    uint32_t *groups;  /**< their leaders, rising */
    uint32_t *members; /**< of the first group, of the second, ...; rising in each */
    struct group_function functions[]; /**< and behind them the two arrays, all of `capacity` */
};

/* ---- scan.c ---- */

/**
 * Looks at every function, turns access control on, and finds the groups. On an error the map is
 * as before. Returns: OK; NO_MEMORY.
 */
SLUICE_MUST_CHECK enum sluice_status group_scan(struct sluice *sluice);
/** Turns access control on again after sleep, where it was lost. */
void group_restore(struct sluice *sluice);
/** Frees the map; units are stopped. */
void group_clear(struct sluice *sluice);
/** The index of a function in the map, or GROUP_NONE. */
uint32_t group_find(const struct group_map *map, uint16_t segment, uint16_t rid);
/** The same for a device that was added. */
uint32_t group_find_device(const struct group_map *map, const struct sluice_device *device);
/** Whether what answers at a known place is no longer what the map has. */
bool group_changed(struct sluice *sluice, const struct group_function *function);

/** Whether two scopes name the same device outside PCI. */
bool group_same_name(const struct platform_scope *a, const struct platform_scope *b);

/* ---- assign.c ---- */

/** Ends a device's assignment; it is in no domain. */
void assignment_end_locked(struct sluice_device *device);

/* ---- trust.c ---- */

/** Forgets them all, when the instance is destroyed. */
void external_ports_clear(struct sluice *sluice);

/* ---- level.c ---- */

/** Who is told what keeps a level from being given. */
struct obstacle_sink {
    struct sluice *sluice;
    enum sluice_protection level;
    sluice_obstacle_handler *handler; /**< NULL: only counted and logged */
    void *arg;
    bool quiet;       /**< not logged */
    unsigned missing; /**< of the hardware or firmware */
    unsigned in_use;
};

/** Formats the sentence, logs it, and hands it on. */
__attribute__((format(printf, 3, 4))) void obstacle_tell(struct obstacle_sink *sink,
                                                         struct sluice_obstacle *obstacle,
                                                         const char *format, ...);

/** What the level demands of hardware and firmware; units are probed, the map is made. */
void level_check_demands(struct obstacle_sink *sink);
/** What is in use that the level forbids. */
void level_check_use(struct obstacle_sink *sink);

/* ---- messages.c ---- */

#define MESSAGES_GAP_BYTES 128u

/**
 * Whether no unit remaps interrupts, and none has to: whatever is behind them, the interrupt
 * controller knows its messages by their sender, and takes no others. Units are probed.
 * @param out_gap   where not: what is missing, as the end of a sentence; may be NULL
 */
bool messages_isolated(struct sluice *sluice, char out_gap[MESSAGES_GAP_BYTES]);
/** What interrupts are, for people: "remapped", "isolated by GIC ITS", "left alone". */
const char *messages_text(struct sluice *sluice);

/* ---- policy.c ---- */

extern const struct domain_policy group_policy;

/* ---- tie.c ---- */

/** Finds who belongs together; the functions are filled in and sorted. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status group_tie(struct sluice *sluice, struct group_map *map);
/** The lowest index of the group that a function is in. */
uint32_t group_leader(struct group_map *map, uint32_t index);
/** Makes one group of two functions' groups. */
void group_join(struct group_map *map, uint32_t a, uint32_t b);

/* ---- shared.c ---- */

/** Ties those whose requests carry IDs of others. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status group_tie_aliases(struct sluice *sluice,
                                                       struct group_map *map);
/** Ties those that are named several times, and those that get one ID. Uses map->members. */
void group_tie_sources(struct group_map *map);

/* ---- index.c ---- */

/** Fills in `groups`, `members` and what functions say of them; nobody is tied any more. */
void group_index(struct group_map *map);
/** The index-th member of the group led by `leader`, or GROUP_NONE. */
uint32_t group_member_at(const struct group_map *map, uint32_t leader, unsigned index);
/** A device came, or is about to go; `map` may be NULL. */
void group_note_device(struct group_map *map, struct sluice_device *device, bool is_there);

/* ---- query.c ---- */

#define GROUP_LABEL_BYTES 64u

/** The map, where there is one to look at, else NULL. Under sluice->lock. */
struct group_map *group_map_locked(struct sluice *sluice);
/** A group's number. */
uint64_t group_id(const struct group_map *map, uint32_t leader);
/** The number of the group that a device is in; false: it is not in the map. */
bool group_of_device_locked(struct sluice *sluice, const struct sluice_device *device,
                            uint64_t *out_id);
/** What a member is called: where it is on PCI, else its path or registers. */
void group_label(const struct group_function *function, char out[GROUP_LABEL_BYTES]);

/* ---- reason.c ---- */

#define GROUP_REASON_BYTES 224u /**< of a reason's sentence */

/** How many reasons a function is. */
unsigned group_reasons_of(const struct group_function *function);
/** The index-th reason of the group led by `leader`; false past the last. */
bool group_reason_at(const struct group_map *map, uint32_t leader, unsigned index,
                     struct sluice_group_reason *out);
/** Logs why a group is one. */
void group_log_reasons(struct sluice *sluice, enum sluice_log_level level, uint32_t leader);

#endif
