// SPDX-License-Identifier: MIT
/*
 * Writes a reserved region into a copy of IORT: an RMR node at its end [IORT 3.1.1.7], for the
 * stream that the root complex's mapping makes of the function.
 */
#include "arch.h"
#include "string.h"

#define TABLE_LENGTH     4u
#define TABLE_CHECKSUM   9u
#define IORT_NODE_COUNT  36u
#define IORT_NODES       40u
#define IORT_HEADER      48u
#define NODE_TYPE        0u
#define NODE_LENGTH      1u
#define NODE_REVISION    3u
#define NODE_MAPPINGS    8u
#define NODE_MAPPINGS_AT 12u
#define NODE_HEADER      16u
#define ROOT_SEGMENT     28u
#define MAPPING_BYTES    20u
#define MAPPING_COUNT    4u
#define MAPPING_OUTPUT   8u
#define MAPPING_TO       12u
#define TYPE_ROOT        2u
#define TYPE_SMMU3       4u
#define TYPE_RMR         6u
#define RMR_REVISION     3u
#define RMR_REGION_AT    28u
#define RMR_MAPPING_AT   48u
#define RMR_BYTES        68u

/* Where one function's requests arrive. */
struct stream {
    uint32_t id, unit; /* `unit` is the offset of its node */
};

static uint64_t get_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static void put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static bool takes(const uint8_t *table, size_t length, const uint8_t *mapping, uint16_t rid,
                  struct stream *out)
{
    uint64_t first = get_le(mapping, 4), more = get_le(mapping + MAPPING_COUNT, 4);
    out->unit = (uint32_t)get_le(mapping + MAPPING_TO, 4);
    out->id = (uint32_t)(get_le(mapping + MAPPING_OUTPUT, 4) + rid - first);
    return rid >= first && rid - first <= more && out->unit < length &&
           table[out->unit + NODE_TYPE] == TYPE_SMMU3;
}

static bool find_stream(const uint8_t *table, size_t length, uint16_t segment, uint16_t rid,
                        struct stream *out)
{
    uint64_t count = get_le(table + IORT_NODE_COUNT, 4), at = get_le(table + IORT_NODES, 4);
    for (; count > 0 && at + NODE_HEADER <= length; count--) {
        const uint8_t *node = table + at;
        uint64_t bytes = get_le(node + NODE_LENGTH, 2), maps = get_le(node + NODE_MAPPINGS, 4);
        uint64_t map_at = get_le(node + NODE_MAPPINGS_AT, 4);
        if (bytes < NODE_HEADER || bytes > length - at)
            return false;
        for (; node[NODE_TYPE] == TYPE_ROOT && get_le(node + ROOT_SEGMENT, 4) == segment &&
               maps > 0 && map_at + MAPPING_BYTES <= bytes;
             maps--, map_at += MAPPING_BYTES) {
            if (takes(table, length, node + map_at, rid, out))
                return true;
        }
        at += bytes;
    }
    return false;
}

static void put_rmr(uint8_t *node, const struct stream *stream, uint64_t first, uint64_t last)
{
    memset(node, 0, RMR_BYTES);
    node[NODE_TYPE] = TYPE_RMR;
    put_le(node + NODE_LENGTH, RMR_BYTES, 2);
    node[NODE_REVISION] = RMR_REVISION;
    put_le(node + NODE_MAPPINGS, 1, 4);
    put_le(node + NODE_MAPPINGS_AT, RMR_MAPPING_AT, 4);
    put_le(node + 20, 1, 4); /* regions */
    put_le(node + 24, RMR_REGION_AT, 4);
    put_le(node + RMR_REGION_AT, first, 8);
    put_le(node + RMR_REGION_AT + 8, last - first + 1, 8);
    put_le(node + RMR_MAPPING_AT + MAPPING_OUTPUT, stream->id, 4);
    put_le(node + RMR_MAPPING_AT + MAPPING_TO, stream->unit, 4);
    put_le(node + RMR_MAPPING_AT + 16, 1, 4); /* a single mapping */
}

size_t arch_table_reserve(uint8_t *table, size_t length, size_t capacity, uint16_t segment,
                          uint16_t rid, uint64_t first, uint64_t last)
{
    struct stream stream;
    uint8_t sum = 0;
    if (memcmp(table, "IORT", 4) != 0 || length < IORT_HEADER || capacity - length < RMR_BYTES ||
        !find_stream(table, length, segment, rid, &stream))
        return 0;
    put_rmr(table + length, &stream, first, last);
    length += RMR_BYTES;
    put_le(table + TABLE_LENGTH, length, 4);
    put_le(table + IORT_NODE_COUNT, get_le(table + IORT_NODE_COUNT, 4) + 1, 4);
    table[TABLE_CHECKSUM] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + table[i]);
    table[TABLE_CHECKSUM] = (uint8_t)(0 - sum);
    return length;
}
