# SPDX-License-Identifier: MIT
"""Which QEMUs there are on this machine."""

import os
import re
import shutil
import subprocess

from lib import tree


def version_of(text):
    """(10, 0) of "10.0"; what is no version counts as the newest."""
    found = re.fullmatch(r"(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (99, 0)


def unpacked_roots():
    """Where QEMU 7.2 may lie beside the installed one."""
    if os.environ.get("SLUICE_QEMU_7_2"):
        yield os.environ["SLUICE_QEMU_7_2"]
    yield os.path.join(tree.TOP, "build", "qemu-7.2")


def qemu_version(command, environment):
    try:
        text = subprocess.run(command[:1] + ["--version"], env=environment, capture_output=True,
                              text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"version (\d+\.\d+)", text)
    return found.group(1) if found else None


def find_qemu(wanted, arch):
    """-> (command, environment, version), or (None, why, None)."""
    environment = dict(os.environ)
    candidates, path = [], None
    if wanted and os.sep in wanted:
        path, wanted = wanted, None
    if path:
        candidates.append(([path], environment))
    else:
        installed = shutil.which(arch.binary)
        if installed:
            candidates.append(([installed], environment))
        for root in unpacked_roots():
            binary = os.path.join(root, "usr/bin", arch.binary)
            if os.path.exists(binary):
                modules = os.path.join(root, "usr/lib/x86_64-linux-gnu/qemu")
                candidates.append(([binary, "-L", os.path.join(root, "usr/share/qemu"),
                                    "-L", os.path.join(root, "usr/share/seabios")],
                                   dict(environment, QEMU_MODULE_DIR=modules)))
    seen = []
    for command, env in candidates:
        version = qemu_version(command, env)
        if version and (wanted in (None, "installed", "system") or path or version == wanted):
            return command, env, version
        seen.append(version or f"{command[0]} does not start")
    if not seen:
        return None, f"no {arch.binary} found; run tools/setup", None
    return None, f"no QEMU {wanted} here (found: {', '.join(seen)}); run tools/setup", None
