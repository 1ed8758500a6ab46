// SPDX-License-Identifier: MIT
/*
 * Registers that take effect later than they are written, and waiting for that [RISC-V IOMMU 5.4,
 * 5.5, 5.15 to 5.17]. A register that says it is busy must not be written.
 */
#include "unit/riscv/riommu.h"

/* BUSY and ON are in the same place in all three, and so is the enable. */
#define CSR_ENABLE ((uint32_t)RIOMMU_MASK(CQCSR_CQEN))
#define CSR_ON     ((uint32_t)RIOMMU_MASK(CQCSR_CQON))
#define CSR_BUSY   ((uint32_t)RIOMMU_MASK(CQCSR_BUSY))

static const char *register_name(uint32_t offset)
{
    for (size_t i = 0; i < riommu_register_count; i++) {
        if (riommu_registers[i].offset == offset)
            return riommu_registers[i].name;
    }
    return "?";
}

/* Waits until (register & mask) == want. */
static enum sluice_status wait_register(struct riommu *riommu, uint32_t offset, uint32_t mask,
                                        uint32_t want)
{
    struct sluice *sluice = riommu->unit.sluice;
    uint64_t deadline = host_deadline_ns(sluice);

    for (;;) {
        bool late = host_now_ns(sluice) >= deadline; /* before the read: one look after it */
        uint32_t value = riommu_read32(riommu, offset);

        if (value == UINT32_MAX) {
            log_error(sluice, "%s: %s reads all ones: the unit is gone", riommu->unit.name,
                      register_name(offset));
            return SLUICE_ERR_HARDWARE;
        }
        if ((value & mask) == want)
            return SLUICE_OK;
        if (late) {
            log_error(sluice, "%s: %s: no answer, it is %#x", riommu->unit.name,
                      register_name(offset), (unsigned)value);
            return SLUICE_ERR_TIMEOUT;
        }
        host_relax(sluice);
    }
}

/* BUSY and MODE are in the low half of DDTP. */
static enum sluice_status wait_ddtp(struct riommu *riommu)
{
    return wait_register(riommu, RIOMMU_REG_DDTP, (uint32_t)RIOMMU_MASK(DDTP_BUSY), 0);
}

enum sluice_status riommu_directory_mode(struct riommu *riommu, enum riommu_ddtp_mode *out)
{
    enum sluice_status status = wait_ddtp(riommu);

    if (status == SLUICE_OK)
        *out = (enum riommu_ddtp_mode)RIOMMU_GET(DDTP_MODE, riommu_read64(riommu, RIOMMU_REG_DDTP));
    return status;
}

/* Writes DDTP and reads what it has become. */
static enum sluice_status ddtp_write(struct riommu *riommu, uint64_t value, uint64_t *out_now)
{
    enum sluice_status status = wait_ddtp(riommu);

    if (status != SLUICE_OK)
        return status;
    /* The fence: the directory, and what it leads to, before what makes the unit use it. */
    sluice_device_fence();
    riommu_write64(riommu, RIOMMU_REG_DDTP, value);
    status = wait_ddtp(riommu);
    *out_now = status == SLUICE_OK ? riommu_read64(riommu, RIOMMU_REG_DDTP) : 0;
    return status;
}

enum sluice_status riommu_directory_off(struct riommu *riommu)
{
    enum sluice_status status = wait_ddtp(riommu);
    uint64_t now;

    if (status != SLUICE_OK)
        return status;
    now = riommu_read64(riommu, RIOMMU_REG_DDTP);
    status = ddtp_write(riommu, now & RIOMMU_MASK(DDTP_PPN), &now);
    if (status == SLUICE_OK && RIOMMU_GET(DDTP_MODE, now) != RIOMMU_DDTP_OFF) {
        log_error(riommu->unit.sluice, "%s: DDTP does not turn off: it is %#llx", riommu->unit.name,
                  (unsigned long long)now);
        status = SLUICE_ERR_HARDWARE;
    }
    return status;
}

enum sluice_status riommu_directory_set(struct riommu *riommu, enum riommu_ddtp_mode mode,
                                        sluice_phys_t root)
{
    uint64_t ppn = RIOMMU_PREP(DDTP_PPN, root >> 12);
    uint64_t now;
    enum sluice_status status = ddtp_write(riommu, RIOMMU_PREP(DDTP_MODE, mode) | ppn, &now);

    if (status != SLUICE_OK || RIOMMU_GET(DDTP_MODE, now) == (uint64_t)mode) {
        if (status == SLUICE_OK && mode != RIOMMU_DDTP_BARE &&
            (now & RIOMMU_MASK(DDTP_PPN)) != ppn) {
            log_error(riommu->unit.sluice, "%s: DDTP does not take its root: it is %#llx",
                      riommu->unit.name, (unsigned long long)now);
            status = SLUICE_ERR_HARDWARE;
        }
        return status;
    }
    /* A mode that is not there may become any other, which must not stay [RISC-V IOMMU 5.5]. */
    if (RIOMMU_GET(DDTP_MODE, now) != RIOMMU_DDTP_OFF)
        status = riommu_directory_off(riommu);
    return status == SLUICE_OK ? SLUICE_ERR_UNSUPPORTED : status;
}

enum sluice_status riommu_queue_control(struct riommu *riommu, enum riommu_register csr,
                                        uint32_t enables)
{
    enum sluice_status status = wait_register(riommu, csr, CSR_BUSY, 0);

    if (status != SLUICE_OK)
        return status;
    /* The fence: queues as they are made, before the unit looks at them. */
    sluice_device_fence();
    riommu_write32(riommu, csr, enables);
    return wait_register(riommu, csr, CSR_BUSY | CSR_ON, (enables & CSR_ENABLE) != 0 ? CSR_ON : 0);
}

enum sluice_status riommu_features_set(struct riommu *riommu)
{
    uint32_t mask = (uint32_t)(RIOMMU_MASK(FCTL_BE) | RIOMMU_MASK(FCTL_WSI));
    uint32_t want =
        (uint32_t)(RIOMMU_PREP(FCTL_BE, RIOMMU_BIG_ENDIAN) | RIOMMU_PREP(FCTL_WSI, riommu->wired));
    uint32_t gxl = (uint32_t)RIOMMU_MASK(FCTL_GXL);
    uint32_t now = riommu_read32(riommu, RIOMMU_REG_FCTL);

    if (now == UINT32_MAX)
        return SLUICE_ERR_HARDWARE;
    if ((now & (mask | gxl)) != want) {
        riommu_write32(riommu, RIOMMU_REG_FCTL, (now & ~(mask | gxl)) | want);
        now = riommu_read32(riommu, RIOMMU_REG_FCTL);
    }
    if (((now ^ want) & (RIOMMU_MASK(FCTL_BE) | gxl)) != 0) {
        log_error(riommu->unit.sluice,
                  "%s: FCTL is %#x: not this CPU's byte order, or for 32-bit "
                  "guests only",
                  riommu->unit.name, (unsigned)now);
        return SLUICE_ERR_UNSUPPORTED;
    }
    if (((now ^ want) & RIOMMU_MASK(FCTL_WSI)) != 0)
        log_warning(riommu->unit.sluice,
                    "%s: FCTL is %#x: interrupts are not as wanted: faults are "
                    "polled",
                    riommu->unit.name, (unsigned)now);
    return SLUICE_OK;
}
