// SPDX-License-Identifier: MIT
/*
 * What every call that can fail returns.
 */
#ifndef SLUICE_STATUS_H
#define SLUICE_STATUS_H

#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sluice_status {
    SLUICE_OK = 0,
    SLUICE_ERR_INVALID,     /**< an argument is outside what the function documents */
    SLUICE_ERR_ALIGNMENT,   /**< an address or size is not a multiple of the page size needed */
    SLUICE_ERR_RANGE,       /**< an address lies outside the domain's aperture or wraps */
    SLUICE_ERR_NO_MEMORY,   /**< the host had no memory to give; nothing has changed */
    SLUICE_ERR_NO_SPACE,    /**< a fixed resource ran out: domain IDs, entries, addresses */
    SLUICE_ERR_NOT_FOUND,   /**< what was named does not exist */
    SLUICE_ERR_EXISTS,      /**< something is there already: a mapping, a device, a table */
    SLUICE_ERR_BUSY,        /**< still in use; release the users first */
    SLUICE_ERR_STATE,       /**< not possible in the present state: not started, already stopped */
    SLUICE_ERR_DENIED,      /**< refused because it would break isolation or a reserved region */
    SLUICE_ERR_UNSUPPORTED, /**< this hardware, format or build does not have it */
    SLUICE_ERR_FIRMWARE,    /**< a firmware table is malformed; the log names table and offset */
    SLUICE_ERR_TIMEOUT,     /**< the hardware did not answer in bounded time; what it might still
                                 reach is withheld and the unit is marked degraded */
    SLUICE_ERR_HARDWARE,    /**< the hardware reported an error, or reads as all ones */
    SLUICE_STATUS_COUNT
};

/**
 * The sentence for a status, for logs and people. Never NULL, also for values out of range.
 * Context: any, interrupt-safe; the text is constant and not to be freed.
 */
SLUICE_API const char *sluice_status_text(enum sluice_status status);

/**
 * The symbol of a status ("SLUICE_ERR_TIMEOUT"), for programs and bug reports.
 * Context: any, interrupt-safe.
 */
SLUICE_API const char *sluice_status_name(enum sluice_status status);

#ifdef __cplusplus
}
#endif

#endif
