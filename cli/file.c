// SPDX-License-Identifier: MIT
// See file.h.
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_BYTES = 64 * 1024 * 1024, // a dump of all tables of a machine is a few MiB
    BLOCK_BYTES = 64 * 1024,
};

// More room for a buffer, or NULL with the reason.
static uint8_t *enlarge(uint8_t *data, size_t *room, const char **out_why)
{
    size_t wanted = *room + BLOCK_BYTES + *room / 2;
    uint8_t *larger = NULL;

    *out_why = "too large for a table";
    if (*room < MOST_BYTES) {
        larger = realloc(data, wanted);
        *out_why = "out of memory";
    }
    if (larger != NULL)
        *room = wanted;
    return larger;
}

uint8_t *cli_read_whole(int fd, size_t *out_bytes, const char **out_why)
{
    uint8_t *data = NULL;
    size_t held = 0;
    size_t room = 0;

    for (;;) {
        ssize_t got;

        if (held == room) {
            uint8_t *larger = enlarge(data, &room, out_why);

            if (larger == NULL) {
                free(data);
                return NULL;
            }
            data = larger;
        }
        got = read(fd, data + held, room - held);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            *out_why = strerror(errno);
            free(data);
            return NULL;
        }
        if (got == 0)
            break;
        held += (size_t)got;
    }
    *out_bytes = held;
    return data;
}
