"""The command `pocketlens`: its commands, and how a mistake is told.

Exit codes: 0 all was done; 1 some of it could not be done (the rest was); 2 nothing was done
because of a mistake in the call or a damaged file.
"""

from __future__ import annotations

import gc
import importlib
import sys
from typing import Any

import click

from pocketlens._version import __version__
from pocketlens.base.errors import PocketlensError

COMMANDS = {
    "compress": "Make a lens from a trained model.",
    "classify": "Name what is on photos.",
    "eval": "Measure a lens's missing rates on labelled photos.",
    "convert": "Write a lens as files of another program: ccv's.",
    "inspect": "Show what is in a lens, tensor by tensor.",
    "sweep": "Measure a model at many sizes in one table.",
    "report": "Write a page about a lens.",
    "app": "Make a page of a lens: a phone's camera that names things, offline.",
    "serve": "Serve that page from this machine.",
    "demo": "Classify real photos with the bundled lens and write a page about it.",
}
"""Name and one line; each lives in cli/<name>_command.py as `command`. Loaded when it is asked
for, so that `pocketlens classify` does not pay for what `compress` imports."""


class LazyCommands(click.Group):
    """A group that imports a command's file only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's file now."""
        if cmd_name not in COMMANDS:
            return None
        gc.disable()  # what is imported stays: to look for garbage in it takes a tenth of the time
        try:
            module = importlib.import_module(f"pocketlens.cli.{cmd_name}_command")
        finally:
            gc.enable()
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and tell a mistake as a sentence rather than a traceback."""
        try:
            return super().invoke(ctx)
        except PocketlensError as error:
            click.echo(f"pocketlens: {error}", err=True)
            sys.exit(2)


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="pocketlens")
def main() -> None:
    """Make a trained image classifier fit in a pocket.

    \b
    pocketlens compress model.onnx -o model.lens --bits 4
    pocketlens classify model.lens photo.jpg
    pocketlens eval model.lens photos/
    """


if __name__ == "__main__":
    main()
