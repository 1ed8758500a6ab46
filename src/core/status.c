// SPDX-License-Identifier: MIT
/*
 * Status codes in words.
 */
#include <sluice/status.h>

struct status_text {
    const char *name;
    const char *text;
};

#define STATUS(symbol, sentence) [symbol] = {#symbol, sentence}

static const struct status_text status_texts[SLUICE_STATUS_COUNT] = {
    STATUS(SLUICE_OK, "success"),
    STATUS(SLUICE_ERR_INVALID, "invalid argument"),
    STATUS(SLUICE_ERR_ALIGNMENT, "address or size not aligned to the page size"),
    STATUS(SLUICE_ERR_RANGE, "address outside the domain's aperture"),
    STATUS(SLUICE_ERR_NO_MEMORY, "out of memory"),
    STATUS(SLUICE_ERR_NO_SPACE, "hardware resource exhausted"),
    STATUS(SLUICE_ERR_NOT_FOUND, "not found"),
    STATUS(SLUICE_ERR_EXISTS, "already exists"),
    STATUS(SLUICE_ERR_BUSY, "still in use"),
    STATUS(SLUICE_ERR_STATE, "not possible in the present state"),
    STATUS(SLUICE_ERR_DENIED, "refused to keep isolation"),
    STATUS(SLUICE_ERR_UNSUPPORTED, "not supported"),
    STATUS(SLUICE_ERR_FIRMWARE, "malformed firmware table"),
    STATUS(SLUICE_ERR_TIMEOUT, "hardware did not answer in time"),
    STATUS(SLUICE_ERR_HARDWARE, "hardware error"),
};

static const struct status_text *lookup(enum sluice_status status)
{
    static const struct status_text unknown = {"SLUICE_ERR_?", "unknown status"};

    if ((unsigned)status >= SLUICE_STATUS_COUNT || status_texts[status].name == NULL)
        return &unknown;
    return &status_texts[status];
}

const char *sluice_status_text(enum sluice_status status)
{
    return lookup(status)->text;
}

const char *sluice_status_name(enum sluice_status status)
{
    return lookup(status)->name;
}
