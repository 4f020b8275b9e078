"""Pastes what the code knows into the docs, so that a fact is written once.

In any Markdown file, what stands between

    <!-- paste: NAME -->
    <!-- end -->

is replaced by what `NAME` makes (see SOURCES; `help:compress` hands "compress" to `help`).

    python tools/paste.py            bring every file up to date
    python tools/paste.py --check    exit 1 and name the files that are not
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pocketlens.base.knobs import KNOBS
from pocketlens.graph.ops import MANY, MAX_RANK, OPS, Attribute, Op
from pocketlens.lensfile.neutral import NEUTRAL
from pocketlens.lensfile.schema import SCHEMA

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
MARKED = re.compile(
    r"(?P<begin><!-- paste: (?P<name>[^\s>]+) -->\n)(?P<text>.*?)(?P<end><!-- end -->)", re.DOTALL
)
SKIPPED = {"build", "dist", "demo-out", "node_modules"}
HELP_COLUMNS = 88


class PasteError(Exception):
    """A sentence about what cannot be pasted."""


def main(arguments: list[str]) -> int:
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        stale = {path: text for path, text in pasted_files() if path.read_text("utf-8") != text}
    except PasteError as error:
        print(f"paste: {error}", file=sys.stderr)
        return 2
    for path, text in stale.items():
        print(f"{'stale' if check else 'pasted'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text, "utf-8")
    return 1 if check and stale else 0


def pasted_files() -> Iterator[tuple[Path, str]]:
    """Every Markdown file that has a mark, and the text that it should have."""
    for path in sorted(ROOT.rglob("*.md")):
        folders = path.relative_to(ROOT).parts[:-1]
        if SKIPPED.isdisjoint(folders) and not any(part.startswith(".") for part in folders):
            text = path.read_text("utf-8")
            if "<!-- paste:" in text:
                yield path, paste(text, where=str(path.relative_to(ROOT)))


def paste(text: str, *, where: str) -> str:
    """The text with every mark filled. Raises PasteError."""
    if len(MARKED.findall(text)) != text.count("<!-- paste:"):
        raise PasteError(f"{where} has a mark '<!-- paste: ... -->' without its '<!-- end -->'.")

    def fill(match: re.Match[str]) -> str:
        content = make(match["name"], where=where).strip("\n")
        return f"{match['begin']}{content}\n{match['end']}"

    return MARKED.sub(fill, text)


def make(name: str, *, where: str) -> str:
    """What a name makes. Raises PasteError."""
    source, _, argument = name.partition(":")
    if source not in SOURCES:
        raise PasteError(f"{where} asks for '{name}'; known are {', '.join(SOURCES)}.")
    return SOURCES[source](argument)


def schema(_: str) -> str:
    """The tables of a lens."""
    return f"```sql\n{SCHEMA.strip()}\n```"


def neutral(_: str) -> str:
    """Attributes that a lens leaves out."""
    rows = ((f"`{name}`", f"`{json.dumps(value)}`") for name, value in NEUTRAL.items())
    return table(("attribute", "left out where it is"), rows)


def ops(_: str) -> str:
    """The operators and their attributes, in the words of a plan."""
    rows = (
        (
            str(op.number),
            f"`{op.name}`",
            _inputs(op),
            ", ".join(map(_words, op.attributes)) or "none",
        )
        for op in OPS.values()
    )
    titles = ("number", "operator", "inputs", "attributes, in order")
    return "\n".join([table(titles, rows), "", *_choices()])


def _choices() -> Iterator[str]:
    """The words of every attribute that is a choice; with its operator where it needs telling."""
    users: dict[str, dict[str, list[str]]] = {}
    for op in OPS.values():
        for each in op.attributes:
            if each.choices:
                text = ", ".join(f"{word} {number}" for word, number in each.choices.items())
                users.setdefault(each.name, {}).setdefault(text, []).append(op.name)
    for name, meanings in users.items():
        for text, names in meanings.items():
            of = f" of `{'`, `'.join(names)}`" if len(meanings) > 1 else ""
            yield f"- `{name}`{of}: {text}"


def _inputs(op: Op) -> str:
    most = "any" if op.max_inputs == MANY else str(op.max_inputs)
    return most if str(op.min_inputs) == most else f"{op.min_inputs} to {most}"


def _words(attribute: Attribute) -> str:
    kind = "f32" if attribute.kind == "float" else "i32"
    times = f"{attribute.count} x " if attribute.count > 1 else ""
    rest = f" (rest {attribute.fill})" if attribute.count == MAX_RANK else ""
    return f"`{attribute.name}` {times}{kind}{rest}"


def knobs(_: str) -> str:
    """The environment variables."""
    return table(("variable", "what it does"), ((f"`{k.name}`", k.meaning) for k in KNOBS))


def errors(_: str) -> str:
    """Every slug and the page that explains it."""
    pages = sorted((ROOT / "docs" / "errors").glob("*.md"))
    slugs = sorted(
        (slug, page.name)
        for page in pages
        for slug in re.findall(r"^### ([a-z0-9-]+)\s*$", page.read_text("utf-8"), re.MULTILINE)
    )
    return table(("slug", "explained in"), ((f"`{s}`", f"[{p}]({p}#{s})") for s, p in slugs))


def command_help(name: str) -> str:
    """What `pocketlens NAME --help` prints; of the whole program without a name."""
    # Imported here: the command line needs the whole package, built; the other sources do not.
    import click

    from pocketlens.cli.main import main as program

    context = click.Context(program, info_name="pocketlens", terminal_width=HELP_COLUMNS)
    if name:
        command = program.get_command(context, name)
        if command is None:
            raise PasteError(f"There is no command '{name}'.")
        context = click.Context(
            command, info_name=name, parent=context, terminal_width=HELP_COLUMNS
        )
    call = f"pocketlens {name}".strip()
    return f"```\n$ {call} --help\n{context.command.get_help(context)}\n```"


def file(name: str) -> str:
    """A file of the repository, as a block of code."""
    path = ROOT / name
    if not path.is_file():
        raise PasteError(f"There is no file '{name}'.")
    return f"```{path.suffix[1:]}\n{path.read_text('utf-8').strip()}\n```"


def _look_beside_benchmarks() -> None:
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))


def results(name: str) -> str:
    """The latest rows of benchmarks/results/NAME.jsonl, one for each model and engine.

    NAME:MEASURE takes the rows of one measure alone.
    """
    # Imported here: it lies beside the benchmarks whose rows it reads, not beside this tool.
    _look_beside_benchmarks()
    from result_columns import RESULTS

    columns = RESULTS.get(name)
    if columns is None:
        raise PasteError(f"There are no results called '{name}'; known are {', '.join(RESULTS)}.")
    stem, _, measure = name.partition(":")
    path = ROOT / "benchmarks" / "results" / f"{stem}.jsonl"
    if not path.is_file():
        return f"*Not measured yet: `benchmarks/{stem}.py --save` writes the rows.*"
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row.get("measure", "") == measure:
            latest[row["model"], row["engine"]] = row
    rows = [tuple(show(row) for show in columns.values()) for row in latest.values()]
    origins = dict.fromkeys(f"{row['machine']}, commit {row['commit']}" for row in latest.values())
    return "\n".join([table(tuple(columns), rows), "", f"Measured on {'; '.join(origins)}."])


Cell = Callable[[dict[str, Any]], float]
CLASSES_OF_PRECISION = {
    "fp32": ("pocketlens 4 bits", "pocketlens 8 bits", "onnxruntime fp32", "openvino f32",
             "pytorch fp32", "ncnn fp32", "litert fp32"),
    "avx2": ("pocketlens 4 bits, AVX2", "openvino f32, AVX2"),
    "lower": ("pocketlens 4 bits bf16", "onnxruntime int8", "openvino bf16", "ncnn fp16",
              "ncnn int8", "litert int8"),
}  # fmt: skip
MEASURES: dict[str, Cell] = {
    "ms": lambda row: row["ms"]["1"]["cpu_min"],
    "clock": lambda row: row["ms"]["1"]["min"],
    "ten": lambda row: row["ms"]["10"]["cpu_min"],
    "peak": lambda row: row["peak_bytes"]["1"] / 1e6,
    "peak-ten": lambda row: row["peak_bytes"]["10"] / 1e6,
    "label": lambda row: row["first_label_cpu_ms"],
    "file": lambda row: row["file_bytes"] / 1e6,
}


def latency(asked: str) -> str:
    """One measure of the latest latency rows: `ms:fp32` is MEASURE:CLASS, one thread; `:2` two.

    A line a network, a column an engine, the least in bold; what could not run is told below.
    """
    measure, precision, threads = (*asked.split(":"), "1")[:3]
    if measure not in MEASURES or precision not in CLASSES_OF_PRECISION:
        raise PasteError(f"There is no latency table '{asked}'.")
    path = ROOT / "benchmarks" / "results" / "latency.jsonl"
    latest: dict[str, dict[str, dict[str, Any]]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        row = json.loads(line)
        if row.get("threads") == int(threads) and "network" in row:
            known = latest.setdefault(row["network"], {})
            if row["engine"] not in known or _tells(row, MEASURES[measure]):
                known[row["engine"]] = row
    engines = [e for e in CLASSES_OF_PRECISION[precision] if any(e in r for r in latest.values())]
    if not engines:
        return "*Not measured yet: `benchmarks/latency.py --save` writes the rows.*"
    latest = {name: rows for name, rows in latest.items() if any(e in rows for e in engines)}
    lines = [(name, *_cells(rows, engines, MEASURES[measure])) for name, rows in latest.items()]
    shown = [rows[e] for rows in latest.values() for e in engines if e in rows]
    return "\n".join([table(("network", *engines), lines), "", *_unable(shown), _origin(shown)])


def _tells(row: dict[str, Any], cell: Cell) -> bool:
    """Whether the row has this measure: one picture and ten crops may be in rows of their own."""
    try:
        cell(row)
    except KeyError:
        return False
    return True


def _cells(rows: dict[str, dict[str, Any]], engines: list[str], cell: Cell) -> Iterator[str]:
    values: dict[str, float] = {}
    for engine in engines:
        with contextlib.suppress(KeyError):  # not measured, or not able to run
            values[engine] = cell(rows[engine])
    for engine in engines:
        text = f"{values[engine]:.3g}" if engine in values else "–"
        if engine in values and values[engine] >= 1000:
            text = f"{values[engine]:.0f}"
        yield f"**{text}**" if values and values.get(engine) == min(values.values()) else text


def _unable(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each engine that could not run some networks, and why."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if "reason" in row:
            reasons.setdefault((row["engine"], row["reason"]), []).append(row["network"])
    for (engine, reason), networks in reasons.items():
        yield f"- {engine} on {', '.join(networks)}: `{reason.replace('`', chr(39))}`"
    if reasons:
        yield ""


def _origin(rows: list[dict[str, Any]]) -> str:
    """Machine, commits, and how busy it was."""
    loads = [row["load"] for row in rows]
    origins = dict.fromkeys(f"{row['machine']}, commit {row['commit']}" for row in rows)
    busy = f"between {min(loads):.0f} and {max(loads):.0f}"
    return f"Measured on {'; '.join(origins)}; load average {busy}."


def compression(asked: str) -> str:
    """A table of the rows beside peers: `rows:mobilenet-v2`, `equal:mobilenet-v2`, `smaller`."""
    # Imported here for the same reason as the columns of results.
    _look_beside_benchmarks()
    from compression_page import page

    path = ROOT / "benchmarks" / "results" / "compression.jsonl"
    if not path.is_file():
        return "*Not measured yet: `make bench-compression` writes the rows.*"
    try:
        titles, lines, notes = page(asked, path)
    except KeyError as error:
        raise PasteError(f"There is no table of compression called '{asked}'.") from error
    return "\n".join([table(titles, lines), "", *notes])


def card(_: str) -> str:
    """What the bundled lens says of itself: size, fates, licence, receipts."""
    from pocketlens._bundled import BUNDLED_LENS
    from pocketlens.lensfile.reader import read_lens

    contents = read_lens(BUNDLED_LENS)
    fates = {record.fate for record in contents.tensors}
    counts = ", ".join(f"{sum(r.fate == f for r in contents.tensors)} {f}" for f in sorted(fates))
    rows = [
        ("file", f"`{BUNDLED_LENS.name}`, {BUNDLED_LENS.stat().st_size:,} bytes"),
        ("made from", f"`{contents.provenance.source_name}`, by {contents.provenance.made_by}"),
        ("classes", str(len(contents.labels))),
        ("tensors", counts),
        ("licence", contents.provenance.licence),
    ]
    for receipt in contents.receipts:
        low, high = receipt.top1_interval
        text = f"top-1 missing {receipt.top1_missing:.2f} % ({low:.2f} to {high:.2f})"
        if receipt.top5_missing is not None:
            text += f", top-5 missing {receipt.top5_missing:.2f} %"
        if receipt.difference is not None and receipt.difference_interval is not None:
            low, high = receipt.difference_interval
            text += f"; against {receipt.against} {receipt.difference:+.2f} points"
            text += f" ({low:+.2f} to {high:+.2f}), {receipt.flips} answers changed"
        rows.append((f"{receipt.dataset}, {receipt.n:,} photos, {receipt.views}", text))
    return table(("", ""), rows)


def table(titles: tuple[str, ...], rows: Any) -> str:
    """A Markdown table."""
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
                     for line in lines)  # fmt: skip


SOURCES: dict[str, Callable[[str], str]] = {
    "schema": schema,
    "neutral": neutral,
    "ops": ops,
    "knobs": knobs,
    "errors": errors,
    "help": command_help,
    "file": file,
    "results": results,
    "latency": latency,
    "compression": compression,
    "card": card,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
