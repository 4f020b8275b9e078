"""Bytes and accuracy of compressed networks, ours beside peers': `make bench-compression`.

    POCKETLENS_DATA=... python benchmarks/compression.py [--model NAME] [--peer NAME]
        [--lens MODEL=FILE] [--size 1.4MB] [--part report] [--cache FOLDER] [--ledger FILE]
        [--table]

Every network is compressed by every peer at several points, and every result is judged alike:
its weights in the ONNX file (or its own ONNX file) run by onnxruntime on the same photos. KL is
the mean Kullback-Leibler divergence from the float network's softmax, agreement the photos with
the float network's answer; lost and won are paired with it. Bytes are real ones on disk. Finished
rows are kept in the ledger and not run again; a peer that cannot be installed or run has a row
that says why. docs/design/0003-compression-peers.md says what was chosen and why.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress as Bar

import compression_peers
from compression_figures import FLOAT, LEDGER, OURS, TUNED
from compression_judge import (
    Part,
    Photos,
    Scores,
    fingerprint,
    float_weights,
    judge,
    prepare,
    scores_of,
    with_weights,
)
from compression_peers import PEERS, Peer, Point
from compression_statistics import statistics_of
from compression_table import Ledger, equal_table, saving_table, table_of
from measuring import commit, machine
from models import MODELS, RealModel, data_folder
from pocketlens.base.errors import LensFileError, MissingExtraError
from pocketlens.base.progress import Progress
from pocketlens.compression.about import About
from pocketlens.compression.budget import parse_size
from pocketlens.compression.price import WORTH_BY, Price
from pocketlens.compression.priced import compress_at_price, look
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress, unpack
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.reader import read_lens
from pocketlens.tuning.finish import FineTuning
from pocketlens.tuning.settings import TuningSettings

OUR_BITS = (8, 6, 5, 4, 3)
OUR_SIZES = {
    "resnet8-cifar10": ("65kB", "50kB", "42kB", "36kB", "32kB", "28kB", "25kB", "20kB"),
    "mobilenet-v1-0.25": ("480kB", "400kB", "320kB", "270kB", "220kB", "170kB", "130kB", "100kB"),
    "squeezenet": ("540kB", "500kB", "460kB", "400kB", "340kB", "290kB", "250kB"),
    "mobilenet-v2": ("3MB", "2.4MB", "2MB", "1.6MB", "1.4MB", "1.15MB", "0.95MB", "0.85MB"),
}
"""By rate and distortion."""
OUR_TUNED = {"resnet8-cifar10": ("25kB", "20kB")}
"""These are then fine-tuned on the same photos, and stand apart: no peer is."""
PASSES = 8
CACHE = Path.home() / ".cache" / "pocketlens-benchmarks"
FIT_INPUTS = 300


@dataclass
class Bench:
    """One network with its photos, and the folder in which peers work on it."""

    model: RealModel
    part: Part
    cache: Path
    progress: Progress
    give_up_s: float = compression_peers.SECONDS
    _written: set[str] = field(default_factory=set)
    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    @property
    def path(self) -> Path:
        """The float network's ONNX file."""
        return data_folder() / self.model.file

    @cached_property
    def sha256(self) -> str:
        """Of the ONNX file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def data(self) -> str:
        """Which photos are measured."""
        return fingerprint(self.model, self.part)

    @cached_property
    def photos(self) -> dict[Part, Photos]:
        """Prepared photos by part."""
        return prepare(self.model, progress=self.progress)

    @cached_property
    def expected(self) -> Scores:
        """The float network's scores on the part that is measured."""
        return scores_of(self.path, self.photos[self.part].inputs)

    def verdict(self, model: bytes | Path) -> dict[str, Any]:
        """What the judge says of an ONNX model."""
        photos = self.photos[self.part]
        return judge(self.expected, scores_of(model, photos.inputs), photos.classes)

    def work(self, peer: Peer) -> Path:
        """The folder with what a peer needs, made as it is needed."""
        folder = Path(self._folder.name)
        self._write(folder / "model.onnx", lambda file: file.write_bytes(self.path.read_bytes()))
        weights = float_weights(self.path)
        self._write(folder / "weights.npz", lambda file: np.savez(file, **cast(Any, weights)))
        if peer.fit or peer.statistics:
            fit = self.photos["fit"].inputs[:FIT_INPUTS]
            if peer.fit:
                self._write(folder / "fit.npy", lambda file: np.save(file, fit))
            if peer.statistics:
                self._write(
                    folder / "statistics.npz",
                    lambda file: np.savez(
                        file,
                        **cast(Any, statistics_of(self.path, weights, fit, progress=self.progress)),
                    ),
                )
        return folder

    def _write(self, file: Path, write: Any) -> None:
        if file.name not in self._written:
            write(file)
            self._written.add(file.name)


