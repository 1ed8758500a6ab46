// SPDX-License-Identifier: MIT
/*
 * Isolation groups: what the topology of this machine ties together, told to tools/machine, which
 * holds it against Linux's groups of the same machine; and two devices that cannot be told apart.
 */
#include "pages.h"
#include "print.h"
#include "stage.h"

#define READ_WRITE  (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define GROUP_SEED  0x9009u
#define REASON_TEXT 256u

static void tell_member(const struct sluice_group_member *member, unsigned index)
{
    machine_print("%s\"%04x:%02x:%02x.%u\"", index > 0 ? "," : "", member->segment,
                  SLUICE_RID_BUS(member->rid), SLUICE_RID_DEVICE(member->rid),
                  SLUICE_RID_FUNCTION(member->rid));
}

static void tell_group(struct lab *lab, const struct sluice_group_info *group)
{
    struct sluice_group_member member;
    struct sluice_group_reason reason;
    char text[REASON_TEXT];
    machine_print("@sluice {\"event\":\"group\",\"members\":[");
    for (unsigned i = 0; sluice_group_member(lab->sluice, group->id, i, &member) == SLUICE_OK; i++)
        tell_member(&member, i);
    machine_print("]}\n");
    for (unsigned i = 0; sluice_group_reason(lab->sluice, group->id, i, &reason) == SLUICE_OK;
         i++) {
        (void)sluice_group_reason_text(&reason, text, sizeof(text));
        say("%u functions are together: %s", group->members, text);
    }
}

static unsigned count_members(struct lab *lab)
{
    struct sluice_group_info group;
    unsigned members = 0;
    for (unsigned i = 0; sluice_group_info(lab->sluice, i, &group) == SLUICE_OK; i++) {
        members += group.members;
        tell_group(lab, &group);
    }
    return members;
}

static bool all_are_in_a_group(struct lab *lab)
{
    uint64_t id;
    for (unsigned i = 0; i < pci_count(); i++) {
        const struct pci_device *pci = pci_get(i);
        if (sluice_group_of(lab->sluice, pci->segment, pci_rid(pci), &id) != SLUICE_OK)
            return false;
    }
    return true;
}

/* The device writes what is in its buffer and reads it back. */
static bool copies(struct edu *edu, struct page page, uint64_t iova, uint32_t seed)
{
    uint8_t *memory = page.virt;
    fill_pattern(memory, STAGE_BYTES, seed);
    fill_pattern(memory + STAGE_BYTES, STAGE_BYTES, seed + 1);
    return edu_copy(edu, EDU_FROM_MEMORY, iova, 0, STAGE_BYTES) &&
           edu_copy(edu, EDU_TO_MEMORY, iova + STAGE_BYTES, 0, STAGE_BYTES) &&
           has_pattern(memory + STAGE_BYTES, STAGE_BYTES, seed);
}

static enum sluice_status assign(struct sluice_device *device, enum sluice_isolation mode,
                                 struct sluice_domain **out)
{
    const struct sluice_assignment assignment = {.mode = mode, .user = true, .share = "pair"};
    return sluice_device_assign(device, &assignment, out);
}

