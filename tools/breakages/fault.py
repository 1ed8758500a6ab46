# SPDX-License-Identifier: MIT
"""What is broken in src/fault."""

from lib.breakage import Breakage

ROWS = [
    Breakage("quarantine-keeps-interrupts", "5, interrupts", "src/fault/quarantine.c",
             "        if (interrupt->device != device)\n            continue;",
             "        if (interrupt->device == device)\n            continue;",
             ["quarantine-interrupt"], ["hostile"], shape="intel-48-queued-remap"),
    Breakage("quarantine-leaves-bus-master", "1, fail closed", "src/fault/quarantine.c",
             "command & ~PCI_COMMAND_MASTER);\n    command", "command);\n    command",
             ["quarantine"], ["hostile"]),
    Breakage("quarantine-waits-for-a-poll", "1, fail closed", "src/fault/work.c",
             "    fault_work(sluice);\n    /* Release: nothing", "    /* Release: nothing",
             [], ["hostile"], shape="aarch64-smmu3"),
    Breakage("quarantine-counts-on-after-recovery", "8, no hidden state", "src/fault/quarantine.c",
             "            watch_reset(watch);\n    }\n    return device_restore_locked",
             "            (void)watch;\n    }\n    return device_restore_locked",
             ["quarantine"], ["hostile-polled"], shape="riscv64-sys"),
    Breakage("quarantine-window-forgotten", "6, everything is bounded", "src/fault/watch.c",
             "now_ns - first <= window_ns &&", "window_ns != 0 &&",
             ["quarantine"]),
    Breakage("fault-loss-not-told", "7, hostile", "src/fault/log.c",
             "            *lost += end - *cursor - log->slots_count;\n", "",
             ["property/fault-log"]),
    Breakage("ended-subscriber-told-on", "6, everything is bounded", "src/fault/work.c",
             "        if (subscription->order < order)\n            continue;\n", "",
             ["fault-work"]),
    Breakage("owed-call-forgotten", "8, no hidden state", "src/fault/work.c",
             "    atomic_store_explicit(&center->asked, 0, memory_order_seq_cst);\n"
             "    atomic_fetch_sub_explicit(&center->owed, 1, memory_order_release);",
             "    atomic_store_explicit(&center->asked, 0, memory_order_seq_cst);\n"
             "    atomic_store_explicit(&center->owed, 0, memory_order_release);",
             ["fault-work"]),
    Breakage("refused-call-never-asked-again", "6, everything is bounded", "src/fault/work.c",
             "    /* The next fault asks again. */\n"
             "    atomic_store_explicit(&center->asked, 0, memory_order_seq_cst);\n", "",
             ["fault-work"]),
    Breakage("call-asked-for-during-poll", "6, everything is bounded", "src/fault/work.c",
             "        atomic_load_explicit(&sluice->pollers, memory_order_seq_cst) != 0 ||\n", "",
             ["fault-work"]),
    Breakage("flood-never-ends", "7, hostile", "src/fault/flood.c",
             "            if (!source->silenced || end_of(source) > now)\n",
             "            if (end_of(source) != 0 || now != 0)\n",
             ["silence"]),
    Breakage("silence-survives-recovery", "8, no hidden state", "src/fault/quarantine.c",
             "    status = flood_forgive_locked(device);\n", "    status = SLUICE_OK;\n",
             ["silence"]),
    Breakage("trickle-taken-for-a-flood", "7, hostile", "src/fault/watch.c",
             "        atomic_store_explicit(&watch->flood_began_ns, now_ns, memory_order_relaxed);\n"
             "        atomic_store_explicit(&watch->flood_count, 0, memory_order_relaxed);\n",
             "        atomic_store_explicit(&watch->flood_began_ns, now_ns, memory_order_relaxed);\n",
             ["silence"]),
]
