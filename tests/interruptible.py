"""A process that Ctrl-C can end, whatever its parent does with the signal.

A shell starts what it puts in the background with SIGINT ignored, and children inherit that.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a command that has SIGINT's default action; options are those of Popen."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)