static void try_alone(struct lab *lab, struct edu *edu)
{
    struct sluice_device *device = lab_device(lab, edu->pci);
    struct sluice_domain *domain;
    char name[16];
    struct page page = lab_page(lab, 0);
    device_text(edu->pci, name);
    if (!check(assign(device, SLUICE_ISOLATION_STRICT, &domain) == SLUICE_OK,
               "%s is alone in its group, and gets a domain of its own", name))
        return;
    if (lab_map(domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        check(copies(edu, page, STAGE_IOVA, GROUP_SEED), "there it reaches what is mapped");
    check(sluice_device_release(device) == SLUICE_OK, "it is taken back");
    check(!copies(edu, page, STAGE_IOVA, GROUP_SEED + 2), "and reaches nothing");
}

static void share(struct lab *lab, struct edu *const pair[2], struct sluice_device *const both[2])
{
    struct sluice_domain *domain, *same;
    struct page page = lab_page(lab, 0);
    bool joined = assign(both[0], SLUICE_ISOLATION_SHARED, &domain) == SLUICE_OK &&
                  assign(both[1], SLUICE_ISOLATION_SHARED, &same) == SLUICE_OK && domain == same;
    if (!check(joined, "they may share one by agreement"))
        return;
    if (lab_map(domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE)) {
        for (unsigned i = 0; i < 2; i++)
            check(copies(pair[i], page, STAGE_IOVA, GROUP_SEED + 4 + i),
                  "device %u reaches what is mapped there", i + 1);
        (void)lab_unmap(domain, STAGE_IOVA, LAB_PAGE);
        for (unsigned i = 0; i < 2; i++)
            check(!copies(pair[i], page, STAGE_IOVA, GROUP_SEED + 8 + i),
                  "device %u does not after one unmap for both", i + 1);
    }
    check(sluice_device_release(both[0]) == SLUICE_OK &&
              sluice_device_release(both[1]) == SLUICE_OK,
          "both are taken back");
}

static void try_pair(struct lab *lab, struct edu *const pair[2])
{
    struct sluice_device *both[2] = {lab_device(lab, pair[0]->pci), lab_device(lab, pair[1]->pci)};
    struct sluice_domain *domain, *mine = lab_domain(lab, SLUICE_DOMAIN_DMA, both[0]);
    struct sluice_domain *other = lab_domain(lab, SLUICE_DOMAIN_DMA, both[1]);
    char names[2][16];
    say("%s and %s are one group", device_text(pair[0]->pci, names[0]),
        device_text(pair[1]->pci, names[1]));
    if (mine == NULL || other == NULL)
        return;
    check(assign(both[0], SLUICE_ISOLATION_STRICT, &domain) == SLUICE_ERR_DENIED,
          "neither is given away alone");
    check(sluice_domain_attach(mine, both[0]) == SLUICE_OK &&
              sluice_domain_attach(other, both[1]) == SLUICE_ERR_DENIED,
          "nor are they put into two domains");
    check(sluice_domain_detach(both[0]) == SLUICE_OK, "the first is taken out of its domain again");
    share(lab, pair, both);
}

static bool find_pair(struct lab *lab, struct edu *pair[2])
{
    uint64_t groups[LAB_EDUS];
    for (unsigned i = 0; i < lab->edu_count; i++) {
        if (sluice_device_group(lab_device(lab, lab->edus[i].pci), &groups[i]) != SLUICE_OK)
            return false;
        for (unsigned j = 0; j < i; j++) {
            if (groups[j] != groups[i])
                continue;
            pair[0] = &lab->edus[j];
            pair[1] = &lab->edus[i];
            return true;
        }
    }
    return false;
}

static void note_obstacle(void *arg, const struct sluice_obstacle *obstacle)
{
    unsigned *uncovered = arg;
    say("level strict: %s", obstacle->text);
    if (obstacle->kind == SLUICE_OBSTACLE_UNCOVERED)
        (*uncovered)++;
}

static void run_groups(struct lab *lab)
{
    struct edu *pair[2];
    unsigned uncovered = 0;
    unsigned members = count_members(lab);
    say("%u functions in %u groups", members, sluice_group_count(lab->sluice));
    check(all_are_in_a_group(lab), "every function that was found is in a group");
    enum sluice_status status =
        sluice_protection_check(lab->sluice, SLUICE_PROTECTION_STRICT, note_obstacle, &uncovered);
    say("protection level strict: %s", sluice_status_text(status));
    check(uncovered == 0, "every function that could do DMA has the unit above it");
    if (lab->plain != NULL)
        try_alone(lab, lab->plain);
    if (find_pair(lab, pair))
        try_pair(lab, pair);
}

const struct scenario scenarios_group[] = {
    {"groups", "Which devices cannot be kept apart, and why", run_groups},
    {NULL, NULL, NULL},
};
