"""The C++ core (core/bind/python/core_module.cc)."""

from collections.abc import Iterable, Sequence
from typing import Any

from typing_extensions import Buffer

class CoreError(RuntimeError):
    """A status of the core: args are (code, op, tensor, seen, expected), see core.h."""

    args: tuple[int, int, int, int, int]

class Core:
    """A lens in the core."""

    def __init__(
        self,
        plan: Buffer,
        target: str | None,
        threads: int,
        bf16: bool = False,
        beside: Core | None = None,
    ) -> None: ...
    def feed(self, plane: int, band: int, rows: bytearray) -> None:
        """Hand in a band of a plane as inflated PNG scanlines; `rows` is used up."""

    def run(self, inputs: Sequence[Any], batch: int) -> list[bytearray]:
        """Run `batch` images: C-contiguous float32 buffers in, float32 bytes out."""

    def memory(self) -> dict[str, int]:
        """Bytes: weights, packed, arena, scratch; shared: of the weights."""

    @property
    def ready(self) -> bool: ...
    @property
    def target(self) -> str: ...
    @property
    def bf16(self) -> bool: ...
    @property
    def input_floats(self) -> list[int]: ...
    @property
    def output_floats(self) -> list[int]: ...

def targets(bf16: bool = False) -> list[str]: ...
def prepare(
    strips: Iterable[Buffer],
    pixel_bytes: int,
    width: int,
    height: int,
    fields: Sequence[int],
    mean: Sequence[float],
    scale: Sequence[float],
    mean_picture: Buffer | None,
    crops: int,
) -> bytearray:
    """A photo's pixels to the inputs of `crops` views (pl_photo_begin in core.h).

    strips       whole rows of pixels, from the top; all of them together have `height`
    pixel_bytes  3 or 4
    fields       the first seven of pl_recipe
    """

def prepare_cut(
    strips: Iterable[Buffer],
    pixel_bytes: int,
    width: int,
    height: int,
    fields: Sequence[int],
    mean: Sequence[float],
    scale: Sequence[float],
    mean_picture: Buffer | None,
    step: int,
    mirrored: bool,
) -> tuple[bytearray, int, int]:
    """What a network of ccv's slides over, its height and width (pl_photo_begin_cut)."""
