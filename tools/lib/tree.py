# SPDX-License-Identifier: MIT
"""The source tree as the tools see it: which files there are and how the library is compiled."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = TOP / "build"
JOBS = os.cpu_count() or 2


def run(command, cwd=TOP, env=None, timeout=600):
    """Runs a command; returns (exit status, both streams)."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, text=True, errors="replace",
                          env=dict(os.environ, **(env or {})), timeout=timeout,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def parallel(function, items):
    """function over items on all CPUs, results in order."""
    with ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


def files(*suffixes, under=("",)):
    """Files git knows (or would: new ones too), by suffix and folder, relative to the top."""
    _, text = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"])
    return sorted(Path(line) for line in text.splitlines()
                  if line.endswith(suffixes) and line.startswith(tuple(under))
                  and (TOP / line).is_file())


def configured(directory, compiler, *options):
    """A Meson build directory with these options, set up when it is not there yet."""
    where = BUILD / directory
    command = "configure" if (where / "build.ninja").exists() else "setup"
    if command == "setup" or options:
        status, text = run(["meson", command, where, *options], env={"CC": compiler})
        if status != 0:
            raise RuntimeError(f"meson {command} failed:\n" + text)
    return where


def library(compiler="gcc"):
    """How Meson compiles the library: ([source, ...], [flag, ...]), include paths left out."""
    where = configured("check/library-" + compiler, compiler, "-Dtests=disabled",
                       "-Dcli=disabled")
    run(["ninja", "-C", where, "build.ninja"])
    _, text = run(["meson", "introspect", "--targets", where])
    for target in json.loads(text[text.index("["):]):
        # The archive is made from the shared library's objects.
        if target["name"] == "sluice" and target["type"] == "shared library":
            group = next(entry for entry in target["target_sources"]
                         if entry.get("language") == "c")
            flags = [flag for flag in group["parameters"]
                     if not flag.startswith(("-I", "-fdiagnostics", "-fPIC", "-g"))]
            return [Path(source) for source in group["sources"]], flags
    raise RuntimeError("Meson has no shared library 'sluice'")
