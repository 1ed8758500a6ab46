// SPDX-License-Identifier: MIT
// Files whole in memory. Called by the subcommands that read tables and trees.
#ifndef SLUICE_CLI_FILE_H
#define SLUICE_CLI_FILE_H

#include <stddef.h>
#include <stdint.h>

// Read all there is to read from `fd`, up to about 64 MiB. Returns memory to be freed, aligned as
// malloc() aligns, or NULL with `*out_why` saying why not.
uint8_t *cli_read_whole(int fd, size_t *out_bytes, const char **out_why);

#endif
