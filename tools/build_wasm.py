"""Compile the core to WebAssembly: body.wasm, kernels_simd128.wasm and kernels_relaxed_simd.wasm.

    python tools/build_wasm.py CORE_FOLDER OUT_FOLDER

Uses the Zig compiler of the package ziglang. All is compiled for size, for a page waits for every
byte; what the kernels need unrolled says so itself, and they are as fast as at -O2. The body is
linked as one program (LTO), which saves 4 kB; the kernels are not, which would make them 3% slower.
No C++ library is linked; core/bind/wasm/std stands in for the few of its headers that the core
includes.

The kernels of an instruction set are a module of their own, which imports nothing and exports its
memory, its table of functions and `kernels`, where in that memory the KernelTable is. The body is
all else, and imports those. Places in the memory: the body's stack, the kernels' stack, the
kernels' data, the body's data, the heap; in the table: the body's functions, the kernels'.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from zig import link, zig

SIMD = "-msimd128"
KERNELS = {"kernels_simd128": (SIMD,), "kernels_relaxed_simd": (SIMD, "-mrelaxed-simd")}
TARGET = ("-target", "wasm32-wasi")
FLAGS = (
    *TARGET, "-std=gnu++20", "-mbulk-memory", "-fno-exceptions", "-fno-rtti", "-fno-math-errno",
    "-ffp-contract=fast", "-fvisibility=hidden", "-nostdinc++",
    "-Wall", "-Wextra", "-Werror", "-g0",
)  # fmt: skip
# zig makes -Oz to -Os, so that every function is told on its own.
SMALL = ("-Os", "-mllvm", "-force-attribute=minsize")

BODY_STACK_END = 1 << 20
KERNELS_STACK_END = BODY_STACK_END + (1 << 18)
KERNELS_DATA_END = KERNELS_STACK_END + (1 << 16)
MEMORY = KERNELS_DATA_END + (1 << 18)  # grows as it is used
KERNELS_TABLE = 1024  # more functions than the body takes addresses of


def body_sources(core: Path) -> list[Path]:
    """What the body is made of."""
    rooms = (core / "src" / room for room in ("base", "photo", "plan", "run", "api"))
    rest = sorted(path for room in rooms for path in room.glob("*.cc"))
    return [core / "src/kernels/scalar_pack.cc", *rest, core / "bind/wasm/wasm.cc"]


def kernels_sources(core: Path) -> list[Path]:
    """What a module of kernels is made of."""
    kernels = [core / "src" / "kernels" / name for name in ("scalar_pack.cc", "target_wasm.cc")]
    return [*kernels, core / "bind/wasm/kernels.cc"]


def compiled(core: Path, sources: list[Path], flags: tuple[str, ...], folder: Path) -> list[str]:
    """Object files of the sources, in the folder."""
    include = [f"-I{core / part}" for part in ("bind/wasm/std", "src", "include")]
    objects = []
    for source in sources:
        objects.append(str(folder / f"{source.stem}.o"))
        zig(*FLAGS, *SMALL, *flags, *include, "-c", str(source), "-o", objects[-1])
    return objects


def link_body(objects: list[str], made: str) -> None:
    """The body, whose functions come first in the table."""
    places = (
        "-Wl,--import-memory,--export-memory,--import-table,"
        f"--initial-memory={MEMORY},--global-base={KERNELS_DATA_END},-z,stack-size={BODY_STACK_END}"
    )
    how = ("-flto", "-Os", "-nostdlib++", "-mexec-model=reactor", "-s", places)
    zig(*TARGET, *how, *objects, "-o", made)


def link_kernels(objects: list[str], made: str) -> None:
    """A module of kernels; its stack ends where the body's begins."""
    link(
        "--no-entry", "--strip-all", "--export-table", "--growable-table",
        f"--table-base={KERNELS_TABLE}", f"--initial-memory={MEMORY}", "--stack-first",
        "-z", f"stack-size={KERNELS_STACK_END}", *objects, "-o", made,
    )  # fmt: skip


def main() -> None:
    core, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    modules = {"body": (body_sources(core), (SIMD, "-flto"), link_body)} | {
        name: (kernels_sources(core), flags, link_kernels) for name, flags in KERNELS.items()
    }
    for name, (sources, flags, link_them) in modules.items():
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "made.wasm"
            link_them(compiled(core, sources, flags, Path(folder)), str(made))
            (out / f"{name}.wasm").write_bytes(made.read_bytes())


if __name__ == "__main__":
    main()
