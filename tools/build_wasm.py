"""Compile the core to WebAssembly: simd128.wasm and relaxed_simd.wasm.

    python tools/build_wasm.py CORE_FOLDER OUT_FOLDER

Uses the Zig compiler of the package ziglang. All is compiled for size, for a page waits for every
byte; what the kernels need unrolled says so itself, and they are as fast as at -O2. It is linked as
one program (LTO): 4 kB less, and as fast. No C++ library is linked; core/bind/wasm/std stands in
for the few of its headers that the core includes. A module imports nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from zig import zig

BUILDS = {"simd128": ("-msimd128",), "relaxed_simd": ("-msimd128", "-mrelaxed-simd")}
TARGET = ("-target", "wasm32-wasi")
FLAGS = (
    *TARGET, "-std=gnu++20", "-mbulk-memory", "-fno-exceptions", "-fno-rtti", "-fno-math-errno",
    "-ffp-contract=fast", "-fvisibility=hidden", "-nostdinc++", "-flto",
    "-Wall", "-Wextra", "-Werror", "-g0",
)  # fmt: skip
LINKED = ("-flto", "-Os", "-nostdlib++", "-mexec-model=reactor", "-s")
KERNELS = ("dispatch.cc", "scalar_pack.cc", "target_wasm.cc")
# zig makes -Oz to -Os, so that every function is told on its own.
SMALL = ("-Os", "-mllvm", "-force-attribute=minsize")


def sources(core: Path) -> list[Path]:
    """What the modules are made of."""
    kernels = [core / "src" / "kernels" / name for name in KERNELS]
    rooms = (core / "src" / room for room in ("base", "photo", "plan", "run", "api"))
    rest = sorted(path for room in rooms for path in room.glob("*.cc"))
    return [*kernels, *rest, core / "bind" / "wasm" / "wasm.cc"]


def build(core: Path, out: Path, name: str) -> None:
    """One module, OUT/NAME.wasm."""
    include = [f"-I{core / part}" for part in ("bind/wasm/std", "src", "include")]
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for source in sources(core):
            objects.append(str(Path(folder) / f"{source.stem}.o"))
            zig(*FLAGS, *SMALL, *BUILDS[name], *include, "-c", str(source), "-o", objects[-1])
        made = Path(folder) / "made.wasm"
        zig(*TARGET, *LINKED, *objects, "-o", str(made))
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.wasm").write_bytes(made.read_bytes())


def main() -> None:
    core, out = Path(sys.argv[1]), Path(sys.argv[2])
    for name in BUILDS:
        build(core, out, name)


if __name__ == "__main__":
    main()
