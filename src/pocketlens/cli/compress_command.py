"""`pocketlens compress`: a trained model in, a lens out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pocketlens.base.errors import UsageError
from pocketlens.base.files import beside, keep_apart
from pocketlens.cli.console import print_json, progress_bar, size_text
from pocketlens.cli.inspect_command import tensor_rows
from pocketlens.cli.recipe_options import recipe_from, recipe_options
from pocketlens.cli.trial_log import drop_json, trial_json, trial_log
from pocketlens.cli.tuning_options import tuning_json, tuning_log, tuning_option, tuning_text
from pocketlens.compression.about import About
from pocketlens.compression.overrides import read_overrides
from pocketlens.compression.price import WORTH_BY, Price, asked_price
from pocketlens.compression.priced import Priced, compress_at_price
from pocketlens.compression.recipes import RecipeRequest
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress_imported
from pocketlens.images.recipe import describe
from pocketlens.importers.imported import Imported
from pocketlens.importers.reader import read_model
from pocketlens.labels.files import read_labels
from pocketlens.labels.order import read_wnids
from pocketlens.labels.synsets import read_synsets
from pocketlens.tuning.finish import asked_tuning


@click.command(name="compress")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path),
              help="Where the lens goes.  [default: MODEL with the ending .lens]")  # fmt: skip
@click.option("--bits", type=int, help="1 to 8: palettes of 2^bits values; 16: half precision; "
              "32: float.  [default: 8]")  # fmt: skip
@click.option("-k", "--palette-size", type=int, help="Values in a palette, 2 to 256.")
@click.option("--group-rows", type=int, help="Outputs that share a palette.  [default: all]")
@click.option("--recipe-file", type=click.Path(path_type=Path),
              help="TOML: bits, \"half\" or \"float\" by tensor name or glob.")  # fmt: skip
@click.option("--max-size", help="Spend bits where they buy most until the file is this large: "
              "2MB, 350kB.")  # fmt: skip
@click.option("--max-drop", type=float, help="The smallest file that loses no more points of "
              "top-1, at 95% confidence; without labels, percent of first answers.")  # fmt: skip
@click.option("--lagrangian", type=float, help="The same at a price of a bit, in nats a photo.")
@click.option("--photos", type=click.Path(path_type=Path), help="Photos for these three: a folder "
              "or an .npz, for --max-drop labelled if you can.")  # fmt: skip
@tuning_option
@click.option("--seed", default=0, show_default=True, help="Of what is drawn by chance.")
@click.option("--threads", default=1, show_default=True, help="Threads for the above.")
@click.option("--crush", type=click.IntRange(0, 6), default=4, show_default=True,
              help="Effort of the PNG optimiser.")  # fmt: skip
@click.option("--no-crush", is_flag=True, help="Leave the PNG optimiser out.")
@click.option("--plane", "planes", multiple=True, metavar="LAYER=FILE",
              help="PNG picture of a layer's weights, of a network of ccv's.  [default: "
              "layer-N*.png beside MODEL]")  # fmt: skip
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one a line.")
@click.option("--wnids", type=click.Path(path_type=Path), help="WordNet ids in the order of the "
              "network's classes, one a line: labels with ids may have any order.")  # fmt: skip
@click.option("--synsets", type=click.Path(path_type=Path), help="Tree of synsets as XML: labels "
              "with WordNet ids get their paths from it.")  # fmt: skip
@click.option("--name", help="Name of the lens.  [default: the model's]")
@click.option("--licence", help="Licence text or SPDX name to keep in the lens.")
@recipe_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, out: Path | None, **options: Any) -> None:
    """Make a lens from MODEL, an ONNX classifier or a network of ccv's.

    \b
    pocketlens compress model.onnx
    pocketlens compress model.onnx -o small.lens --bits 4 --labels names.txt
    pocketlens compress model.onnx --preset caffe --crop 227
    pocketlens compress model.onnx --recipe-file bits.toml
    pocketlens compress model.onnx --max-size 1.4MB --photos unlabelled/ --threads 2
    pocketlens compress model.onnx --max-drop 0.5 --photos labelled/
    pocketlens compress model.onnx --max-size 25kB --photos unlabelled/ --tune
    pocketlens compress klaus.sqlite3 --plane 10=layer-10-4bit.png
    pocketlens compress klaus.sqlite3 --wnids image-net-2012.wnid --labels names.txt
    """
    target = out or beside(model, ".lens")
    keep_apart(model, target)
    request = recipe_from(options)
    about = _about(request, options)
    price = _price(options)
    planes = read_planes(options["planes"])
    tuning = asked_tuning(options["tune"], price, tell=tuning_log(hidden=options["as_json"]))
    priced: Priced | None = None
    with progress_bar(hidden=options["as_json"]) as progress:
        settings = _settings(options)
        progress("reading the model", 0, 1)
        imported = read_model(model, planes=planes)
        progress("reading the model", 1, 1)
        if price is None:
            contents = compress_imported(
                imported, target, settings=settings, about=about, progress=progress
            )
        else:
            priced = compress_at_price(
                imported,
                target,
                price=price,
                crush=settings.crush,
                about=about,
                finish=tuning,
                tell=trial_log(hidden=options["as_json"]),
                progress=progress,
            )
            contents = priced.contents
    rows = tensor_rows(contents)
    before, after = model.stat().st_size + imported.beside_bytes, target.stat().st_size
    if options["as_json"]:
        print_json({"lens": str(target), "model_bytes": before, "lens_bytes": after,
                    **_priced_json(priced), **tuning_json(tuning), "tensors": rows})  # fmt: skip
        return
    if options["synsets"]:
        named = sum(bool(label.path) for label in contents.labels)
        click.echo(f"{named} of {len(contents.labels)} classes have a path in the tree.", err=True)
    _print_summary(target, before=before, after=after, rows=rows)
    if priced is not None:
        _print_priced(priced, max_drop=options["max_drop"])
    if tuning is not None and tuning.tuned is not None:
        Console().print(f"{tuning_text(tuning.tuned)}")
    Console().print(f"Photos: {describe(contents.recipe)}{_told_by(request, imported)}.")


def read_planes(words: Sequence[str]) -> dict[int, Path]:
    """Pictures by layer, of "10=layer-10.png". Raises UsageError 'bad-plane-option'."""
    planes: dict[int, Path] = {}
    for word in words:
        layer, equals, file = word.partition("=")
        if not (equals and file and re.fullmatch("[0-9]{1,6}", layer)) or int(layer) in planes:
            raise UsageError(
                f"--plane '{word}' is not understood. Expected a layer's number and its picture, "
                "each layer once: --plane 10=layer-10-4bit.png.",
                slug="bad-plane-option",
            )
        planes[int(layer)] = Path(file)
    return planes


def _told_by(request: RecipeRequest, imported: Imported) -> str:
    """Who said how photos become the input, where the user did not."""
    if not request.is_assumed:
        return ""
    if imported.recipe is not None:
        return " (as the model says)"
    return " (assumed: say --preset, or spell it out)"


def _about(request: RecipeRequest, options: dict[str, Any]) -> About:
    labels, wnids, synsets = (options[name] for name in ("labels", "wnids", "synsets"))
    return About(
        request,
        read_labels(labels) if labels else None,
        options["name"],
        options["licence"],
        read_wnids(wnids) if wnids else None,
        read_synsets(synsets) if synsets else None,
    )


def _settings(options: dict[str, Any]) -> Settings:
    return Settings(
        bits=8 if options["bits"] is None else options["bits"],
        palette_size=options["palette_size"],
        group_rows=options["group_rows"],
        crush=None if options["no_crush"] else options["crush"],
        overrides=read_overrides(options["recipe_file"]) if options["recipe_file"] else (),
    )


def _price(options: dict[str, Any]) -> Price | None:
    """What --max-size, --max-drop and --lagrangian ask for; None where none of them is there."""
    widths = ("bits", "palette_size", "group_rows", "recipe_file")
    return asked_price(
        size=options["max_size"],
        drop_points=options["max_drop"],
        lagrangian=options["lagrangian"],
        photos=options["photos"],
        seed=options["seed"],
        threads=options["threads"],
        widths=[f"--{name.replace('_', '-')}" for name in widths if options[name] is not None],
    )


def _priced_json(priced: Priced | None) -> dict[str, Any]:
    if priced is None:
        return {}
    unseen = None if priced.unseen is None else asdict(priced.unseen)
    verdict = priced.verdict
    return {
        "lagrangian": priced.lagrangian,
        "foreseen_nats": priced.chosen.foreseen_nats,
        "fit_photos": priced.photos,
        "unseen": unseen,
        "unseen_drop": None if verdict is None else drop_json(verdict.drop),
        "receipt": None if verdict is None or verdict.receipt is None else asdict(verdict.receipt),
        "trials": [trial_json(trial) for trial in priced.trials],
    }


def _print_priced(priced: Priced, *, max_drop: float | None) -> None:
    """What is known of the answers: on photos that nothing was fitted to or chosen by."""
    verdict, console = priced.verdict, Console()
    if verdict is None:
        console.print("Without --photos invented pictures stood in for them: clearly worse.")
        return
    unseen = verdict.divergence
    low, high = unseen.agreement_interval
    console.print(
        f"Fitted to {priced.photos} photos ({WORTH_BY}); on {unseen.photos} others "
        f"{unseen.agreement:.1f} % ({low:.1f} to {high:.1f}) of the first answers are those of "
        "the float network, "
        f"KL {unseen.kl:.4f} nats."
    )
    if max_drop is None or priced.chosen.drop is None:
        return
    console.print(f"Chosen at {priced.chosen.drop.in_words}.")
    kept = "within" if verdict.drop.bound <= max_drop else "not proved to be within"
    console.print(
        f"On photos that nothing was chosen by: {verdict.drop.in_words}, {kept} {max_drop:g} points"
        f"{'; the receipt is in the lens' if verdict.receipt else ''}."
    )


def _print_summary(target: Path, *, before: int, after: int, rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("fate", "tensors", "values", "in the file"):
        table.add_column(title, justify="left" if title == "fate" else "right")
    for fate in ("palette", "half", "float"):
        chosen = [row for row in rows if row["fate"] == fate]
        if chosen:
            table.add_row(
                fate,
                str(len(chosen)),
                f"{sum(row['values'] for row in chosen):,}",
                size_text(sum(row["bytes"] for row in chosen)),
            )
    console = Console()
    console.print(table)
    console.print(
        f"\n{target}: {size_text(after)}, {before / after:.1f} times smaller than the "
        f"model's {size_text(before)}."
    )
