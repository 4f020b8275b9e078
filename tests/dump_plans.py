"""Plans and their bands as files, for core/tests/plan_fuzz.cc.

    python tests/dump_plans.py FOLDER [LENS...]

Writes NAME.plan and NAME.bands for every parity problem, for the compressed ones, for a lens whose
tensors share planes, and for each LENS. A .bands file is records of u32 plane, u32 band, u32 bytes
and the scanlines.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from conformance.engines import float_contents
from lens_samples import small_lens
from parity.cases import all_problems
from parity.compressed import FATES, compressed_contents
from parity.problems import build
from parity.test_operators import WEIGHTED
from pocketlens.engine.constants import plain_constants
from pocketlens.engine.plan import Plan, build_plan
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens
from pocketlens.planes.scanlines import inflate_band, scanline_bytes


def lenses(paths: list[Path]) -> Iterator[tuple[str, LensContents]]:
    """Names and contents of everything that is dumped."""
    for number, problem in enumerate(all_problems()):
        yield f"problem-{number:04}", float_contents(build(problem)[0])
    for number, problem in enumerate(WEIGHTED):
        network, _ = build(problem)
        for fate in FATES:
            yield f"weights-{number}-{fate.name}", compressed_contents(network, fate)
    yield "small", small_lens()
    for path in paths:
        yield path.stem, read_lens(path)


def bands(plan: Plan) -> bytes:
    """All bands of a plan, in the order in which they are handed in."""
    records = []
    for number, plane in enumerate(plan.planes):
        row_bytes = scanline_bytes(plane.width, plane.index_bits)
        for band_number, band in enumerate(plane.bands):
            rows = inflate_band(band.png, max_bytes=row_bytes * band.rows)
            records.append(struct.pack("<III", number, band_number, len(rows)) + rows)
    return b"".join(records)


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, contents in lenses([Path(argument) for argument in arguments[1:]]):
        plan = build_plan(plain_constants(contents))
        (folder / f"{name}.plan").write_bytes(plan.data)
        (folder / f"{name}.bands").write_bytes(bands(plan))
        count += 1
    print(f"{count} plans")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
