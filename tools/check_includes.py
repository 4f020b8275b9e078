"""Checks that #include lines of the core only point down its layers.

    python tools/check_includes.py core/src      exit 1 and a line for every offence

A file may include its own folder and those below it; folders on one line stand side by side and
do not see each other. Only api/ includes the public header. System headers are not looked at.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LAYERS = (
    "api",  # the C interface
    "run photo",  # layouts, steps, arena, threads; a photo's pixels to the input
    "kernels",  # conv2d, linear, matmul, activations: one source an instruction set
    "plan palette simd",  # the validator; k-means for Python; what the processor can do
    "base",
)
"""Top first, as they are drawn."""

RANK = {folder: rank for rank, row in enumerate(reversed(LAYERS)) for folder in row.split()}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
PUBLIC = "pocketlens/"


def offences(root: Path) -> list[str]:
    """One sentence for each include that points up, sideways or out of the picture."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.suffix not in {".h", ".cc"}:
            continue
        folder = path.relative_to(root).parts[0]
        if folder not in RANK:
            found.append(f"{path}: folder '{folder}' has no place in LAYERS")
            continue
        for bracket, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            reason = offence(folder, name, system=bracket == "<")
            if reason:
                found.append(f"{path}: {reason}")
    return found


def offence(folder: str, name: str, *, system: bool) -> str:
    """What is wrong with a file of `folder` that includes `name`; empty if nothing is."""
    if name.startswith(PUBLIC):
        return "" if folder == "api" else f"only api may include the public header <{name}>"
    if system:
        return ""
    target = name.split("/")[0]
    if target not in RANK:
        return f'"{name}" must start with a folder of core/src'
    if target != folder and RANK[target] >= RANK[folder]:
        return f'{folder} may not include {target} ("{name}")'
    return ""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    lines = offences(Path(arguments[0]))
    print("\n".join(lines) or "includes only point down")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
