"""Tensors that are treated otherwise than the rest: by name or glob, from a TOML file.

    "fc6.weight" = 4                                  # palettes of 2^4 values
    "features.*" = { palette_size = 12, group_rows = 16 }
    "head.*"     = "half"
    "first"      = "float"

Of several lines that name a tensor the last one counts. A glob that asks for palettes means the
weights among the tensors that it names; biases stay as they would be.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pocketlens.base.errors import UsageError
from pocketlens.base.files import cannot_read

_FATE_BITS = {"half": 16, "float": 32}
_KEYS = {"bits", "palette_size", "group_rows"}


@dataclass(frozen=True)
class Override:
    """What is asked for the tensors of a name.

    pattern       a tensor's name, or a glob: "*", "conv?.weight"
    bits          as Settings.bits; None: as the rest
    palette_size  as Settings.palette_size
    group_rows    as Settings.group_rows; None: as the rest
    """

    pattern: str
    bits: int | None = None
    palette_size: int | None = None
    group_rows: int | None = None

    def names(self, tensor: str) -> bool:
        """Whether it means this tensor."""
        return tensor == self.pattern or fnmatchcase(tensor, self.pattern)

    @property
    def is_plain(self) -> bool:
        """Whether it asks for half precision or float, which any tensor can have."""
        return self.bits in _FATE_BITS.values() and self.palette_size is None


def chosen_override(
    overrides: Sequence[Override], tensor: str, *, is_weight: bool
) -> Override | None:
    """The last override that means this tensor, if any."""
    fitting = [o for o in overrides if (is_weight or o.is_plain) and o.names(tensor)]
    return fitting[-1] if fitting else None


def check_overrides(
    overrides: Sequence[Override], *, tensors: Collection[str], weights: Collection[str]
) -> None:
    """Every override must mean a tensor that can be so. Raises UsageError 'unknown-tensor' or
    'not-a-weight'.
    """
    for override in overrides:
        named = [name for name in tensors if override.names(name)]
        if not named:
            close = difflib.get_close_matches(override.pattern, tensors, n=3, cutoff=0.3)
            hint = f" Near to it: {', '.join(close)}." if close else ""
            raise UsageError(
                f"'{override.pattern}' names none of the network's {len(tensors)} tensors.{hint} "
                "`pocketlens inspect` lists them.",
                slug="unknown-tensor",
            )
        if not override.is_plain and not any(name in weights for name in named):
            raise UsageError(
                f"Palettes were asked for '{override.pattern}', which names only biases or "
                "constants; only weights of convolutions and full connect layers become "
                'palette indices. Ask for "half" or "float".',
                slug="not-a-weight",
            )


def read_overrides(path: Path) -> tuple[Override, ...]:
    """Read a TOML file keyed by tensor names or globs, in its order.

    A value is bits (1 to 8, 16, 32), "half", "float", or a table of `bits` or `palette_size`
    and `group_rows`. A name with dots is meant as one name, quoted or not.
    Raises FileError, UsageError 'bad-recipe-file'.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise _bad(path, f"it is not TOML ({error})") from error
    overrides = tuple(_override(name, value, path) for name, value in _flat(document))
    if not overrides:
        raise _bad(path, "it names no tensor")
    return overrides


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """TOML reads an unquoted a.b = 4 as a table in a table; here it is the tensor 'a.b'."""
    for key, value in table.items():
        if isinstance(value, dict) and not (value.keys() <= _KEYS and value):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _override(name: str, value: Any, path: Path) -> Override:
    if isinstance(value, str) and value in _FATE_BITS:
        return Override(name, _FATE_BITS[value])
    if _is_number(value):
        return Override(name, value)
    if isinstance(value, dict) and all(_is_number(number) for number in value.values()):
        return Override(name, **value)
    raise _bad(
        path,
        f'\'{name}\' is {value!r}; expected bits (1 to 8, 16, 32), "half", "float" or a table '
        "of bits, palette_size and group_rows",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bad(path: Path, what: str) -> UsageError:
    return UsageError(f"The recipe file '{path}' cannot be used: {what}.", slug="bad-recipe-file")
