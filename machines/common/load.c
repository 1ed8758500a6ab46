// SPDX-License-Identifier: MIT
#include "load.h"

#include "arch.h"
#include "pages.h"

#define FIRST_LBA  8192u
#define PLACES     32u /* on the disk, so that what comes back is not what went out just before */
#define PAGES_MOST 5u  /* while a device is busy: then only the device is waited for */
#define BLOCK      512u

bool load_open(struct lab *lab, struct load *load)
{
    char text[16];
    *load = (struct load){.lab = lab, .seed = 1};
    load->device = lab->nvme == NULL ? NULL : lab_device(lab, lab->nvme);
    if (load->device == NULL) {
        skip("the machine lacks the disk this needs");
        return false;
    }
    struct sluice_domain *domain = lab_domain(lab, SLUICE_DOMAIN_DMA, load->device);
    if (domain == NULL ||
        !check(sluice_domain_attach(domain, load->device) == SLUICE_OK,
               "%s, a disk, is put into a domain of its own", device_text(lab->nvme, text)))
        return false;
    const struct sluice_dma_config config = {.device = load->device,
                                             .address_bits = lab->iova_bits};
    load->page = lab_page(lab, 0);
    return lab_dma_open(lab, &config, &load->dma) &&
           check(nvme_open(&load->nvme, lab->nvme, &load->dma.dma), "its driver starts");
}

void load_close(struct load *load)
{
    nvme_close(&load->nvme);
}

/* One command, timed from its doorbell to its completion. */
static bool operate(struct load *load, enum load_when when, bool write, unsigned place)
{
    uint32_t flags = write ? SLUICE_DMA_TO_DEVICE : SLUICE_DMA_FROM_DEVICE;
    sluice_iova_t address;
    if (sluice_dma_map(load->dma.handle, load->page.phys, MACHINE_PAGE_BYTES, flags, SLUICE_HERE,
                       &address) != SLUICE_OK)
        return false;
    const struct nvme_request request = {
        .write = write,
        .lba = FIRST_LBA + (uint64_t)place * (MACHINE_PAGE_BYTES / BLOCK),
        .blocks = MACHINE_PAGE_BYTES / BLOCK,
        .prp = &address,
        .prp_count = 1,
    };
    uint64_t before = arch_now_ns();
    bool done = nvme_submit(&load->nvme, 0, &request) && nvme_finish(&load->nvme);
    if (load->samples[when] < LOAD_SAMPLES)
        load->took_ns[when][load->samples[when]++] = arch_now_ns() - before;
    load->last_address = address;
    return sluice_dma_unmap(load->dma.handle, address, MACHINE_PAGE_BYTES, flags, SLUICE_HERE) ==
               SLUICE_OK &&
           done;
}

static void one_page(struct load *load, enum load_when when)
{
    uint32_t seed = load->seed++;
    load->started += 2;
    fill_pattern(load->page.virt, MACHINE_PAGE_BYTES, seed);
    load->right += operate(load, when, true, seed % PLACES);
    fill_pattern(load->page.virt, MACHINE_PAGE_BYTES, ~seed);
    load->right += operate(load, when, false, seed % PLACES) &&
                   has_pattern(load->page.virt, MACHINE_PAGE_BYTES, seed);
}

bool load_run(struct load *load, enum load_when when, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        one_page(load, when);
    return load->right == load->started;
}

bool load_beside(struct load *load, const struct edu *edu)
{
    unsigned pages = 0;
    do
        one_page(load, LOAD_ATTACKED);
    while (++pages < PAGES_MOST && edu_busy(edu));
    return edu_wait(edu);
}

static uint64_t median(uint64_t *values, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        uint64_t value = values[i];
        unsigned at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return count == 0 ? 0 : values[count / 2];
}

void load_judge(struct load *load)
{
    uint64_t calm = median(load->took_ns[LOAD_CALM], load->samples[LOAD_CALM]);
    uint64_t attacked = median(load->took_ns[LOAD_ATTACKED], load->samples[LOAD_ATTACKED]);
    check(load->started > 0 && load->right == load->started,
          "of the disk's %u operations %u were done, and brought back what was stored",
          load->started, load->right);
    uint64_t usual = calm > LOAD_FLOOR_NS ? calm : LOAD_FLOOR_NS;
    check(load->samples[LOAD_CALM] > 0 && load->samples[LOAD_ATTACKED] > 0 &&
              attacked <= LOAD_NOISE * usual,
          "in the middle they took %lu us beside the attack and %lu us without (noise: up to %lu)",
          attacked / 1000, calm / 1000, LOAD_NOISE * usual / 1000);
}
