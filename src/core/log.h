// SPDX-License-Identifier: MIT
/*
 * Log lines and other text, formatted without libc.
 */
#ifndef SLUICE_CORE_LOG_H
#define SLUICE_CORE_LOG_H

#include <stdarg.h>
#include <stddef.h>

#include <sluice/host.h>

struct sluice;

/**
 * A small vsnprintf: %s %c %u %d %x %lu %lx %llu %llx %zu %p %%, with # 0 - and a width.
 * Always terminates when bytes > 0. Returns the length that the whole text would have.
 */
__attribute__((format(printf, 3, 0))) size_t format_text_va(char *buffer, size_t bytes,
                                                            const char *format, va_list args);

__attribute__((format(printf, 3, 4))) size_t format_text(char *buffer, size_t bytes,
                                                         const char *format, ...);

/** One line to the host, cut at 255 characters. Context: any. */
__attribute__((format(printf, 3, 4))) void
log_line(struct sluice *sluice, enum sluice_log_level level, const char *format, ...);

#define log_error(sluice, ...)   log_line(sluice, SLUICE_LOG_ERROR, __VA_ARGS__)
#define log_warning(sluice, ...) log_line(sluice, SLUICE_LOG_WARNING, __VA_ARGS__)
#define log_info(sluice, ...)    log_line(sluice, SLUICE_LOG_INFO, __VA_ARGS__)
#define log_debug(sluice, ...)   log_line(sluice, SLUICE_LOG_DEBUG, __VA_ARGS__)

/** "dddd:bb:dd.f" for use in a format: LOG_RID "..." with LOG_RID_ARGS(segment, rid). */
#define LOG_RID "%04x:%02x:%02x.%x"
#define LOG_RID_ARGS(segment, rid)                                                                 \
    (unsigned)(segment), (unsigned)SLUICE_RID_BUS(rid), (unsigned)SLUICE_RID_DEVICE(rid),          \
        (unsigned)SLUICE_RID_FUNCTION(rid)

#endif
