// SPDX-License-Identifier: MIT
/*
 * A report of the checking mode as one line.
 */
#include "dma/check.h"

/** What is wrong; %s is how the device was to use the memory. */
static const char *const wrong[SLUICE_DMA_MISUSE_KIND_COUNT] = {
    [SLUICE_DMA_UNMAP_TWICE] = "unmaps what is unmapped already",
    [SLUICE_DMA_UNMAP_UNKNOWN] = "unmaps what was never mapped",
    [SLUICE_DMA_WRONG_SIZE] = "unmaps with another size than it was mapped",
    [SLUICE_DMA_WRONG_DIRECTION] = "uses another direction than it was mapped for",
    [SLUICE_DMA_WRONG_KIND] = "unmaps with the function for another kind of mapping",
    [SLUICE_DMA_SYNC_UNKNOWN] = "synchronises what is not mapped",
    [SLUICE_DMA_SYNC_OUTSIDE] = "synchronises beyond the mapping",
    [SLUICE_DMA_USE_AFTER_UNMAP] = "the device used an address after it was unmapped",
    [SLUICE_DMA_USE_BEYOND] = "the device ran over the end of a mapping",
    [SLUICE_DMA_USE_WRONG_WAY] = "the device used a mapping the wrong way",
    [SLUICE_DMA_LEAK] = "closed with this still mapped",
};

static const char *direction(uint32_t flags)
{
    static const char *const words[] = {"", " to the device", " from the device", " both ways"};

    return words[flags & SLUICE_DMA_BOTH];
}

/** A time span in the unit that fits. */
static void say_age(char *buffer, size_t bytes, uint64_t ns)
{
    if (ns >= 1000000000)
        format_text(buffer, bytes, "%llu s", (unsigned long long)(ns / 1000000000));
    else if (ns >= 1000000)
        format_text(buffer, bytes, "%llu ms", (unsigned long long)(ns / 1000000));
    else
        format_text(buffer, bytes, "%llu us", (unsigned long long)(ns / 1000));
}

static bool was_unmapped(const struct sluice_dma_misuse *misuse)
{
    return misuse->kind == SLUICE_DMA_UNMAP_TWICE || misuse->kind == SLUICE_DMA_USE_AFTER_UNMAP ||
           misuse->unmapped_site != NULL;
}

void misuse_text_mapping(const struct sluice_dma_misuse *misuse, char *buffer, size_t bytes)
{
    bool unmapped = was_unmapped(misuse);
    char age[24];

    say_age(age, sizeof(age), misuse->age_ns);
    format_text(
        buffer, bytes, "mapped%s as %#llx, %llu bytes%s%s%s%s%s%s%s%s", unmapped ? "" : " and live",
        (unsigned long long)misuse->mapped_address, (unsigned long long)misuse->mapped_bytes,
        direction(misuse->mapped_flags), misuse->mapped_site != NULL ? ", at " : "",
        misuse->mapped_site != NULL ? misuse->mapped_site : "", unmapped ? ", unmapped " : ", for ",
        age, unmapped ? " ago" : "", misuse->unmapped_site != NULL ? " at " : "",
        misuse->unmapped_site != NULL ? misuse->unmapped_site : "");
}

size_t misuse_text_call(const struct sluice_dma_misuse *misuse, char *buffer, size_t bytes)
{
    const char *what = (unsigned)misuse->kind < SLUICE_DMA_MISUSE_KIND_COUNT ? wrong[misuse->kind]
                                                                             : "unknown misuse";
    char given[96] = "";

    if (misuse->bytes != 0)
        format_text(given, sizeof(given), ", %llu bytes%s", (unsigned long long)misuse->bytes,
                    direction(misuse->flags));
    return format_text(
        buffer, bytes, "%s: %s: %#llx%s%s%s", misuse->device != NULL ? misuse->device : "", what,
        (unsigned long long)misuse->address, given, misuse->site != NULL ? ", at " : "",
        misuse->site != NULL ? misuse->site : "");
}

size_t sluice_dma_misuse_text(const struct sluice_dma_misuse *misuse, char *buffer, size_t bytes)
{
    char mapping[224];
    char call[224];

    (void)misuse_text_call(misuse, call, sizeof(call));
    if (misuse->mapped_bytes == 0)
        return format_text(buffer, bytes, "%s", call);
    misuse_text_mapping(misuse, mapping, sizeof(mapping));
    return format_text(buffer, bytes, "%s; %s", call, mapping);
}
