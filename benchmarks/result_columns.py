"""How the rows of results/NAME.jsonl read in the docs: title and cell of every column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _missing(top: int) -> Callable[[dict[str, Any]], str]:
    return lambda row: f"{100 - 100 * row[f'top{top}_right'] / row['n']:.1f} %"


def _both(row: dict[str, Any], key: str) -> str:
    early, late = row["early"][key] / 1e6, row["late"][key] / 1e6
    return f"{early:.2f} and {late:.2f}"


RESULTS: dict[str, dict[str, Callable[[dict[str, Any]], str]]] = {
    "accuracy": {
        "model": lambda row: str(row["model"]),
        "weights": lambda row: str(row["engine"]),
        "bytes": lambda row: f"{row['file_bytes']:,}",
        "top-1 missing": _missing(1),
        "top-5 missing": _missing(5),
        "flips": lambda row: str(row["flips"]),
    },
    "crops": {
        "network": lambda row: str(row["model"]),
        "way": lambda row: row["engine"].split(", ")[-1],
        "top-1 right": lambda row: f"{row['top1_right']} of {row['n']}",
        "top-5 right": lambda row: str(row["top5_right"]),
        "processor ms": lambda row: f"{row['processor_ms']:.1f}",
        "first of a size": lambda row: f"+ {row['opening_ms']:.0f}" if "opening_ms" in row else "",
    },
    "cold": {
        "process": lambda row: str(row["engine"]),
        "processor ms, least": lambda row: f"{row['processor_min_ms']:.0f}",
        "clock ms, least": lambda row: f"{row['wall_min_ms']:.0f}",
        "peak MB": lambda row: f"{row['peak_bytes'] / 1e6:.1f}",
        "load average": lambda row: f"{row['busy']:.0f}",
    },
    "klaus": {
        "network": lambda row: str(row["model"]),
        "file MB": lambda row: f"{row['file_bytes'] / 1e6:.1f}",
        "weights, arena and scratch MiB": lambda row: f"{row['engine_bytes'] / 2**20:.2f}",
        "peak while loading MB": lambda row: f"{row['loading_bytes'] / 1e6:.1f}",
        "file + packed weights + 4 MB": lambda row: f"{row['allowed_bytes'] / 1e6:.1f}",
    },
    "klaus_ten": {
        "target, threads and picture": lambda row: row["engine"].removeprefix("pocketlens "),
        "ms in all, least": lambda row: f"{row['in_all']['min_ms']:.1f}",
        "median": lambda row: f"{row['in_all']['median_ms']:.1f}",
        "of that, forming": lambda row: f"{row['forming']['min_ms']:.1f}",
        "weights, arenas and scratch MiB": lambda row: (
            f"{sum(row['memory'][part] for part in ('weights', 'arena', 'scratch')) / 2**20:.1f}"
        ),
        "file MiB": lambda row: f"{row['file_bytes'] / 2**20:.1f}",
    },
    "klaus_planes": {
        "picture": lambda row: str(row["model"]),
        "stored": lambda row: str(row["engine"]),
        "bytes": lambda row: f"{row['bytes']:,}",
        "over the indices' entropy": lambda row: (
            f"{100 * (row['bytes'] / row['entropy_bytes'] - 1):.2f} %"
        ),
    },
    "wasm": {
        "model": lambda row: str(row["model"]),
        "engine": lambda row: str(row["engine"]),
        "processor ms": lambda row: f"{row['processor_ms']:.2f}",
        "fastest ms": lambda row: f"{row['min_ms']:.2f}",
        "median ms": lambda row: f"{row['median_ms']:.2f}",
        "x onnxruntime-web": lambda row: f"{row['speed_over_onnxruntime_web']:.2f}",
    },
    "browser:answers": {
        "lens": lambda row: str(row["model"]),
        "browser": lambda row: str(row["engine"]),
        "same top-1": lambda row: f"{row['same_top1']} of {row['photos']}",
        "largest difference of a score": lambda row: f"{row['largest_difference']:.1e}",
    },
    "browser:first": {
        "lens": lambda row: str(row["model"]),
        "worker starts": lambda row: f"{row['worker_ms']:.0f} ms",
        "camera plays": lambda row: f"{row['camera_ms']:.0f} ms",
        "lens is ready": lambda row: f"{row['lens_ms']:.0f} ms",
        "first label": lambda row: f"{row['label_ms']:.0f} ms",
        "quickest": lambda row: f"{row['least_ms']:.0f} ms",
        "visits": lambda row: str(row["visits"]),
        "load average": lambda row: f"{row['load']:.1f}",
    },
    "browser:frames": {
        "model": lambda row: str(row["model"]),
        "engine": lambda row: str(row["engine"]),
        "least ms": lambda row: f"{row['min_ms']:.1f}",
        "median ms": lambda row: f"{row['median_ms']:.1f}",
        "x onnxruntime-web": lambda row: f"{row['speed_over_onnxruntime_web']:.2f}",
        "load average": lambda row: f"{row['load']:.1f}",
    },
    "browser:memory": {
        "lens": lambda row: str(row["model"]),
        "frames": lambda row: f"100 and {row['frames']:,}",
        "core MB": lambda row: _both(row, "core_bytes"),
        "page's heap MB": lambda row: _both(row, "heap_bytes"),
        "renderer resident MB": lambda row: _both(row, "renderer_bytes"),
    },
    "browser:lighthouse": {
        "by": lambda row: str(row["engine"]),
        "performance": lambda row: str(row["scores"]["performance"]),
        "accessibility": lambda row: str(row["scores"]["accessibility"]),
        "best practices": lambda row: str(row["scores"]["best-practices"]),
        "bars installing": lambda row: ", ".join(row["bars_installing"]) or "nothing",
    },
    "browser:sizes": {
        "what": lambda row: str(row["model"]),
        "files": lambda row: str(row["files"]),
        "bytes": lambda row: f"{row['bytes']:,}",
        "gzip": lambda row: f"{row['gzip_bytes']:,}",
        "brotli": lambda row: f"{row['brotli_bytes']:,}",
    },
}