def peer_rows(bench: Bench, peer: Peer, ledger: Ledger) -> Iterator[dict[str, Any]]:
    """A row for every point of a peer that the ledger does not hold."""
    mark = compression_peers.script_mark(peer)
    for point in peer.points:
        key = [bench.sha256, bench.data, peer.name, json.dumps(point), mark]
        if ledger.holds(key):
            continue
        bench.progress(f"{bench.model.name}: {peer.name} {json.dumps(point)}", 0, 1)
        row: dict[str, Any] = _row(bench, peer.name, point, key)
        try:
            work = bench.work(peer)
            row |= compression_peers.run(
                peer, point, cache=bench.cache, work=work, seconds=bench.give_up_s
            )
            weights = compression_peers.weights_of(work)
            packed = work / "compressed.onnx"
            row |= bench.verdict(packed if weights is None else with_weights(bench.path, weights))
        except Exception as error:
            # Whatever a peer's file does to the judge is told in its row, and the others go on.
            row["note"] = " ".join(str(error).split())[:300]
        yield row


def our_rows(bench: Bench, ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Rows of plain palettes at several widths."""
    with tempfile.TemporaryDirectory() as folder:
        for bits in OUR_BITS:
            bench.progress(f"{bench.model.name}: {OURS} {bits} bits", 0, 1)
            file = Path(folder) / f"{bits}.lens"
            start_s = time.process_time()
            compress(
                bench.path, file, settings=Settings(bits=bits), about=About(bench.model.recipe)
            )
            seconds = time.process_time() - start_s
            yield from lens_rows(bench, file, {"bits": bits}, ledger, seconds=seconds)


def priced_rows(
    bench: Bench, ledger: Ledger, wanted_sizes: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Rows by rate and distortion at several sizes, fitted to the fit part of the same photos."""
    imported, about = read_onnx(bench.path), About(bench.model.recipe)
    photos = data_folder() / bench.model.data
    start_s = time.process_time()
    texts = wanted_sizes or OUR_SIZES[bench.model.name]
    sizes = [Price(size_bytes=parse_size(text), photos=photos) for text in texts]
    known = look(imported, price=sizes[0], about=about, progress=bench.progress)
    looked_s = time.process_time() - start_s
    with tempfile.TemporaryDirectory() as folder:
        for price in sizes:
            file = Path(folder) / f"{price.size_bytes}.lens"
            start_s = time.process_time()
            compress_at_price(
                imported, file, price=price, about=about, known=known, progress=bench.progress
            )
            seconds = looked_s + time.process_time() - start_s
            point = {"max_size": price.size_bytes, "worth_by": WORTH_BY}
            yield from lens_rows(bench, file, point, ledger, seconds=seconds)


def tuned_rows(bench: Bench, ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Rows by rate and distortion, fine-tuned as `compress --tune` does; needs torch."""
    imported, about = read_onnx(bench.path), About(bench.model.recipe)
    for text in OUR_TUNED.get(bench.model.name, ()):
        point = {"max_size": parse_size(text), "tune": PASSES}
        price = Price(size_bytes=parse_size(text), photos=data_folder() / bench.model.data)
        start_s = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "tuned.lens"
            try:
                finish = FineTuning(TuningSettings(passes=PASSES), tell=lambda *_: None)
            except MissingExtraError as error:
                key = [bench.sha256, bench.data, TUNED, json.dumps(point)]
                yield _row(bench, TUNED, point, key) | {"note": str(error)}
                return
            compress_at_price(
                imported, file, price=price, about=about, finish=finish, progress=bench.progress
            )
            seconds = time.process_time() - start_s
            yield from lens_rows(bench, file, point, ledger, seconds=seconds, peer=TUNED)


def lens_rows(
    bench: Bench,
    file: Path,
    point: Point,
    ledger: Ledger,
    *,
    seconds: float | None = None,
    peer: str = OURS,
) -> Iterator[dict[str, Any]]:
    """The row of a finished lens, decoded and judged as a peer is, unless the ledger has it."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    key = [bench.sha256, bench.data, peer, json.dumps(point), digest]
    if not ledger.holds(key):
        row = _row(bench, peer, point, key)
        row |= {"bytes": file.stat().st_size, "counted": ".lens", "seconds": seconds}
        try:
            weights = dict(unpack(read_lens(file)).network.tensors)
        except LensFileError as error:
            raise click.ClickException(str(error)) from error
        yield row | bench.verdict(with_weights(bench.path, weights))


def float_rows(bench: Bench, ledger: Ledger) -> Iterator[dict[str, Any]]:
    """The float network itself."""
    key = [bench.sha256, bench.data, FLOAT]
    if not ledger.holds(key):
        row = _row(bench, FLOAT, {}, key)
        row |= {"bytes": bench.path.stat().st_size, "counted": "ONNX file"}
        yield row | bench.verdict(bench.path)


def _row(bench: Bench, peer: str, point: Point, key: list[str]) -> dict[str, Any]:
    return {
        "model": bench.model.name,
        "peer": peer,
        "point": point,
        "part": bench.part,
        "key": key,
        "machine": machine(),
        "commit": commit(),
    }


def measure(
    bench: Bench,
    wanted: tuple[str, ...],
    lenses: list[Path],
    ledger: Ledger,
    sizes: tuple[str, ...],
) -> None:
    """Add every row of one network that is not in the ledger; with sizes, of ours those alone."""
    for row in float_rows(bench, ledger):
        ledger.add(row)
    for file in lenses:
        for row in lens_rows(bench, file, {"lens": file.name}, ledger):
            ledger.add(row)
    if not wanted or OURS in wanted:
        plain = () if sizes else our_rows(bench, ledger)
        for row in chain(plain, priced_rows(bench, ledger, sizes)):
            ledger.add(row)
    if not wanted or TUNED in wanted:
        for row in tuned_rows(bench, ledger):
            ledger.add(row)
    for peer in PEERS:
        if not wanted or peer.name in wanted:
            for row in peer_rows(bench, peer, ledger):
                ledger.add(row)


def parse_lens(text: str) -> tuple[str, Path]:
    name, _, file = text.partition("=")
    if name not in (model.name for model in MODELS) or not Path(file).is_file():
        raise click.BadParameter(f"'{text}' is not of the form resnet8-cifar10=small.lens.")
    return name, Path(file)


@click.command()
@click.option(
    "--model", "names", multiple=True, type=click.Choice([model.name for model in MODELS])
)
@click.option(
    "--peer",
    "wanted",
    multiple=True,
    type=click.Choice([OURS, TUNED, *(p.name for p in PEERS), "none"]),
    help="Only these; none: the float network and --lens alone.",
)
@click.option("--lens", "lenses", multiple=True, help="MODEL=FILE: judge a finished lens too.")
@click.option("--size", "sizes", multiple=True, help="Of ours only these, such as 1.4MB.")
@click.option("--part", type=click.Choice(["select", "report"]), default="report")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True)
@click.option(
    "--give-up",
    "give_up_s",
    default=compression_peers.SECONDS,
    show_default=True,
    help="Seconds after which a peer's point is given up; its row says so.",
)
@click.option("--ledger", "place", type=click.Path(path_type=Path), default=LEDGER)
@click.option("--table", "only_table", is_flag=True, help="Print what the ledger holds; run none.")
def main(
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    lenses: tuple[str, ...],
    sizes: tuple[str, ...],
    part: Part,
    cache: Path,
    give_up_s: int,
    place: Path,
    only_table: bool,
) -> None:
    """Print one table: every network, ours and every peer, at every point."""
    ledger = Ledger(place)
    given = [parse_lens(text) for text in lenses]
    # The smallest first: what is wrong with a peer shows soon.
    models = sorted(MODELS, key=lambda model: (data_folder() / model.file).stat().st_size)
    models = [model for model in models if not names or model.name in names]
    if not only_table:
        with Bar(transient=True) as bar:
            task = bar.add_task("")

            def progress(stage: str, done: int, total: int) -> None:
                bar.update(task, description=stage, completed=done, total=total or None)

            for model in models:
                bench = Bench(model, part, cache.resolve(), progress, give_up_s)
                own = [file for name, file in given if name == model.name]
                measure(bench, wanted, own, ledger, sizes)
    console = Console(width=130)
    console.print(f"{machine()}, commit {commit()}, part {part}, {place}")
    shown = [model.name for model in models]
    console.print(table_of(ledger.rows, shown, part))
    console.print(equal_table(ledger.rows, shown, part))
    console.print(saving_table(ledger.rows, shown, part))


if __name__ == "__main__":
    main()
