// SPDX-License-Identifier: MIT
/*
 * Log lines: formatted on the stack, handed to the host.
 */
#include "core/instance.h"

static enum sluice_log_level level_of(struct sluice *sluice)
{
    unsigned set = atomic_load_explicit(&sluice->log_level_set, memory_order_relaxed);

    return set != 0 ? (enum sluice_log_level)(set - 1) : sluice->config.log_level;
}

void log_line(struct sluice *sluice, enum sluice_log_level level, const char *format, ...)
{
    char line[256];
    va_list args;

    /* Before anything is formatted: a level that is off costs this look. */
    if (sluice->ops->log == NULL || level > level_of(sluice))
        return;
    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    sluice->ops->log(sluice->config.ctx, level, line);
}
