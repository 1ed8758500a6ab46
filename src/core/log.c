// SPDX-License-Identifier: MIT
/*
 * Log lines: formatted on the stack, handed to the host.
 */
#include "core/instance.h"

void log_line(struct sluice *sluice, enum sluice_log_level level, const char *format, ...)
{
    char line[256];
    va_list args;

    /* Before anything is formatted: a level that is off costs this look. */
    if (sluice->ops->log == NULL ||
        (unsigned)level > atomic_load_explicit(&sluice->log_level, memory_order_relaxed))
        return;
    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    sluice->ops->log(sluice->config.ctx, level, line);
}
