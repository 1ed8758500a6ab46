// SPDX-License-Identifier: MIT
#include "unit/block.h"

unsigned unit_cover_lg2(sluice_iova_t first, sluice_iova_t last)
{
    uint64_t differ = (first ^ last) >> SLUICE_PAGE_LG2;
    unsigned lg2 = SLUICE_PAGE_LG2;

    while (differ != 0) {
        differ >>= 1;
        lg2++;
    }
    return lg2;
}

unsigned unit_block_lg2(sluice_iova_t first, sluice_iova_t last, unsigned most_lg2)
{
    unsigned lg2 = SLUICE_PAGE_LG2;

    while (lg2 < most_lg2) {
        uint64_t mask = ((uint64_t)2 << lg2) - 1;

        if ((first & mask) != 0 || last - first < mask)
            break;
        lg2++;
    }
    return lg2;
}
