// SPDX-License-Identifier: MIT
/*
 * Sluice, the portable IOMMU stack: every public header at once.
 */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <sluice/acpi.h>
#include <sluice/device.h>
#include <sluice/dma.h>
#include <sluice/domain.h>
#include <sluice/fault.h>
#include <sluice/group.h>
#include <sluice/host.h>
#include <sluice/instance.h>
#include <sluice/interrupt.h>
#include <sluice/iort.h>
#include <sluice/lint.h>
#include <sluice/nested.h>
#include <sluice/overview.h>
#include <sluice/platform.h>
#include <sluice/protection.h>
#include <sluice/quarantine.h>
#include <sluice/selftest.h>
#include <sluice/status.h>
#include <sluice/types.h>

#endif
