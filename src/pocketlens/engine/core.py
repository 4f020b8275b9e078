"""The core engine: a lens becomes a plan, its planes are fed band by band, then it runs.

NumPy is imported only by CoreEngine.run, which is about arrays; the way of a photo to its scores
(CoreEngine.scores) goes without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pocketlens.base.errors import EngineError, UsageError
from pocketlens.base.knobs import PRECISION, TARGET
from pocketlens.engine import _core
from pocketlens.engine.constants import plain_constants
from pocketlens.engine.plan import Plan, build_plan
from pocketlens.engine.refusals import refusal
from pocketlens.lensfile.contents import LensContents
from pocketlens.planes.scanlines import inflate_rows, scanline_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


PRECISIONS: Final = ("fp32", "bf16")
"""How numbers are multiplied: in float32; or with both rounded to bfloat16 (8 significant bits),
and summed in float32, in every conv2d that is not depthwise and every linear of many rows."""


def targets(precision: str = "fp32") -> tuple[str, ...]:
    """Instruction sets that this build holds and this machine can run, best first.

    precision  those that compute in it; for "bf16" there may be none
    """
    return tuple(_core.targets(precision == "bf16"))


class CoreEngine:
    """Runs a lens in the C++ core, from palette indices.

    Threads may share it: they wait for each other. One may close it while another runs, which then
    ends as it would have; what comes later is refused.
    """

    def __init__(
        self,
        contents: LensContents,
        *,
        threads: int = 1,
        target: str | None = None,
        precision: str | None = None,
        beside: CoreEngine | None = None,
    ) -> None:
        """Build the plan, judge it, pack the weights.

        threads    of the core, 1 to 256; results are the same for any number
        target     instruction set; None: the knob POCKETLENS_TARGET, else the best one
        precision  one of PRECISIONS; None: the knob POCKETLENS_PRECISION, else "fp32"
        beside     an engine of the same tensors whose packed weights this one shares, and whose
                   target and precision it has: another graph costs its activations only. It may
                   be closed first
        Every pixel of every plane is judged here, whether somebody did before or not.
        Raises EngineError 'target-missing', 'precision-missing' (there is no fallback), 'plan-...'
        where the graph cannot run, 'plane-...' where a plane does not fit its tensor;
        LensFileError 'plane-damaged' where a PNG is; UsageError 'bad-precision'.
        """
        self.graph = contents.graph
        plan = build_plan(plain_constants(contents))
        shared = None if beside is None else beside._open_core()
        bf16 = _known(precision or PRECISION.read() or PRECISIONS[0]) == "bf16"
        self._core: _core.Core | None = _open(
            plan, target or TARGET.read(), threads, bf16=bf16, beside=shared
        )
        self._target = self._core.target
        self._precision = PRECISIONS[self._core.bf16]
        if shared is None:
            feed_planes(self._core, plan)
        self._plan = replace(plan, data=b"", planes=())  # its names are for refusals

    @property
    def target(self) -> str:
        """The instruction set that runs: "avx512", "avx2", "sse2", "neon" or "scalar"."""
        return self._target

    @property
    def precision(self) -> str:
        """How it multiplies: "fp32" or "bf16"."""
        return self._precision

    def memory(self) -> dict[str, int]:
        """Engine memory in bytes.

        weights  packed indices, palettes and constants as the engine holds them
        shared   of these, what is there once for all engines opened beside each other
        packed   what the same weights take at their bit width, without any padding
        arena    activations
        scratch  decoded panels and the like, all threads together
        """
        return self._open_core().memory()

    def scores(self, inputs: bytes, batch: int) -> bytes:
        """Raw outputs for `batch` images in one buffer: float32, native byte order.

        inputs   batch x the input's shape, float32
        returns  batch x the output's shape
        Raises EngineError 'wrong-input' where the buffer does not fit or the graph has more than
        one input or output.
        """
        if len(self.graph.inputs) != 1 or len(self.graph.outputs) != 1:
            raise _wrong_input(
                f"The network has {len(self.graph.inputs)} inputs and "
                f"{len(self.graph.outputs)} outputs; scores() is for one of each. Use run()."
            )
        core = self._open_core()
        expected = core.input_floats[0] * 4
        if batch < 1 or len(inputs) != expected * batch:
            raise _wrong_input(
                f"{len(inputs):,} bytes were handed in for {batch} images; an image of shape "
                f"{self.graph.shapes[self.graph.inputs[0]]} takes {expected:,} bytes."
            )
        return bytes(self._run([inputs], batch)[0])

    def run(
        self, inputs: Mapping[str, NDArray[Any]] | Sequence[NDArray[Any]]
    ) -> list[NDArray[np.float32]]:
        """Run the graph on one or more images.

        inputs   float32 arrays by name, or in the order of graph.inputs. Shapes are the graph's;
                 where the first axis of every input is 1 in the graph, it may be n: n images
        returns  float32 arrays in the order of graph.outputs; with n images, those of the images
                 one after the other along the first axis
        Raises EngineError 'bad-input'.
        """
        import numpy as np

        arrays = [np.asarray(x, np.float32, order="C") for x in self._in_order(inputs)]
        batch = self._images([x.shape for x in arrays])
        raw = self._run([x.data.cast("B") for x in arrays], batch)
        results = []
        for name, data in zip(self.graph.outputs, raw, strict=True):
            shape = self.graph.shapes[name]
            whole = shape if batch == 1 else (batch * shape[0], *shape[1:])
            results.append(np.frombuffer(data, np.float32).reshape(whole))
        return results

    def close(self) -> None:
        """Free the engine's memory. Closing twice is fine."""
        self._core = None

    def _open_core(self) -> _core.Core:
        if self._core is None:
            raise EngineError(
                "The engine was closed, and cannot run any more. Open the lens again.",
                slug="engine-closed",
            )
        return self._core

    def _run(self, inputs: Sequence[Any], batch: int) -> list[bytearray]:
        core = self._open_core()
        try:
            return core.run(inputs, batch)
        except _core.CoreError as error:
            raise refusal(error, self._plan) from error

    def _in_order(
        self, inputs: Mapping[str, NDArray[Any]] | Sequence[NDArray[Any]]
    ) -> list[NDArray[Any]]:
        names = self.graph.inputs
        if isinstance(inputs, Mapping):
            fits = set(inputs) == set(names)
        else:
            fits = len(inputs) == len(names)
        if not fits:
            raise EngineError(
                f"The inputs do not match the graph's, {', '.join(names)}; "
                "give each of them once, by name or in this order.",
                slug="bad-input",
            )
        return [inputs[name] for name in names] if isinstance(inputs, Mapping) else [*inputs]

    def _images(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """How many images were handed in: 1 where the shapes are exactly the graph's."""
        expected = [self.graph.shapes[name] for name in self.graph.inputs]
        if list(shapes) == expected:
            return 1
        counts = {shape[0] for shape in shapes if shape}
        whole = all(self.graph.shapes[name][:1] == (1,) for name in self.graph.outputs)
        for name, seen, wanted in zip(self.graph.inputs, shapes, expected, strict=True):
            many = whole and len(counts) == 1 and 0 not in counts and wanted[:1] == (1,)
            if not many or seen[1:] != wanted[1:]:
                raise EngineError(
                    f"Input '{name}' has shape {seen}; expected {wanted}, or, "
                    "where the first axis is 1, as many images as the other inputs.",
                    slug="bad-input",
                )
        return counts.pop()


def _known(precision: str) -> str:
    if precision not in PRECISIONS:
        raise UsageError(
            f"The precision '{precision}' was asked for; choose {' or '.join(PRECISIONS)}, or "
            f"unset {PRECISION.name}.",
            slug="bad-precision",
        )
    return precision


def _open(
    plan: Plan, target: str | None, threads: int, *, bf16: bool, beside: _core.Core | None
) -> _core.Core:
    if target is not None and target not in targets():
        raise EngineError(
            f"The instruction set '{target}' was asked for; this build and machine have "
            f"{', '.join(targets())}. Choose one of them, or unset {TARGET.name}.",
            slug="target-missing",
        )
    able = _core.targets(bf16)
    if beside is None and (not able or (target is not None and target not in able)):
        asked = f"the instruction set '{target}'" if able else "this build and machine"
        there = f" {', '.join(able)} can;" if able else ""
        raise EngineError(
            f"The precision 'bf16' was asked for, and {asked} cannot multiply so;{there} it needs "
            f"AVX-512 with BF16. Use precision='fp32', or unset {PRECISION.name}.",
            slug="precision-missing",
        )
    try:
        return _core.Core(plan.data, target, threads, bf16, beside)
    except _core.CoreError as error:
        raise refusal(error, plan) from error


def feed_planes(core: _core.Core, plan: Plan) -> None:
    """Inflate every plane and hand it in, one band at a time."""
    for number, plane in enumerate(plan.planes):
        row_bytes = scanline_bytes(plane.width, plane.index_bits)
        for band_number, band in enumerate(plane.bands):
            rows = inflate_rows(band.png, max_bytes=row_bytes * band.rows)
            try:
                core.feed(number, band_number, rows)
            except _core.CoreError as error:
                raise refusal(error, plan) from error


def _wrong_input(sentence: str) -> EngineError:
    return EngineError(sentence, slug="wrong-input")
