#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`sluice explain --follow` from outside: entries appear while the log goes on, signals end it with
a summary, and what it says without the right to read the kernel's log.

    test_explain_follow.py SLUICE
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SLUICE = sys.argv[1]
WAIT_S = 30  # for what takes milliseconds, on a machine that is busy
NOBODY = 65534
checks = []


def check(name, good, detail=""):
    """One line of TAP."""
    checks.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(checks)} - {name}")
    if not good:
        for line in str(detail).splitlines()[:20]:
            print(f"#   {line}")


def record(sequence, address, device="1b:00.0"):
    """A fault, as /dev/kmsg gives it."""
    return (f"4,{sequence},{sequence}000000,-;DMAR: [DMA Write NO_PASID] Request device [{device}] "
            f"fault addr {address:#x} [fault reason 0x05] PTE Write access is not set\n"
            f" SUBSYSTEM=pci\n DEVICE=+pci:0000:{device}\n").encode()


class Follower:
    """The command on a FIFO that stays open until end()."""

    def __init__(self, folder, *words):
        fifo = Path(folder) / "log"
        os.mkfifo(fifo)
        # Standard input is nobody's: SIGINT of a terminal must not matter here.
        self.process = subprocess.Popen([SLUICE, "explain", f"--follow={fifo}", *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.log = open(fifo, "wb", buffering=0)  # waits for the reader
        self.output = b""
        fifo.unlink()

    def until(self, words, least=1):
        """Whether the output has words so many times, at last."""
        end = time.monotonic() + WAIT_S
        while self.output.count(words) < least and time.monotonic() < end:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.2)
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if ready and not piece:
                break
            self.output += piece
        return self.output.count(words) >= least

    def end(self, number=None):
        """By a signal or by closing the log; returns the exit status and what else was printed."""
        if number is not None:
            self.process.send_signal(number)
        else:
            self.log.close()
        before = self.output
        try:
            rest, errors = self.process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            rest, errors = self.process.communicate()
        self.log.close()
        self.output = before + rest
        return self.process.returncode, rest, errors


def check_news():
    with tempfile.TemporaryDirectory() as folder:
        follower = Follower(folder, "--brief")
        follower.log.write(record(1, 0x5000))
        check("an entry appears while it runs", follower.until(b"1b:00.0"), follower.output)
        check("and it runs on", follower.process.poll() is None)
        follower.log.write(record(2, 0x6000, "1c:00.0"))
        check("the next device's appears too", follower.until(b"1c:00.0"), follower.output)
        follower.log.write(b"6,3,3000000,-;usb 1-1: a line of no concern\n")
        follower.log.write(record(4, 0x5000))
        check("a known one again when its number doubled", follower.until(b"2 times"),
              follower.output)
        # A line that comes in two pieces is one line.
        whole = record(9, 0x7000, "1d:00.0")
        follower.log.write(whole[:60])
        time.sleep(0.1)
        follower.log.write(whole[60:])
        check("a record in two pieces is one", follower.until(b"1d:00.0"), follower.output)
        status, rest, errors = follower.end()
        check("the log's end is its end, with a summary",
              status == 1 and b"3 distinct problems" in rest and not errors, (status, rest, errors))


def check_signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        with tempfile.TemporaryDirectory() as folder:
            follower = Follower(folder, "--brief")
            follower.log.write(record(1, 0x5000))
            follower.until(b"1b:00.0")
            status, rest, errors = follower.end(number)
            check(f"{number.name} ends it with a summary and 1",
                  status == 1 and b"1 distinct problem\n" in rest and not errors,
                  (status, rest, errors))
    with tempfile.TemporaryDirectory() as folder:
        follower = Follower(folder)
        follower.log.write(b"6,1,1000000,-;usb 1-1: a line of no concern\n")
        time.sleep(0.3)
        status, rest, _ = follower.end(signal.SIGINT)
        check("SIGINT with nothing found gives 0 and says so",
              status == 0 and b"0 distinct problems" in rest, (status, rest))
    with tempfile.TemporaryDirectory() as folder:
        follower = Follower(folder, "--brief")
        follower.log.write(record(1, 0x5000)[:-40] + b"\n" + record(2, 0x6000, "1e:00.0").strip())
        follower.until(b"1b:00.0")
        status, rest, _ = follower.end()
        check("a last line without an end counts", status == 1 and b"1e:00.0" in follower.output,
              (status, follower.output))


def check_input():
    done = subprocess.run([SLUICE, "explain", "--follow=-", "--brief"], input=record(1, 0x5000),
                          capture_output=True, timeout=WAIT_S, check=False)
    check("standard input is followed to its end",
          done.returncode == 1 and b"1 distinct problem\n" in done.stdout, done)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SLUICE, "explain", "--follow=-"], input=record(1, 0x5000),
                              stdout=full, stderr=subprocess.PIPE, timeout=WAIT_S, check=False)
    check("a full disk gives 2", done.returncode == 2 and b"could not be written" in done.stderr,
          done)
    for file, words in (("/nonexistent/log", b"No such file"), ("/", b"directory")):
        done = subprocess.run([SLUICE, "explain", f"--follow={file}"], capture_output=True,
                              timeout=WAIT_S, check=False)
        check(f"--follow={file} gives 2 and why", done.returncode == 2 and words in done.stderr,
              done)


def as_nobody(program, folder):
    """Follows the kernel's log without the right to read it; None: that cannot be had here."""
    words = [program, "explain", "--follow"]
    probe = ["head", "-c", "0", "/dev/kmsg"]
    user = NOBODY if os.geteuid() == 0 else None
    if subprocess.run(probe, user=user, capture_output=True, check=False).returncode == 0:
        # Anybody may: in a namespace of its own, a file that nobody may read stands there.
        hidden = Path(folder) / "hidden"
        hidden.touch(mode=0)
        words = ["unshare", "-m" if user else "-rm", "sh", "-c",
                 'mount --bind "$1" /dev/kmsg || exit 99; shift; exec setpriv '
                 + (f"--reuid={NOBODY} --clear-groups " if user else "--bounding-set=-all ")
                 + '"$@"', "sh", hidden, *words]
        user = None
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S,
                          check=False, user=user)
    return None if done.returncode in (1, 99, 127) else done


def check_rights():
    name = "without the right to read the kernel's log: 2, and what works without"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(SLUICE, folder)
        os.chmod(program, 0o755)
        done = as_nobody(program, folder)
    if done is None:
        checks.append(True)
        print(f"ok {len(checks)} - {name} # SKIP anybody may read it, and no namespace to hide it")
        return
    check(name, done.returncode == 2 and not done.stdout and b"/dev/kmsg" in done.stderr
          and b"dmesg -w | sluice explain --follow=-" in done.stderr, done)


def main():
    check_news()
    check_signals()
    check_input()
    check_rights()
    print(f"1..{len(checks)}")
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
