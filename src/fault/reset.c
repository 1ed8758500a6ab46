// SPDX-License-Identifier: MIT
/*
 * Function level reset [PCIe 6.6.2; PCI AF ECN 2.1]: what a function forgets is kept and put back,
 * but for bus mastering.
 */
#include "fault/fault.h"

#define PCI_CAP_ID_MSI         0x05u
#define PCI_CAP_ID_MSIX        0x11u
#define PCI_CAP_ID_ADVANCED    0x13u
#define EXPRESS_DEVICE_CAP     4u
#define EXPRESS_DEVICE_CONTROL 8u
#define EXPRESS_DEVICE_STATUS  10u
#define EXPRESS_CAN_RESET      (1u << 28)
#define EXPRESS_RESET          (1u << 15)
#define EXPRESS_PENDING        (1u << 5)
#define ADVANCED_CAN           3u /**< bit 0: says what is pending; bit 1: can be reset */
#define ADVANCED_CONTROL       4u
#define ADVANCED_STATUS        5u
#define RESET_NS               ((uint64_t)100000000) /**< it answers after so long [PCIe 6.6.2] */
#define SETTLE_NS              ((uint64_t)100000000) /**< for what is pending */

/** What a reset takes away: registers by offset, each of 4 bytes. */
#define HEADER_WORDS 9u
#define MSI_WORDS    6u

struct kept {
    uint32_t command;
    uint32_t header[HEADER_WORDS];
    uint16_t msi_at, msix_at, express_at;
    uint32_t msi[MSI_WORDS];
    uint32_t msix_control;
    uint32_t express_control;
};

/** Cache line size, the base addresses and the ROM's, the interrupt line [PCI 3.0, 6.1]. */
static const uint8_t header_at[HEADER_WORDS] = {0x0c, 0x10, 0x14, 0x18, 0x1c,
                                                0x20, 0x24, 0x30, 0x3c};

struct function {
    struct sluice *sluice;
    uint16_t segment;
    uint16_t rid;
};

static uint32_t get(const struct function *function, unsigned at, unsigned width)
{
    return pci_read(function->sluice, function->segment, function->rid, (uint16_t)at, width);
}

static void put(const struct function *function, unsigned at, unsigned width, uint32_t value)
{
    function->sluice->ops->pci_write(function->sluice->config.ctx, function->segment, function->rid,
                                     (uint16_t)at, width, value);
}

static uint16_t capability(const struct function *function, uint8_t id)
{
    return pci_find_capability(function->sluice, function->segment, function->rid, id);
}

static void keep(const struct function *function, struct kept *kept)
{
    kept->command = get(function, PCI_COMMAND, 2);
    for (unsigned i = 0; i < HEADER_WORDS; i++)
        kept->header[i] = get(function, header_at[i], 4);
    kept->msi_at = capability(function, PCI_CAP_ID_MSI);
    kept->msix_at = capability(function, PCI_CAP_ID_MSIX);
    kept->express_at = capability(function, PCI_CAP_ID_EXPRESS);
    for (unsigned i = 0; kept->msi_at != 0 && i < MSI_WORDS; i++)
        kept->msi[i] = get(function, kept->msi_at + 4 * i, 4);
    if (kept->msix_at != 0)
        kept->msix_control = get(function, kept->msix_at + 2u, 2);
    if (kept->express_at != 0)
        kept->express_control = get(function, kept->express_at + EXPRESS_DEVICE_CONTROL, 2);
}

static void put_back(const struct function *function, const struct kept *kept)
{
    for (unsigned i = 0; i < HEADER_WORDS; i++)
        put(function, header_at[i], 4, kept->header[i]);
    if (kept->express_at != 0)
        put(function, kept->express_at + EXPRESS_DEVICE_CONTROL, 2,
            kept->express_control & ~EXPRESS_RESET);
    /* The control word last: it turns the others on. */
    for (unsigned i = MSI_WORDS; kept->msi_at != 0 && i-- > 0;)
        put(function, kept->msi_at + 4 * i, 4, kept->msi[i]);
    if (kept->msix_at != 0)
        put(function, kept->msix_at + 2u, 2, kept->msix_control);
    put(function, PCI_COMMAND, 2, kept->command & ~PCI_COMMAND_MASTER);
}

static void wait_ns(struct sluice *sluice, uint64_t ns)
{
    uint64_t end = host_now_ns(sluice) + ns;

    while (host_now_ns(sluice) < end)
        host_relax(sluice);
}

/** What is under way ends, or is lost with the reset: nobody waits for it for long. */
static void settle(const struct function *function, unsigned at, uint32_t bit, unsigned width)
{
    uint64_t end = host_now_ns(function->sluice) + SETTLE_NS;

    while ((get(function, at, width) & bit) != 0 && host_now_ns(function->sluice) < end)
        host_relax(function->sluice);
}

static bool start_reset(const struct function *function, const struct kept *kept)
{
    uint16_t advanced = capability(function, PCI_CAP_ID_ADVANCED);

    if (kept->express_at != 0 &&
        (get(function, kept->express_at + EXPRESS_DEVICE_CAP, 4) & EXPRESS_CAN_RESET) != 0) {
        settle(function, kept->express_at + EXPRESS_DEVICE_STATUS, EXPRESS_PENDING, 2);
        put(function, kept->express_at + EXPRESS_DEVICE_CONTROL, 2,
            kept->express_control | EXPRESS_RESET);
        return true;
    }
    if (advanced == 0 || (get(function, advanced + ADVANCED_CAN, 1) & 3u) != 3u)
        return false;
    settle(function, advanced + ADVANCED_STATUS, 1u, 1);
    put(function, advanced + ADVANCED_CONTROL, 1, 1);
    return true;
}

/** A function that is not ready says vendor ID 1, or nothing [PCIe 2.3.1]. */
static bool wait_for_answer(const struct function *function)
{
    uint64_t end = host_deadline_ns(function->sluice);

    for (;;) {
        uint32_t vendor = get(function, PCI_VENDOR_ID, 2) & 0xffffu;

        if (vendor != 0xffffu && vendor != 0x0001u)
            return true;
        if (host_now_ns(function->sluice) >= end)
            return false;
        host_relax(function->sluice);
    }
}

enum sluice_status reset_function(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    const struct function function = {sluice, segment, rid};
    struct kept kept = {0};

    if (sluice->ops->device_reset != NULL &&
        sluice->ops->device_reset(sluice->config.ctx, segment, rid))
        return SLUICE_OK;
    if (sluice->ops->pci_read == NULL || sluice->ops->pci_write == NULL ||
        !pci_present(sluice, segment, rid))
        return SLUICE_ERR_UNSUPPORTED;
    keep(&function, &kept);
    if (!start_reset(&function, &kept))
        return SLUICE_ERR_UNSUPPORTED;
    wait_ns(sluice, RESET_NS);
    if (!wait_for_answer(&function))
        return SLUICE_ERR_TIMEOUT;
    put_back(&function, &kept);
    return SLUICE_OK;
}
