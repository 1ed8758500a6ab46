// SPDX-License-Identifier: MIT
/*
 * Where interrupt messages go on this host, as its hook tells: ranges, and their pages by number.
 */
#ifndef SLUICE_CORE_DOORBELL_H
#define SLUICE_CORE_DOORBELL_H

#include "core/instance.h"

/** More than any machine has interrupt controllers; a host that never ends is cut off. */
#define HOST_DOORBELLS_MAX 16u

/** The index-th doorbell; false past the last, or where the host names none. Context: any. */
bool host_doorbell(struct sluice *sluice, unsigned index, sluice_phys_t *out_first,
                   sluice_phys_t *out_last);
/** The page with this number, counted over all doorbells in their order; false: there is none. */
bool host_doorbell_page(struct sluice *sluice, uint32_t number, sluice_phys_t *out_page);
/** Whether an address is in one. */
bool host_is_doorbell(struct sluice *sluice, sluice_phys_t phys);

#endif
