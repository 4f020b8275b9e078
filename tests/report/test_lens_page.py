"""The page about a lens holds everything that is in it, and stands alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cli.conftest import Run
from pocketlens.cli.main import COMMANDS
from pocketlens.lensfile.reader import read_lens
from small_models import write_small_classifier
from sweep.conftest import write_photos

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What a page says: its words, ids, links and sources; tags must close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name == "src":
                self.sources.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(path: str | Path) -> Page:
    text = Path(path).read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "<script" not in text
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", text)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)
    assert all(source.startswith("data:image/") for source in page.sources)
    return page


def test_the_page_holds_every_tensor_with_its_fate_and_reason(run: Run, lens: Path) -> None:
    run("report", lens, "-o", "page.html")
    page = page_of("page.html")
    contents = read_lens(lens)
    for number, record in enumerate(contents.tensors):
        assert record.name in page.text
        assert record.reason in page.text
        assert f"tensor-{number}" in page.ids
    assert len(page.sources) == sum(record.plane is not None for record in contents.tensors)
    assert contents.provenance.source_sha256 in page.text
    assert "not measured" in page.text


def test_numbers_link_to_the_receipt(run: Run, lens: Path) -> None:
    photos = write_photos(Path("photos.npz"))
    run("eval", lens, photos, "--against", lens)
    run("report", lens, "-o", "page.html")
    page = page_of("page.html")
    (receipt,) = read_lens(lens).receipts
    assert "receipt-1" in page.ids
    assert page.links.count("#receipt-1") == 3
    assert f"{receipt.top1_missing:.2f} %" in page.text
    assert receipt.dataset_sha256[:16] in page.text


@pytest.mark.parametrize("bits", [1, 2, 8, 16, 32])
def test_every_width_has_a_page(run: Run, model: Path, bits: int) -> None:
    run("compress", model, "-o", "x.lens", "--bits", bits, "--no-crush", "--preset", "cifar-raw")
    run("report", "x.lens")
    assert ("No tensor of this lens has a palette" in page_of("x.html").text) == (bits > 8)


def test_groups_and_overrides_are_told(run: Run, model: Path) -> None:
    Path("bits.toml").write_text('w2 = "half"\nw1 = 3\n', encoding="utf-8")
    run("compress", model, "-o", "x.lens", "--bits", 2, "--group-rows", 4, "--recipe-file",
        "bits.toml", "--no-crush", "--preset", "cifar-raw")  # fmt: skip
    run("report", "x.lens")
    text = page_of("x.html").text
    assert "values for each 4 outputs" in text
    assert "w2: 16" in text
    assert "asked for 'w1'" in text


def test_the_curve_and_the_table_come_from_the_ledger(run: Run, model: Path) -> None:
    photos = write_photos(Path("photos.npz"))
    run("sweep", model, "--data", photos, "-o", "sizes", "--preset", "cifar-raw", "--no-crush",
        "--jobs", 1, "--repeats", 1)  # fmt: skip
    run("report", "sizes/4-bits.lens", "--sweep", "sizes", "-o", "page.html")
    page = page_of("page.html")
    rows = [name for name in page.ids if name.startswith("row-")]
    assert len(rows) == 8
    assert all(f"#{row}" in page.links for row in rows)
    assert page.text.count("(this lens)") == 1
    for name in ("32 bits", "mix 8/4 of 2014", "2 bits"):
        assert name in page.text
    assert Path("page.html").read_text(encoding="utf-8").count("<svg") >= 4


def test_a_sweep_of_another_model_is_refused(run: Run, lens: Path, tmp_path: Path) -> None:
    other = write_small_classifier(tmp_path / "other.onnx", seed=1)
    photos = write_photos(Path("photos.npz"))
    run("sweep", other, "--data", photos, "-o", "sizes", "--preset", "cifar-raw", "--only",
        "--jobs", 1, "--repeats", 1)  # fmt: skip
    assert "[sweep-of-another-model]" in run("report", lens, "--sweep", "sizes", code=2).stderr
    assert "[no-such-file]" in run("report", lens, "--sweep", "nowhere", code=2).stderr
    assert not lens.with_suffix(".html").exists()


def test_names_are_escaped(run: Run, model: Path) -> None:
    run("compress", model, "-o", "x.lens", "--name", "<b>&'\"", "--no-crush", "--licence",
        "<script>alert(1)</script>", "--preset", "cifar-raw")  # fmt: skip
    run("report", "x.lens")
    assert "<b>&'\"" in page_of("x.html").text


def test_the_commands_stand_in_the_order_of_need() -> None:
    order = ["compress", "classify", "eval", "inspect", "sweep", "report", "demo"]
    assert [name for name in COMMANDS if name in order] == order
