// SPDX-License-Identifier: MIT
// The tables of message formats, one file a vendor, and the hooks their rows name. To teach
// `sluice explain` a message, add a row; where its values need more than copying, add a hook.
#ifndef SLUICE_CLI_EXPLAIN_FORMATS_H
#define SLUICE_CLI_EXPLAIN_FORMATS_H

#include "event.h"

// Each table ends with a row without an id. Within a table, rows that begin alike are tried in
// order: the longer pattern first.
extern const struct format formats_intel[];
extern const struct format formats_amd[];
extern const struct format formats_arm[];
extern const struct format formats_soc[];
extern const struct format formats_generic[];
extern const struct format formats_context[];

// hooks_x86.c
void hook_read(struct engine *engine, struct message *message);
void hook_write(struct engine *engine, struct message *message);
void hook_reason(struct engine *engine, struct message *message);
void hook_fault_status(struct engine *engine, struct message *message);
void hook_amd_event(struct engine *engine, struct message *message);
void hook_amd_named(struct engine *engine, struct message *message);
void hook_rmrr(struct engine *engine, struct message *message);
void hook_width(struct engine *engine, struct message *message);

// hooks_arm.c
void hook_smmu3_event(struct engine *engine, struct message *message);
void hook_smmu3_word(struct engine *engine, struct message *message);
void hook_smmu3_decoded(struct engine *engine, struct message *message);
void hook_smmu3_width(struct engine *engine, struct message *message);
void hook_smmu2_context(struct engine *engine, struct message *message);
void hook_smmu2_global(struct engine *engine, struct message *message);
void hook_smmu2_gfsr(struct engine *engine, struct message *message);

// hooks_context.c
void hook_suppressed(struct engine *engine, struct message *message);
void hook_repeated(struct engine *engine, struct message *message);
void hook_last_repeated(struct engine *engine, struct message *message);
void hook_e820(struct engine *engine, struct message *message);
void hook_bar(struct engine *engine, struct message *message);
void hook_pci_id(struct engine *engine, struct message *message);
void hook_kernel(struct engine *engine, struct message *message);
void hook_command_line(struct engine *engine, struct message *message);
void hook_reset(struct engine *engine, struct message *message);
void hook_resume(struct engine *engine, struct message *message);
void hook_kdump(struct engine *engine, struct message *message);
void hook_unbind(struct engine *engine, struct message *message);
void hook_init_done(struct engine *engine, struct message *message);
void hook_dma_buffer(struct engine *engine, struct message *message);

#endif
