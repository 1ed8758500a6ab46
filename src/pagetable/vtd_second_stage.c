// SPDX-License-Identifier: MIT
/*
 * The engine for VT-d second-stage tables. Used by src/unit/intel for every domain in legacy mode,
 * and in scalable mode where the unit has second-stage translation.
 */
#include "pagetable/vtd_second_stage.h"

#include "pagetable/engine.h"
