"""What stands in the docs beside peers: what is compared, and with what words."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import compression_page

    yield compression_page
    for name in ("compression_page", "compression_figures"):
        sys.modules.pop(name, None)


@pytest.fixture
def drawing():
    spec = importlib.util.spec_from_file_location("drawing", ROOT / "tools/draw_compression.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["drawing"] = module  # where its dataclass is looked up
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "benchmarks"))
    for name in ("drawing", "compression_page", "compression_figures"):
        sys.modules.pop(name, None)


def row(peer, size, kl, right, point):
    """A row of eight photos; `right` are their bits, of which the float network has all."""
    count = right.bit_count()
    return {
        "model": "net", "part": "report", "peer": peer, "point": point, "bytes": size, "kl": kl,
        "right": f"{right:02x}", "n": 8, "top1_right": count, "agree": count, "lost": 8 - count,
        "won": 0, "seconds": 1.0, "machine": "box", "commit": "abc",
    }  # fmt: skip


ROWS = [
    row("float", 4000, 0.0, 0xFF, {}),
    row("pocketlens", 400, 0.01, 0xFF, {"max_size": 400}),
    row("pocketlens", 200, 0.1, 0x7F, {"max_size": 200}),
    row("nnc", 500, 0.01, 0xFE, {"qp": -38}),
    row("nnc", 450, 0.02, 0xFF, {"qp": -34}),
    row("nnc", 300, 0.001, 0xFF, {"qp": -46}),
    row("onnxruntime int8", 1000, 0.05, 0x3F, {"calibration": "minmax"}),
]


@pytest.fixture
def ledger(tmp_path):
    def write(rows):
        path = tmp_path / "ledger.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


def test_what_was_asked_for_is_judged_by_the_worst_file(page, ledger):
    _, lines, _ = page.page("asked", ledger(ROWS))
    found = {line[1]: line[2:] for line in lines if "chance" not in line[2]}
    asked, least, where, held, word = found["nnc"]
    assert (asked, held, word) == ("20% at the same KL", "1 of 2", "in part")
    # 400 (200 / 400) ** (log 2 / log 10) = 324.6 of 450 bytes; 400 of 500 is 20%.
    assert (least, where) == ("20%", "qp -38, 500 B")
    assert found["onnxruntime int8"] == (
        "25% at the same top-1", "80%", "minmax, 1,000 B", "1 of 1", "yes"
    )  # fmt: skip


def test_files_that_nothing_can_be_compared_with_are_told(page, ledger):
    _, lines, notes = page.page("smaller", ledger(ROWS))
    assert next(line for line in lines if line[1] == "nnc")[2:4] == ("20 / 24 / 28", "2 of 3")
    assert notes == ["- nnc on net: none of ours is so close: qp -46 (300 B, KL 0.001)."]


def test_a_peer_that_never_comes_so_close_has_a_dash_and_a_word(page, ledger):
    titles, lines, notes = page.page("short", ledger(ROWS))
    assert titles[1:] == ("pocketlens", "nnc", "onnxruntime int8")
    assert lines[0][0] == "net" and lines[0][3] == "–"
    assert notes == ["- net: never so close: onnxruntime int8 (0.05 at its best)."]


def test_equal_bytes_have_the_least_in_bold(page, ledger):
    _, lines, _ = page.page("equal:net", ledger(ROWS))
    cells = {line[0]: line[1:] for line in lines}
    assert cells["pocketlens"] == ("–", "400", "325", "**254**", "**200**")
    assert cells["nnc"] == ("**300**", "**300**", "**300**", "300", "300")  # nothing is smaller
    assert cells["onnxruntime int8"] == ("–", "–", "–", "–", "1,000")


def test_a_row_without_a_result_says_why(page, ledger):
    failed = {k: ROWS[3][k] for k in ("model", "part", "peer", "machine", "commit")}
    failed |= {"point": {"qp": -30}, "note": "given up after 480 s"}
    _, lines, notes = page.page("rows:net", ledger([*ROWS, failed]))
    assert lines[-1][:3] == ("onnxruntime int8", "minmax", "1,000")
    assert ("nnc", "qp -30", "given up after 480 s") in [line[:3] for line in lines]
    assert notes[0].startswith("8 photos of the report part.")


def test_a_row_says_how_many_points_more_are_missed(page, ledger):
    _, lines, _ = page.page("rows:net", ledger(ROWS))
    cells = next(line for line in lines if line[2] == "200")
    assert cells[6] == "1, 0" and cells[7].startswith("+12.50 (")


def test_only_a_paired_interval_above_nothing_calls_a_file_worse(page):
    from compression_figures import is_worse

    good = {"right": "f" * 16, "n": 64}
    assert not is_worse(good, good)
    assert not is_worse({"right": "f" * 15 + "e", "n": 64}, good)
    assert is_worse({"right": "0" * 4 + "f" * 12, "n": 64}, good)
    assert not is_worse(good, {"right": "0" * 4 + "f" * 12, "n": 64})


def test_a_table_that_there_is_not_is_a_key_error(page, ledger):
    for name in ("nonsense", "rows:nonsense", "equal:"):
        with pytest.raises(KeyError):
            page.page(name, ledger(ROWS))


def test_pictures_are_up_to_date(drawing):
    stale = [path.name for path, svg in drawing.pictures() if not drawing.same(path, svg)]
    assert stale == [], "run `make docs`"


def test_a_picture_has_a_curve_for_every_peer(drawing):
    svg = drawing.picture("net", drawing.series_of(ROWS, "net"))
    assert svg.count("<polyline") == 2  # ours and nnc; int8 has points alone
    assert svg.count("<circle") == 3 + 2 + 3 + 1  # of the legend, and one a point
    assert all(f">{peer}<" in svg for peer in ("pocketlens", "nnc", "onnxruntime int8"))
