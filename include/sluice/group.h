// SPDX-License-Identifier: MIT
/*
 * Isolation groups: which devices cannot be kept apart, and why.
 *
 * An IOMMU confines what reaches it. Devices that can talk to each other below it, or that it
 * cannot tell apart, are one group: who owns one of them reaches the others. A group is found from
 * the topology as configuration space shows it:
 *
 *     a port without access control services   what is below it, and beside it on a switch
 *     functions of one device without them     each other
 *     a conventional bridge                    everything below: one bus, one requester ID
 *     a device with another's requester ID     both
 *     a unit that gives several the same ID    those
 *
 * Devices on a root bus are kept apart by the root complex, where the IOMMU is; devices outside PCI
 * have a group each. Access control is
 * turned on wherever it is there, when the instance starts and when a device is added (see
 * sluice_config.keep_acs).
 *
 * Groups are looked at when the instance starts, when a device is added that was not there, and
 * when the host asks (sluice_group_rescan). A group's number stays until then.
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_GROUP_H
#define SLUICE_GROUP_H

#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice;
struct sluice_device;

/** Access control services of a function, at their places in its registers [PCIe 7.7.8.2]. */
enum sluice_acs {
    SLUICE_ACS_SOURCE_VALIDATION = 1u << 0,    /**< requests carry only IDs from below the port */
    SLUICE_ACS_TRANSLATION_BLOCKING = 1u << 1, /**< requests that claim to be translated stop */
    SLUICE_ACS_REQUEST_REDIRECT = 1u << 2,     /**< requests to a neighbour go up first */
    SLUICE_ACS_COMPLETION_REDIRECT = 1u << 3,  /**< so do the answers */
    SLUICE_ACS_UPSTREAM_FORWARDING = 1u << 4,  /**< what would turn around at the port goes up */
    SLUICE_ACS_EGRESS_CONTROL = 1u << 5,
    SLUICE_ACS_DIRECT_TRANSLATED = 1u << 6, /**< translated requests go directly: must be off */
    SLUICE_ACS_NONE = 1u << 15,             /**< not a register's bit: it has no such capability */
};

/** Why members of a group are together. */
enum sluice_group_cause {
    SLUICE_GROUP_PORT = 0,  /**< a root or switch port lacks access control */
    SLUICE_GROUP_FUNCTION,  /**< a function of a multifunction device does */
    SLUICE_GROUP_BRIDGE,    /**< a conventional bridge: one bus, one requester ID */
    SLUICE_GROUP_ALIAS,     /**< a function's requests carry another requester ID */
    SLUICE_GROUP_SHARED_ID, /**< the unit sees it under an ID that others have too */
    SLUICE_GROUP_NUMBERING, /**< two bridges claim the same bus */
    SLUICE_GROUP_UNSEEN,    /**< the host gives no configuration space: nothing is known */
};

struct sluice_group_reason {
    enum sluice_group_cause cause;
    uint16_t segment;
    uint16_t rid;       /**< the port, function or bridge that is to blame */
    uint32_t shared_id; /**< SHARED_ID: stream, device or endpoint ID */
    uint16_t other_rid; /**< ALIAS: the ID its requests carry; NUMBERING: the other bridge */
    /** PORT, FUNCTION: set of enum sluice_acs that is off, or (DIRECT_TRANSLATED) on. */
    uint16_t lacks;
    /** Whether it said that it can do what it lacks, but did not when it was told to. */
    bool refused;
    const char *source; /**< ALIAS of a known device: who found out; else NULL */
};

struct sluice_group_member {
    bool is_platform; /**< outside PCI; firmware names it */
    uint16_t segment; /**< PCI, and what an ACPI table names by requester ID */
    uint16_t rid;
    const char *name; /**< platform: its path, not terminated, of name_bytes; or NULL */
    uint32_t name_bytes;
    sluice_phys_t registers; /**< platform: of its registers; 0: not said */
    bool is_bridge;          /**< does no DMA of its own */
    /** What the library was told of it, or NULL. Valid until it is removed. */
    struct sluice_device *device;
};

struct sluice_group_info {
    uint64_t id;
    unsigned members;
    unsigned devices; /**< of them, that are no bridges: 1 means that the device is alone */
    unsigned reasons; /**< 0: nothing ties members, there is only one */
};

/** How many groups there are; 0 before start. Context: any thread. */
SLUICE_API unsigned sluice_group_count(struct sluice *sluice);

/** Returns: OK; INVALID (a pointer is NULL); NOT_FOUND (index is not below the count). Context: any
 * thread. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_group_info(struct sluice *sluice, unsigned index, struct sluice_group_info *out);

/**
 * The index-th member of group `id`, or why its members are together.
 * Returns: OK; INVALID (a pointer is NULL); NOT_FOUND (no such group any more, or index past the
 * last). Context: any thread.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_group_member(struct sluice *sluice, uint64_t id, unsigned index,
                    struct sluice_group_member *out);
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_group_reason(struct sluice *sluice, uint64_t id, unsigned index,
                    struct sluice_group_reason *out);

/** The group that a function is in. Returns: OK; INVALID (a pointer is NULL); NOT_FOUND (it did not
 * answer). */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_group_of(struct sluice *sluice, uint16_t segment, uint16_t rid, uint64_t *out_id);
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_device_group(struct sluice_device *device,
                                                                    uint64_t *out_id);

/**
 * Looks at the topology again: devices came or went, or buses were numbered anew. Access control
 * is turned on for what is new.
 * Context: takes the instance's lock for a read of every function's configuration space.
 * Returns: OK; INVALID (a pointer is NULL); STATE (not started); NO_MEMORY (the groups are as
 * before).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_group_rescan(struct sluice *sluice);

/**
 * A reason as a sentence: "root port 0000:00:1c.0 has no ACS: ...". Cut to `bytes`, terminated.
 * Returns the length of the whole sentence. Context: any.
 */
SLUICE_API size_t sluice_group_reason_text(const struct sluice_group_reason *reason, char *buffer,
                                           size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
