"""The door of the torch module. It does not need torch to be looked at."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from pocketlens.base.errors import MissingExtraError

if TYPE_CHECKING:
    from pocketlens.graph.graph import Network
    from pocketlens.torchnet.module import NetworkModule


def has_torch() -> bool:
    """Whether torch is installed."""
    return find_spec("torch") is not None


def build_module(network: Network) -> NetworkModule:
    """The network as a torch.nn.Module; its tensors are parameters, without gradients at first.

    Raises MissingExtraError without torch, ModelError where the graph does not hold together.
    """
    ask_for_torch("Back-propagation")
    from pocketlens.torchnet.module import NetworkModule

    return NetworkModule(network)


def ask_for_torch(what: str) -> None:
    """Raise MissingExtraError, saying that `what` needs torch, where it is not installed."""
    if not has_torch():
        raise MissingExtraError(what, "torch")
