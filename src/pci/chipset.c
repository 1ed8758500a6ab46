// SPDX-License-Identifier: MIT
/*
 * Root ports of Intel chipsets from the 5 to the 9 series, which have no access control services
 * and registers of their own that do as much: what lets requests pass from port to port is in the
 * root complex registers, for all ports; what checks that a request comes from below, in each port.
 *
 * From the chipsets' datasheets ("I/O Controller Hub" registers of the 8 series, order 328904):
 * RCBA in function 1f.0 says where the root complex registers are; BSPR says that the backbone
 * passes no peer requests on, UPDCR which ports decode those of others; MPC.IRBNCE of a port
 * refuses requesters that are not on the buses below it. Linux's pci_quirk_intel_pch_acs reads the
 * same.
 *
 * The registers are mapped at start, where the host may sleep, and kept until stop: the look at a
 * port is under sluice->lock. Called by src/group and src/instance.
 */
#include "pci/pci.h"

#define LPC_BRIDGE   SLUICE_RID(0, 0x1f, 0)
#define VENDOR_INTEL 0x8086u
#define CLASS_ISA    0x0601u

#define RCBA        0xf0u
#define RCBA_ENABLE 0x1u
#define RCBA_BASE   0xffffc000u
#define RCRB_BYTES  0x4000u

#define UPDCR       0x1014u /**< upstream peer decode configuration */
#define UPDCR_PORTS 0x3fu
#define BSPR        0x1104u /**< backbone scratch pad: peers of the backbone */
#define BSPR_CLOSED 0x300u  /**< neither posted nor non-posted requests are passed on */

#define MPC        0xd8u /**< of a port: miscellaneous port configuration */
#define MPC_IRBNCE (1u << 26)

static uint32_t get(struct sluice *sluice, uint64_t offset)
{
    return sluice->ops->mmio_read32(sluice->config.ctx, sluice->chipset, offset);
}

/** Whether no port passes on what comes from another; all ones is no answer. */
static bool is_closed(struct sluice *sluice)
{
    uint32_t backbone = get(sluice, BSPR);
    uint32_t ports = get(sluice, UPDCR);

    if (backbone == UINT32_MAX || ports == UINT32_MAX)
        return false;
    return (backbone & BSPR_CLOSED) == BSPR_CLOSED || (ports & UPDCR_PORTS) == 0;
}

static bool close_peers(struct sluice *sluice)
{
    if (!is_closed(sluice) && !sluice->config.keep_acs) {
        sluice->ops->mmio_write32(sluice->config.ctx, sluice->chipset, UPDCR,
                                  get(sluice, UPDCR) & ~UPDCR_PORTS);
        if (!is_closed(sluice))
            log_warning(sluice,
                        "chipset: what its root ports pass on to each other was turned off, "
                        "and reads back as %#x",
                        (unsigned)get(sluice, UPDCR));
    }
    return is_closed(sluice);
}

static bool is_port(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    return segment == 0 && SLUICE_RID_BUS(rid) == 0 &&
           pci_quirk_find(sluice, segment, rid, PCI_QUIRK_CHIPSET_PORT) != NULL;
}

/** The offset in function 1f.0 means nothing unless it is that of such a chipset. */
static bool has_ports(struct sluice *sluice)
{
    if (pci_read(sluice, 0, LPC_BRIDGE, PCI_VENDOR_ID, 2) != VENDOR_INTEL ||
        pci_read(sluice, 0, LPC_BRIDGE, PCI_CLASS, 2) != CLASS_ISA)
        return false;
    for (uint16_t rid = 0; rid <= 0xff; rid++) {
        if (is_port(sluice, 0, rid))
            return true;
    }
    return false;
}

void pci_chipset_start(struct sluice *sluice)
{
    uint32_t rcba;

    sluice->chipset_closed = false;
    if (sluice->ops->pci_read == NULL || !has_ports(sluice))
        return;
    rcba = pci_read(sluice, 0, LPC_BRIDGE, RCBA, 4);
    if (rcba == UINT32_MAX || (rcba & RCBA_ENABLE) == 0 || (rcba & RCBA_BASE) == 0)
        return;
    if (!sluice->ops->mmio_map(sluice->config.ctx, rcba & RCBA_BASE, RCRB_BYTES,
                               &sluice->chipset)) {
        sluice->chipset = NULL;
        log_warning(sluice,
                    "chipset: its registers at %#x cannot be mapped: its root ports count "
                    "as not isolated",
                    (unsigned)(rcba & RCBA_BASE));
        return;
    }
    sluice->chipset_closed = close_peers(sluice);
}

void pci_chipset_restore(struct sluice *sluice)
{
    if (sluice->chipset != NULL)
        sluice->chipset_closed = close_peers(sluice);
}

void pci_chipset_stop(struct sluice *sluice)
{
    if (sluice->chipset != NULL)
        sluice->ops->mmio_unmap(sluice->config.ctx, sluice->chipset, RCRB_BYTES);
    sluice->chipset = NULL;
    sluice->chipset_closed = false;
}

bool pci_chipset_isolates(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    uint32_t port;

    if (!sluice->chipset_closed || !is_port(sluice, segment, rid))
        return false;
    port = pci_read(sluice, segment, rid, MPC, 4);
    if (port == UINT32_MAX)
        return false;
    if ((port & MPC_IRBNCE) == 0 && !sluice->config.keep_acs) {
        pci_write(sluice, segment, rid, MPC, 4, port | MPC_IRBNCE);
        port = pci_read(sluice, segment, rid, MPC, 4);
    }
    return port != UINT32_MAX && (port & MPC_IRBNCE) != 0;
}
