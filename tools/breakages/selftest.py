# SPDX-License-Identifier: MIT
"""What is broken in src/selftest, and what the self-test has to see of the rest."""

from lib.breakage import Breakage

ROWS = [
    Breakage("selftest-sees-lost-invalidation", "1, fail closed", "src/domain/flush.c",
             "            link->unit->ops->invalidate_submit(link->unit, &what, "
             "&round->tickets[round->count]);\n"
             "        round->units[round->count++] = status == SLUICE_OK ? link->unit : NULL;",
             "            SLUICE_OK;\n        (void)what;\n"
             "        round->units[round->count++] = NULL;",
             ["selftest"], ["selftest"]),
    Breakage("selftest-sees-writable-read-only", "4, permissions", "src/pagetable/vtd_second_stage.h",
             "    uint64_t attributes = prot & (VTD_SS_R | VTD_SS_W);",
             "    uint64_t attributes = (prot & 0u) | VTD_SS_R | VTD_SS_W;",
             ["selftest"], ["selftest"]),
    Breakage("selftest-takes-dead-for-good", "1, fail closed", "src/selftest/access.c",
             "    if (!arrived)\n", "    if (!arrived && test->stuck)\n",
             ["selftest"]),
    Breakage("selftest-looks-away", "3, separation", "src/selftest/access.c",
             "    if (area_first_changed(test) == PAGES)\n        return FINE;",
             "    if (area_first_changed(test) <= PAGES)\n        return FINE;",
             ["selftest"]),
    Breakage("selftest-keeps-the-secret", "3, separation", "src/selftest/access.c",
             "    if (leaked)\n", "    if (leaked && test->stuck)\n",
             ["selftest"]),
    Breakage("selftest-takes-stale-for-new", "3, separation", "src/selftest/area.c",
             "mix(test->pages[page].phys ^ mix(++test->counter));",
             "mix(test->pages[page].phys);",
             ["selftest"]),
    Breakage("selftest-brings-back-after-failure", "1, fail closed", "src/selftest/run.c",
             "    bool home = !tested || test->evidence.verdict == SLUICE_SELFTEST_PASSED;",
             "    bool home = !tested || test->evidence.verdict != SLUICE_SELFTEST_NOT_TESTED;",
             ["selftest"]),
    Breakage("selftest-believes-a-liar", "1, fail closed", "src/selftest/run.c",
             "    if (on_memory && finding.outcome == SLUICE_SELFTEST_FAILED)\n"
             "        test->in_doubt = true;\n", "",
             ["selftest"]),
    Breakage("selftest-faults-count", "6, everything is bounded", "src/fault/watch.c",
             "    if (atomic_load_explicit(&watch->tested, memory_order_relaxed) != 0) {",
             "    if (atomic_load_explicit(&watch->tested, memory_order_relaxed) > 1) {",
             ["selftest"]),
    Breakage("selftest-part-is-enough", "5, interrupts", "src/group/level.c",
             "            (needed && step->outcome != SLUICE_SELFTEST_PASSED))",
             "            (needed && step->outcome == SLUICE_SELFTEST_INCONCLUSIVE))",
             ["selftest-remapping"]),
    Breakage("selftest-older-messages-unseen", "5, interrupts", "src/selftest/access.c",
             "    if (!wanted && arrived)\n", "    if (!wanted && arrived && test->stuck)\n",
             ["selftest-remapping"], ["selftest"], shape="intel-48-queued-remap"),
]
