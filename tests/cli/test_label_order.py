"""Labels by WordNet id and paths from a tree of synsets, from the command line and from Python."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import pocketlens
from cli.conftest import Run
from exporters.ccv_networks import Chain, lens_of
from pocketlens.base.errors import DataError
from pocketlens.exporters.ccv.writer import write_ccv
from pocketlens.labels.labels import Label, numbered
from pocketlens.lensfile.reader import read_lens

WNIDS = [f"n{number:08d}" for number in random.Random(0).sample(range(10**8), 10)]
TREE = f"""<synset wnid="fall11" words="all"><synset wnid="n1" words="animal, beast">
{"".join(f'<synset wnid="{wnid}" words="words of {wnid}"/>' for wnid in WNIDS)}</synset></synset>"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """net.wnid, sorted.txt with ids and names, tree.xml; the command runs among them."""
    lines = "".join(f"{wnid}\n" for wnid in WNIDS)
    (tmp_path / "net.wnid").write_text(lines, "utf-8")
    by_id = "".join(f"{wnid}\tthing {WNIDS.index(wnid)}\n" for wnid in sorted(WNIDS))
    (tmp_path / "sorted.txt").write_text(by_id, "utf-8")
    (tmp_path / "tree.xml").write_text(TREE, "utf-8")
    return tmp_path


@pytest.mark.usefixtures("files")
def test_labels_in_any_order(run: Run, model: Path) -> None:
    output = run("compress", model, "-o", "a.lens", "--no-crush", "--wnids", "net.wnid", "--labels",
                 "sorted.txt", "--synsets", "tree.xml").output  # fmt: skip
    assert "10 of 10 classes have a path" in output
    expected = [Label(f"thing {n}", wnid, ("animal, beast",)) for n, wnid in enumerate(WNIDS)]
    assert list(read_lens(Path("a.lens")).labels) == expected


@pytest.mark.usefixtures("files")
def test_names_from_the_tree(run: Run, model: Path) -> None:
    run("compress", model, "-o", "a.lens", "--no-crush", "--wnids", "net.wnid", "--synsets",
        "tree.xml")  # fmt: skip
    first = read_lens(Path("a.lens")).labels[0]
    assert first == Label(f"words of {WNIDS[0]}", WNIDS[0], ("animal, beast",))


@pytest.mark.usefixtures("files")
def test_a_tree_without_ids_is_no_help(run: Run, model: Path) -> None:
    output = run("compress", model, "--synsets", "tree.xml", "--labels", "net.wnid").output
    assert "times smaller" in output
    output = run("compress", model, "--synsets", "tree.xml", code=2).output
    assert "synsets-unknown" in output and "--wnids" in output


def test_from_python(files: Path, model: Path) -> None:
    names = [f"thing {n}" for n in range(10)]
    for wnids in (WNIDS, files / "net.wnid"):
        lens = pocketlens.compress(model, files / "a.lens", crush=None, labels=names, wnids=wnids,
                                   synsets=files / "tree.xml")  # fmt: skip
        assert lens.labels[3] == Label("thing 3", WNIDS[3], ("animal, beast",))
        lens.close()
    with pytest.raises(DataError, match="wnids-not-understood"):
        pocketlens.compress(model, files / "a.lens", wnids=[WNIDS[0]] * 10)


def test_the_sorted_order_is_not_taken_for_ccv_s(run: Run, tmp_path: Path) -> None:
    chain = Chain(side=9).conv("conv", 4).pool("pool").flat().full("scores", 1000)
    write_ccv(lens_of(chain.network()), tmp_path, name="net")
    wnids = [f"n{number:08d}" for number in range(3000, 1000, -2)]
    Path("order.wnid").write_text("\n".join(wnids), "utf-8")
    Path("sorted.txt").write_text("\n".join(f"{w}\tthing {w}" for w in sorted(wnids)), "utf-8")
    arguments = ("compress", "net.sqlite3", "--no-crush", "--labels", "sorted.txt")
    output = run(*arguments, code=2).output
    assert "labels-order" in output and "kit fox" in output and "--wnids" in output
    assert not Path("net.lens").exists()
    run(*arguments, "--wnids", "order.wnid")
    labels = read_lens(Path("net.lens")).labels
    assert labels[0] == Label(f"thing {wnids[0]}", wnids[0])
    run("compress", "net.sqlite3", "--no-crush")
    assert read_lens(Path("net.lens")).labels == numbered(1000)
    Path("order.wnid").rename("net.wnid")
    run(*arguments)
    assert read_lens(Path("net.lens")).labels == labels
