"""The ImageNet networks that ccv published from 2014 to 2015, layer by layer.

All take a patch of 225 x 225 pixels, which ccv cuts from a picture of 257 x 257. Klaus carried
`matt-mobile` on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pocketlens.networks.layers import (
    AveragePool,
    Convolution,
    FullConnect,
    Layer,
    MaxPool,
    Norm,
)

PATCH = 225
"""Height and width of the input, pixels."""
PICTURE = 257
"""Height and width of the picture that patches are cut from, pixels."""


def _answers(hidden: int, *, bias: float) -> tuple[Layer, ...]:
    """Two hidden full connects, then the scores."""
    return (FullConnect(hidden, bias=bias), FullConnect(hidden, bias=bias), FullConnect(relu=False))


def _filters(count: int, times: int) -> tuple[Layer, ...]:
    """Convolutions of 3 x 3 that keep the picture's size, then a pool that halves it."""
    return (*(Convolution(count, 3),) * times, MaxPool())


def _thin(count: int, *, groups: int, bias: float = 1.0) -> Convolution:
    return Convolution(count, 3, groups=groups, bias=bias)


def _two_normalised(first: Convolution, second: Convolution) -> tuple[Layer, ...]:
    """The first layers of all networks with norms: convolution, norm in two halves, pool; twice."""
    return (first, Norm(2), MaxPool(), second, Norm(2), MaxPool())


_MATT = (
    *_two_normalised(Convolution(96, 7, 2), Convolution(256, 5, 2, groups=2, bias=1.0)),
    _thin(384, groups=1, bias=0.0),
    _thin(384, groups=2),
    _thin(256, groups=2),
    MaxPool(),
)
_MATT_B = (
    *_two_normalised(Convolution(128, 7, 2), Convolution(384, 5, 2, groups=2, bias=1.0)),
    _thin(512, groups=1, bias=0.0),
    _thin(512, groups=2),
    _thin(512, groups=2),
    _thin(512, groups=1),
    _thin(512, groups=2),
    MaxPool(),
    AveragePool(),
)
_MATT_C = (
    *_two_normalised(Convolution(128, 7, 2), Convolution(384, 3, 1, groups=2, bias=1.0)),
    _thin(512, groups=1, bias=0.0),
    _thin(512, groups=2),
    _thin(512, groups=2),
    MaxPool(),
    _thin(512, groups=1),
    _thin(512, groups=2),
    MaxPool(),
    AveragePool(),
)
_MATT_C_FIRST = (
    *_two_normalised(Convolution(96, 7, 2), Convolution(256, 5, 2, groups=2, bias=1.0)),
    _thin(384, groups=1, bias=0.0),
    _thin(384, groups=2),
    _thin(384, groups=2),
    _thin(384, groups=1),
    _thin(384, groups=2),
    MaxPool(),
    AveragePool(),
)
_ALEX = (
    *_two_normalised(Convolution(96, 11, 4), Convolution(256, 5, 1, 2, groups=2, bias=1.0)),
    _thin(384, groups=1, bias=0.0),
    _thin(384, groups=2),
    _thin(256, groups=2),
    MaxPool(),
)
_VGG_A = (
    Convolution(64, 3, border=0),
    MaxPool(),
    *_filters(128, 1),
    *_filters(256, 2),
    *_filters(512, 2),
    *_filters(512, 2),
)
_VGG_D = (
    Convolution(64, 3, border=0),
    *_filters(64, 1),
    *_filters(128, 2),
    *_filters(256, 3),
    *_filters(512, 3),
    *_filters(512, 3),
)

PUBLISHED: Mapping[str, tuple[Layer, ...]] = MappingProxyType(
    {
        "matt": (*_MATT, *_answers(4096, bias=1.0)),
        "matt-mobile": (*_MATT, *_answers(2048, bias=1.0)),
        "matt-b": (*_MATT_B, *_answers(2048, bias=1.0)),
        "matt-c": (*_MATT_C, *_answers(2048, bias=1.0)),
        "matt-c-first": (*_MATT_C_FIRST, *_answers(2048, bias=1.0)),
        "alex": (*_ALEX, *_answers(4096, bias=1.0)),
        "vgg-a": (*_VGG_A, *_answers(4096, bias=0.0)),
        "vgg-d": (*_VGG_D, *_answers(4096, bias=0.0)),
    }
)
"""Networks by name. "matt" is the default of 2014 ("matt_params", later "matt_a"); "matt-mobile" is
Klaus's; "matt-c-first" is the matt-c of one commit in January 2015."""
