// SPDX-License-Identifier: MIT
#include "rogue.h"

#include "host.h"
#include "string.h"

#define READ_WRITE  (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define DRIVER_BASE UINT64_C(0x40000000)
#define STOLEN_LBA  1024u
#define LIST_BYTES  128u /* of PRP entries, up to the end of their page */
#define SECRET_SEED 0x5ec7e7u

void rogue_look_around(struct rogue *rogue)
{
    machine_host_run_deferred();
    if (rogue->lab->expect->raises_notice)
        return;
    uint64_t before = arch_now_ns();
    (void)sluice_fault_poll(rogue->lab->sluice);
    rogue->polled_ns += arch_now_ns() - before;
}

/* ---- the other's work ---- */

static void work_begin(struct rogue *rogue)
{
    struct stage *worker = &rogue->worker;
    fill_pattern(worker->dump.virt, STAGE_BYTES, rogue->copies);
    rogue->copies++;
    rogue->copy_began_ns = arch_now_ns();
    (void)edu_start(worker->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, false);
}

static void work_end(struct rogue *rogue)
{
    rogue->copies_right += edu_wait(rogue->worker.edu) &&
                           has_pattern(rogue->worker.dump.virt, STAGE_BYTES, STAGE_SEED);
    uint64_t took = arch_now_ns() - rogue->copy_began_ns;
    if (took > rogue->slowest_copy_ns)
        rogue->slowest_copy_ns = took;
}

void rogue_work_on(struct rogue *rogue)
{
    if (edu_busy(rogue->worker.edu))
        return;
    work_end(rogue);
    work_begin(rogue);
}

void rogue_work_afresh(struct rogue *rogue)
{
    work_end(rogue);
    rogue->slowest_copy_ns = 0;
    work_begin(rogue);
}

/* ---- the disk ---- */

bool rogue_disk_works(struct rogue *rogue)
{
    uint64_t bus = ROGUE_DATA;
    fill_pattern(rogue->good.virt, MACHINE_PAGE_BYTES, ROGUE_DISK_SEED);
    bool done = nvme_transfer(&rogue->nvme, true, ROGUE_GOOD_LBA, &bus, 1);
    memset(rogue->good.virt, 0, MACHINE_PAGE_BYTES);
    return done && nvme_transfer(&rogue->nvme, false, ROGUE_GOOD_LBA, &bus, 1) &&
           has_pattern(rogue->good.virt, MACHINE_PAGE_BYTES, ROGUE_DISK_SEED);
}

static bool enter(struct rogue *rogue, uint32_t limit)
{
    struct lab *lab = rogue->lab;
    char text[16];
    if (!check(lab_set_limit(lab, lab->nvme, limit), "%s, a disk, is known again",
               device_text(lab->nvme, text)))
        return false;
    rogue->device = lab_device(lab, lab->nvme);
    struct sluice_domain *domain = lab_domain(lab, SLUICE_DOMAIN_DMA, rogue->device);
    if (domain == NULL || !check(sluice_domain_attach(domain, rogue->device) == SLUICE_OK,
                                 "it is put into a domain of its own"))
        return false;
    domain_dma_init(&rogue->dma, domain, DRIVER_BASE);
    rogue->good = lab_page(lab, 0);
    return lab_map(domain, ROGUE_DATA, rogue->good.phys, LAB_PAGE, READ_WRITE) &&
           check(nvme_open(&rogue->nvme, lab->nvme, &rogue->dma.dma) && rogue_disk_works(rogue),
                 "its driver starts, and it stores and fetches");
}

bool rogue_prepare(struct lab *lab, struct rogue *rogue, uint32_t limit)
{
    *rogue = (struct rogue){.lab = lab};
    if (lab->nvme == NULL || lab_device(lab, lab->nvme) == NULL) {
        skip("the machine lacks the disk this needs");
        return false;
    }
    if (!stage_set(lab, &rogue->worker, lab->plain, SLUICE_DOMAIN_DMA) || !enter(rogue, limit))
        return false;
    for (unsigned i = 0; i < ROGUE_SECRETS; i++) {
        rogue->secrets[i] = i % 2 == 0 ? lab_page(lab, 0) : lab_high_page(lab, 0);
        fill_pattern(rogue->secrets[i].virt, MACHINE_PAGE_BYTES, SECRET_SEED + i);
    }
    lab_forget_faults(lab);
    rogue->worker_faults = lab_faults_of(rogue->worker.device);
    work_begin(rogue);
    return true;
}

void rogue_finish(struct rogue *rogue)
{
    struct lab *lab = rogue->lab;
    work_end(rogue);
    check(rogue->copies_right == rogue->copies,
          "of the other device's %u copies %u arrived as they were sent", rogue->copies,
          rogue->copies_right);
    nvme_close(&rogue->nvme);
    lab_forget_faults(lab);
    check(lab_release(lab) && lab_set_limit(lab, lab->nvme, SLUICE_FAULTS_UNLIMITED),
          "both are taken out of their domains");
}

void rogue_misuse(struct rogue *rogue, const uint64_t *bus, unsigned pages)
{
    bool store = rogue->commands++ % 2 == 0;
    uint64_t lba = store ? STOLEN_LBA + (uint64_t)rogue->stored * ROGUE_BLOCKS : ROGUE_GOOD_LBA;
    (void)nvme_transfer(&rogue->nvme, store, lba, bus, pages);
    rogue->stored += store ? pages : 0;
    rogue_look_around(rogue);
    rogue_work_on(rogue);
}

uint64_t rogue_peeps_at(const struct rogue *rogue, unsigned index)
{
    return rogue->secrets[index % ROGUE_SECRETS].phys + MACHINE_PAGE_BYTES - LIST_BYTES;
}

void rogue_peep(struct rogue *rogue, unsigned index)
{
    rogue->commands++;
    (void)nvme_fetch_by_list(&rogue->nvme, ROGUE_GOOD_LBA, ROGUE_DATA,
                             rogue_peeps_at(rogue, index));
}

void rogue_check_untouched(struct rogue *rogue)
{
    uint64_t phys;
    unsigned touched = 0;
    for (unsigned i = 0; i < ROGUE_SECRETS; i++)
        touched += !has_pattern(rogue->secrets[i].virt, MACHINE_PAGE_BYTES, SECRET_SEED + i);
    check(touched == 0, "every byte of %u pages it was after is as it was", ROGUE_SECRETS);
    for (unsigned i = 0; machine_host_page(i, &phys); i++)
        touched += has_pattern(arch_phys_to_virt(phys), STAGE_BYTES, ROGUE_DISK_SEED);
    check(touched == 0, "the disk's bytes lie in no table or queue of the library");
}

void rogue_check_nothing_stolen(struct rogue *rogue)
{
    uint64_t bus = ROGUE_DATA;
    unsigned stolen = 0, looked = 0;
    for (unsigned i = 0; i < rogue->stored; i++) {
        looked +=
            nvme_transfer(&rogue->nvme, false, STOLEN_LBA + (uint64_t)i * ROGUE_BLOCKS, &bus, 1);
        for (unsigned j = 0; j < ROGUE_SECRETS; j++)
            stolen += has_pattern(rogue->good.virt, STAGE_BYTES, SECRET_SEED + j);
    }
    check(looked > 0 && looked == rogue->stored && stolen == 0,
          "in none of the %u pages that it was told to store lies a secret", looked);
}
