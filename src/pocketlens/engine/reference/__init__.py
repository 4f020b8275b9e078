"""The reference engine: what every operator means, in NumPy. The core is held to it."""

from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.engine.reference.operators import run_operator
from pocketlens.engine.reference.tensors import tensor_values

__all__ = ["ReferenceEngine", "run_operator", "tensor_values"]
