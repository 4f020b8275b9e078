"""Seconds and error of a palette: ours against coremltools' k-means and scikit-learn's.

    python benchmarks/palettes.py [--size 1024x1024] [--palette-size 16] [--json] [--save]

Everybody gets the same normal float32 weights and gives palette and indices of the whole tensor.
coremltools is called as its own palettizer calls itself, once with half-precision weights (its
exact one-dimensional path) and once with float32 (scikit-learn inside, n_init=1, tol=1e-2).
scikit-learn itself runs with n_init=10, and only up to --scikit-limit weights: beyond, it takes
the better part of an hour. A peer that is not installed has a row that says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from measuring import append_rows, commit, machine
from pocketlens.palettes.palette import fit_palette

Weights = NDArray[np.float32]
Fit = tuple[NDArray[Any], NDArray[Any]]
"""Palette (k,) and indices shaped like the weights."""
PEERS = ("pocketlens", "coremltools half", "coremltools float", "scikit-learn n_init=10")
OUR_REPEATS = 3


def ours(weights: Weights, size: int) -> Fit:
    palette = fit_palette(weights, size)
    return palette.values, palette.indices


def coremltools_kmeans(weights: NDArray[Any], size: int) -> Fit:
    from coremltools.optimize.coreml._quantization_passes import palettize_weights

    bits = size.bit_length() - 1
    found = palettize_weights.blockwise_compress(weights, "KMEANS", bits, [0] * weights.ndim)
    return found.lut.reshape(-1), found.indices


def scikit_kmeans(weights: Weights, size: int) -> Fit:
    from sklearn.cluster import KMeans

    fit = KMeans(size, n_init=10, random_state=0).fit(weights.reshape(-1, 1))
    return fit.cluster_centers_[:, 0], fit.labels_.reshape(weights.shape)


RUNNERS: dict[str, Callable[[Weights, int], Fit]] = {
    "pocketlens": ours,
    "coremltools half": lambda weights, size: coremltools_kmeans(weights.astype(np.float16), size),
    "coremltools float": coremltools_kmeans,
    "scikit-learn n_init=10": scikit_kmeans,
}


def relative_error(weights: Weights, fit: Fit) -> float:
    """Sum of squared differences over sum of squares, row by row to spare memory."""
    lost = kept = 0.0
    values = fit[0].astype(np.float32)
    for row, indices in zip(weights, fit[1], strict=True):
        lost += float(np.square(row - values[indices], dtype=np.float64).sum())
        kept += float(np.square(row, dtype=np.float64).sum())
    return lost / kept


def measure(peer: str, weights: Weights, size: int) -> dict[str, Any]:
    """One row: wall and processor seconds, and the error against the float weights."""
    row: dict[str, Any] = {
        "peer": peer,
        "shape": list(weights.shape),
        "weights": int(weights.size),
        "palette_size": size,
    }
    taken: list[tuple[float, float]] = []
    for _ in range(OUR_REPEATS if peer == "pocketlens" else 1):
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        try:
            fit = RUNNERS[peer](weights, size)
        except ImportError as error:
            return {**row, "note": f"not installed: {error.name}"}
        taken.append((time.perf_counter() - start_s, time.process_time() - start_cpu_s))
    wall_s, cpu_s = min(taken)
    return {
        **row,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "relative_error": relative_error(weights, fit),
    }


def with_ratios(row: dict[str, Any], our: dict[str, Any]) -> dict[str, Any]:
    """Say how many times our time and our error it took."""
    if "wall_s" in row:
        row["times_our_time"] = row["wall_s"] / our["wall_s"]
        row["times_our_error"] = row["relative_error"] / our["relative_error"]
    return row


def rows_of(weights: Weights, palette_size: int, peers: list[str]) -> Iterator[dict[str, Any]]:
    """Our row, then the peers', each as soon as it is measured."""
    our = measure("pocketlens", weights, palette_size)
    yield with_ratios(our, our)
    for peer in peers:
        yield with_ratios(measure(peer, weights, palette_size), our)


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("weights", "k", "peer", "wall s", "CPU s", "x our time", "error", "x our error"):
        table.add_column(title, justify="left" if title == "peer" else "right")
    for row in rows:
        shown = ["x".join(map(str, row["shape"])), str(row["palette_size"]), row["peer"]]
        if "wall_s" in row:
            shown += [f"{row['wall_s']:.3f}", f"{row['cpu_s']:.3f}", f"{row['times_our_time']:.0f}"]
            shown += [f"{row['relative_error']:.4e}", f"{row['times_our_error']:.4f}"]
        else:
            shown += [row["note"]]
        table.add_row(*shown)
    return table


def parse_size(text: str) -> tuple[int, int]:
    rows, _, columns = text.partition("x")
    try:
        return int(rows), int(columns)
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not of the form 1024x1024.") from error


@click.command()
@click.option("--size", "sizes", multiple=True, default=("1024x1024", "4096x9216"))
@click.option("--palette-size", "palette_sizes", multiple=True, type=int, default=(16, 256))
@click.option("--peer", "peers", multiple=True, type=click.Choice(PEERS[1:]), default=PEERS[1:])
@click.option("--scikit-limit", default=300_000, show_default=True, help="Most weights for it.")
@click.option("--json", "as_json", is_flag=True, help="Rows as JSON lines, at once.")
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/palettes.jsonl.")
def main(
    sizes: tuple[str, ...],
    palette_sizes: tuple[int, ...],
    peers: tuple[str, ...],
    scikit_limit: int,
    as_json: bool,
    save: bool,
) -> None:
    """Print one table: every size with every palette size and every peer."""
    rows: list[dict[str, Any]] = []
    for shape in map(parse_size, sizes):
        weights = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        weights *= np.float32(0.02)
        for palette_size in palette_sizes:
            chosen = [
                peer
                for peer in peers
                if weights.size <= scikit_limit or not peer.startswith("scikit")
            ]
            for row in rows_of(weights, palette_size, chosen):
                rows.append(row)
                if as_json:
                    print(json.dumps(row), flush=True)
    console = Console(width=100)
    if not as_json:
        console.print(f"{machine()}, commit {commit()}")
        console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('palettes', rows)}")


if __name__ == "__main__":
    main()
