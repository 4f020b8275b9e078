"""Our core, timed (see serving.py). FILE is a lens; OPTIONS may name a precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import serve


class Opened:
    """A lens; pictures go in as bytes, so that NumPy stays out."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        from pocketlens.classify.lens import open_lens

        self._lens = open_lens(path, **options)
        self.version = self._lens.engine_name

    def runner(self, pictures: bytes, batch: int) -> Callable[[], Any]:
        """See serving.Runtime."""

        def run() -> Any:
            rows = self._lens.run(pictures, batch=batch)
            return rows[0] if batch == 1 else rows

        return run


if __name__ == "__main__":
    serve(Opened)
