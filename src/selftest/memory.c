// SPDX-License-Identifier: MIT
/*
 * The steps of a self-test that are about memory. Each begins with the device in the first domain
 * of the test, where only the scratch page is mapped. What is forbidden is tried whatever the
 * controls said, since an access that gets through is a failure of the unit in any case.
 */
#include "selftest/selftest.h"

#define READ_WRITE (SLUICE_PROT_READ | SLUICE_PROT_WRITE)

static struct finding mapped_write(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    return ALSO(finding, control_write(test, a, PAGE_FIRST));
}

static struct finding mapped_read(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    return ALSO(finding, control_read(test, a, PAGE_FIRST));
}

/* The control at the end is at the very address: the device can put it out. */

static struct finding unmapped_write(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A), own = own_iova(test, PAGE_VICTIM);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    ALSO(finding, control_write(test, a, PAGE_FIRST));
    ALSO(finding, forbidden_write(test, own, PAGE_VICTIM));
    ALSO(finding, test_map(test, 0, own, PAGE_VICTIM, READ_WRITE));
    return ALSO(finding, control_write(test, own, PAGE_VICTIM));
}

static struct finding unmapped_read(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A), own = own_iova(test, PAGE_SECRET);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    ALSO(finding, control_read(test, a, PAGE_FIRST));
    ALSO(finding, forbidden_read(test, own, PAGE_SECRET));
    ALSO(finding, forbidden_look(test));
    ALSO(finding, test_map(test, 0, own, PAGE_SECRET, READ_WRITE));
    return ALSO(finding, control_read(test, own, PAGE_SECRET));
}

static struct finding read_only(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A), b = slot_iova(test, SLOT_B);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    ALSO(finding, test_map(test, 0, b, PAGE_SECOND, SLUICE_PROT_READ));
    ALSO(finding, control_write(test, a, PAGE_FIRST));
    ALSO(finding, control_read(test, b, PAGE_SECOND));
    ALSO(finding, forbidden_write(test, b, PAGE_SECOND));
    return ALSO(finding, control_write(test, a, PAGE_FIRST));
}

/* Twice, the second time to another page: what a unit keeps of the first is not used either. */

static struct finding revoked_write(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A), c = slot_iova(test, SLOT_C);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    for (unsigned round = 0; round < 2; round++) {
        unsigned page = round == 0 ? PAGE_SECOND : PAGE_FIRST;

        ALSO(finding, test_map(test, 0, c, page, READ_WRITE));
        ALSO(finding, control_write(test, c, page));
        ALSO(finding, test_unmap(test, 0, c));
        ALSO(finding, forbidden_write(test, c, page));
    }
    return ALSO(finding, control_write(test, a, PAGE_FIRST));
}

static struct finding revoked_read(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A), c = slot_iova(test, SLOT_C);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    for (unsigned round = 0; round < 2; round++) {
        unsigned page = round == 0 ? PAGE_SECOND : PAGE_FIRST;

        ALSO(finding, test_map(test, 0, c, page, READ_WRITE));
        ALSO(finding, control_read(test, c, page));
        ALSO(finding, test_unmap(test, 0, c));
        ALSO(finding, forbidden_read(test, c, page));
        ALSO(finding, forbidden_look(test));
    }
    return ALSO(finding, control_read(test, a, PAGE_FIRST));
}

/* From here on both are forbidden: a write is the control before, a read the one after. */

static struct finding other_domain(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A), b = slot_iova(test, SLOT_B);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    ALSO(finding, test_map(test, 1, b, PAGE_SECOND, READ_WRITE));
    ALSO(finding, control_write(test, a, PAGE_FIRST));
    ALSO(finding, test_move(test, test->domains[1]));
    ALSO(finding, control_write(test, b, PAGE_SECOND));
    ALSO(finding, forbidden_write(test, a, PAGE_FIRST));
    ALSO(finding, forbidden_read(test, a, PAGE_FIRST));
    ALSO(finding, forbidden_look(test));
    ALSO(finding, test_move(test, test->domains[0]));
    return ALSO(finding, control_read(test, a, PAGE_FIRST));
}

/* A device that is blocked can be neither loaded nor looked into: that is done before and after. */
static struct finding blocked(struct selftest *test)
{
    sluice_iova_t a = slot_iova(test, SLOT_A);
    struct finding finding = test_map(test, 0, a, PAGE_FIRST, READ_WRITE);

    ALSO(finding, control_write(test, a, PAGE_FIRST));
    ALSO(finding, test_move(test, NULL));
    ALSO(finding, forbidden_write(test, a, PAGE_FIRST));
    ALSO(finding, forbidden_write(test, own_iova(test, PAGE_VICTIM), PAGE_VICTIM));
    ALSO(finding, forbidden_read(test, a, PAGE_FIRST));
    ALSO(finding, test_move(test, test->domains[0]));
    ALSO(finding, forbidden_look(test));
    return ALSO(finding, control_read(test, a, PAGE_FIRST));
}

struct finding step_memory(struct selftest *test, enum sluice_selftest_step step)
{
    static struct finding (*const steps[])(struct selftest * test) = {
        [SLUICE_SELFTEST_MAPPED_WRITE] = mapped_write,
        [SLUICE_SELFTEST_MAPPED_READ] = mapped_read,
        [SLUICE_SELFTEST_UNMAPPED_WRITE] = unmapped_write,
        [SLUICE_SELFTEST_UNMAPPED_READ] = unmapped_read,
        [SLUICE_SELFTEST_READ_ONLY] = read_only,
        [SLUICE_SELFTEST_REVOKED_WRITE] = revoked_write,
        [SLUICE_SELFTEST_REVOKED_READ] = revoked_read,
        [SLUICE_SELFTEST_OTHER_DOMAIN] = other_domain,
        [SLUICE_SELFTEST_BLOCKED] = blocked,
    };

    return steps[step](test);
}
