"""PyTorch, timed (see serving.py). FILE is TorchScript, with one of ten pictures beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import serve

SIDES = 2
"""Lengths of a picture after its channels."""


class Script:
    """A frozen script, with what oneDNN makes of it."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        import torch

        torch.set_num_threads(options["threads"])
        self.version = f"torch {torch.__version__}"
        self._path = path
        self._first = self._open(path)

    def _open(self, path: Path) -> Any:
        import torch

        script = torch.jit.load(str(path))
        return torch.jit.optimize_for_inference(script)

    def runner(self, pictures: bytes, batch: int) -> Callable[[], Any]:
        """See serving.Runtime."""
        import torch

        many = self._path.with_name(f"{self._path.stem}-{batch}.pt")
        script = self._first if batch == 1 else self._open(many)
        values = torch.frombuffer(bytearray(pictures), dtype=torch.float32)
        side = round((values.numel() / batch / 3) ** (1 / SIDES))
        values = values.reshape(batch, 3, side, side)

        def run() -> Any:
            with torch.inference_mode():
                return script(values).numpy()

        return run


if __name__ == "__main__":
    serve(Script)
