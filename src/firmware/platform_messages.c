// SPDX-License-Identifier: MIT
/*
 * Whose interrupt messages an interrupt controller knows by their sender, which makes them nobody
 * else's: a GICv3's ITS looks an event up in a table of the device that sent it, and the device's
 * ID comes with the write, put there by the interconnect [GIC 5.2.6]. Where it takes them is in the
 * MADT [ACPI 5.2.12.18] or the devicetree.
 *
 * Called by readers of tables, by platform_describe.c, and by src/group for levels.
 */
#include "firmware/platform_table.h"
#include "firmware/table.h"

/** Ranges of one description; a real one has a few. They are compared each with each. */
#define SENDERS_MAX 1024u

#define MADT_FIRST          44u
#define MADT_ITS            0x0fu
#define ITS_BYTES           20u
#define ITS_BASE            8u
#define ITS_TRANSLATE_FRAME 0x10000u /**< GITS_TRANSLATER's [GIC 12.18] */
#define ITS_FRAME_BYTES     0x10000u

static unsigned count_of(const struct list_node *list)
{
    unsigned count = 0;

    list_for_each(node, list)
    {
        count++;
    }
    return count;
}

enum sluice_status platform_make_senders(struct sluice *sluice, struct platform *platform,
                                         const struct platform_senders *from)
{
    struct platform_senders *senders;

    if (count_of(&platform->senders) >= SENDERS_MAX) {
        log_warning(sluice,
                    "more than %u ranges of devices at interrupt controllers: messages of "
                    "the others count as anybody's",
                    SENDERS_MAX);
        return SLUICE_OK;
    }
    senders = host_alloc(sluice, sizeof(*senders));
    if (senders == NULL)
        return SLUICE_ERR_NO_MEMORY;
    *senders = *from;
    list_append(&platform->senders, &senders->node);
    return SLUICE_OK;
}

enum sluice_status platform_make_doorbell(struct sluice *sluice, struct platform *platform,
                                          sluice_phys_t first, sluice_phys_t last)
{
    struct platform_doorbell *doorbell = host_alloc(sluice, sizeof(*doorbell));

    if (doorbell == NULL)
        return SLUICE_ERR_NO_MEMORY;
    *doorbell = (struct platform_doorbell){.first = first, .last = last};
    list_append(&platform->doorbells, &doorbell->node);
    return SLUICE_OK;
}

/* What is malformed here only means that nobody is known: it keeps no unit from being found. */
enum sluice_status platform_read_madt(const struct platform_reader *reader)
{
    const uint8_t *data = reader->table->data;
    enum sluice_status status = SLUICE_OK;
    uint32_t at = MADT_FIRST;

    while (status == SLUICE_OK && at < reader->table->bytes) {
        uint32_t left = reader->table->bytes - at;
        uint8_t bytes = left < 2 ? 0 : data[at + 1];
        uint64_t base;

        if (bytes < 2 || bytes > left) {
            log_warning(reader->sluice,
                        "APIC: offset %#x: a structure of absurd length: the rest "
                        "is not looked at",
                        (unsigned)at);
            break;
        }
        if (data[at] == MADT_ITS && bytes >= ITS_BYTES) {
            base = table_get64(data + at + ITS_BASE);
            if (base <= UINT64_MAX - ITS_TRANSLATE_FRAME - ITS_FRAME_BYTES)
                status = platform_make_doorbell(reader->sluice, reader->platform,
                                                base + ITS_TRANSLATE_FRAME,
                                                base + ITS_TRANSLATE_FRAME + ITS_FRAME_BYTES - 1);
        }
        at += bytes;
    }
    return status;
}

/* ---- questions ---- */

/** The range that has this function, or NULL. */
static const struct platform_senders *senders_of(const struct platform *platform, uint16_t segment,
                                                 uint32_t rid)
{
    list_for_each(node, &platform->senders)
    {
        const struct platform_senders *senders = container_of(node, struct platform_senders, node);

        if (senders->on_pci && senders->segment == segment && rid >= senders->first_rid &&
            rid - senders->first_rid < senders->count)
            return senders;
    }
    return NULL;
}

bool platform_knows_senders(const struct platform *platform, uint16_t segment, uint16_t first_rid,
                            uint16_t last_rid, uint16_t *out_rid)
{
    /* Each round leaves a range behind. */
    for (uint32_t rid = first_rid; rid <= last_rid;) {
        const struct platform_senders *senders = senders_of(platform, segment, rid);

        if (senders == NULL) {
            *out_rid = (uint16_t)rid;
            return false;
        }
        rid = senders->first_rid + senders->count;
    }
    return true;
}

static bool may_be_one(const struct platform_senders *one, const struct platform_senders *other)
{
    return (one->controllers & other->controllers) != 0 &&
           one->first_id < (uint64_t)other->first_id + other->count &&
           other->first_id < (uint64_t)one->first_id + one->count;
}

bool platform_mixes_senders(const struct platform *platform)
{
    list_for_each(node, &platform->senders)
    {
        const struct platform_senders *one = container_of(node, struct platform_senders, node);

        for (struct list_node *at = node->next; at != &platform->senders; at = at->next) {
            if (may_be_one(one, container_of(at, struct platform_senders, node)))
                return true;
        }
    }
    return false;
}

bool platform_is_doorbell(const struct platform *platform, sluice_phys_t first, sluice_phys_t last)
{
    list_for_each(node, &platform->doorbells)
    {
        const struct platform_doorbell *doorbell =
            container_of(node, struct platform_doorbell, node);

        if (first >= doorbell->first && last <= doorbell->last)
            return true;
    }
    return false;
}
