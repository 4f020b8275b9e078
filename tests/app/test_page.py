"""The page as a visitor meets it, in a real browser with a phone's screen and a camera."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import INSECURE_HOST, PHONE, Site, encoded, photo
from importers.ccv_files import fixtures as ccv_files
from lens_samples import small_lens
from pocketlens._bundled import bundled
from pocketlens.app.page_files import FOR_DEVELOPERS, service_worker
from pocketlens.app.site import site_files
from pocketlens.classify.lens import Lens, open_lens
from pocketlens.compression.settings import FLOAT_BITS, Settings
from pocketlens.compression.story import pack
from pocketlens.images.decode import open_image
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.lensfile.reader import read_lens

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

Serve = Callable[[dict[str, bytes]], Site]


def opened(context: Any, site: Site) -> Any:
    """The page, once it names what the camera sees."""
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(site.address)
    page.wait_for_selector("body[data-mode=live] #answers li")
    return page


def in_trouble(context: Any, site: Site) -> Any:
    """The page, once it says what is wrong."""
    page = context.new_page()
    page.goto(site.address)
    page.wait_for_selector("#trouble:not([hidden])")
    return page


def answers(page: Any) -> list[tuple[str, str]]:
    items = page.locator("#answers li").all()
    return [(i.locator("span").inner_text(), i.locator("data").inner_text()) for i in items]


def still_answers(page: Any) -> list[tuple[str, str]]:
    expect(page.locator("#facts")).to_contain_text("10 crops ·")
    return answers(page)


def expected(image: Any, *, crops: int) -> list[tuple[str, str]]:
    with open_lens(bundled()) as lens:
        told = lens.classify(image, crops=crops)
    return [(answer.label.name, f"{100 * answer.confidence:.0f}%") for answer in told]


def file_of(content: bytes, name: str, kind: str = "image/png") -> dict[str, Any]:
    return {"name": name, "mimeType": kind, "buffer": content}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_can_be_looked_at(
    chromium: Any, serve: Serve, bundled_files: dict[str, bytes], pictures: Path, scheme: Any
) -> None:
    context = chromium.new_context(**PHONE, permissions=["camera"], color_scheme=scheme)
    page = opened(context, serve(bundled_files))
    page.screenshot(path=pictures / f"live-{scheme}.png")
    page.click("#shutter")
    still_answers(page)
    page.screenshot(path=pictures / f"still-{scheme}.png")
    page.click("#about-open")
    assert page.locator("#about-layers img").count() > 5
    first = page.locator("#about-layers img").first
    expect(first).to_have_js_property("complete", True)
    assert first.evaluate("image => image.naturalWidth") > 0
    page.screenshot(path=pictures / f"about-{scheme}.png")
    page.keyboard.press("Escape")
    turned = [encoded(photo().rotate(90 * i)) for i in range(4)]
    page.set_input_files("#files", [file_of(png, f"{i}.png") for i, png in enumerate(turned)])
    still_answers(page)
    page.screenshot(path=pictures / f"strip-{scheme}.png")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.screenshot(path=pictures / f"large-text-{scheme}.png")
    assert wide <= 390
    assert page.faults == []
    context.close()


def test_the_camera_is_named_live(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    page = opened(context, serve(bundled_files))
    assert len(answers(page)) == 5
    assert "1 crop ·" in page.inner_text("#facts")
    expect(page.locator("#said")).not_to_be_empty()
    assert page.title() == "tiny-imagenet-200"


def test_a_photo_by_ten_crops_is_what_python_says(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    page = opened(context, serve(bundled_files))
    page.set_input_files("#files", [file_of(encoded(photo()), "waves.png")])
    assert still_answers(page) == expected(photo(), crops=10)


def test_turned_and_transparent_photos_are_what_python_says(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    clear = photo().convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 320, 480))
    page = opened(context, serve(bundled_files))
    page.set_input_files("#files", [file_of(encoded(clear), "clear.png")])
    assert still_answers(page) == expected(clear, crops=10)
    exif = photo().getexif()
    exif[274] = 6
    turned = encoded(photo(), "JPEG", quality=100, subsampling=0, exif=exif)
    page.set_input_files("#files", [file_of(turned, "turned.jpg", "image/jpeg")])
    page.wait_for_selector("#still[width='480']")
    assert still_answers(page)[0][0] == expected(photo().rotate(-90, expand=True), crops=10)[0][0]


def test_many_photos_are_walked_through_newest_first(
    context: Any, serve: Serve, bundled_files: dict[str, bytes], tmp_path: Path
) -> None:
    page = opened(context, serve(bundled_files))
    turned = [photo().rotate(90 * age, expand=True) for age in range(3)]
    for age, image in enumerate(turned):
        path = tmp_path / f"{age}.png"
        path.write_bytes(encoded(image))
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    page.set_input_files("#files", [tmp_path / f"{age}.png" for age in (2, 0, 1)])
    assert still_answers(page) == expected(turned[0], crops=10)
    page.get_by_role("button", name="More").click()
    page.wait_for_selector("#still[aria-label='1.png']")
    assert still_answers(page) == expected(turned[1], crops=10)
    assert page.locator("#strip [aria-current=true]").count() == 1
    page.locator("#strip button").first.click()
    page.wait_for_selector("body[data-mode=live] #answers li")


def test_it_works_offline_after_the_first_visit(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    site = serve(bundled_files)
    page = opened(context, site)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    context.set_offline(True)
    site.asked.clear()
    page.reload()
    page.wait_for_selector("body[data-mode=live] #answers li")
    assert site.asked == []
    assert page.faults == []


def test_the_model_is_downloaded_once(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    site = serve(bundled_files)
    page = opened(context, site)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    planes = [path for path in site.asked if path.startswith("model/") and path.endswith(".png")]
    assert len(planes) == len(set(planes))


def test_a_newer_lens_is_offered_and_used(
    context: Any, serve: Serve, small_files: dict[str, bytes]
) -> None:
    site = serve(small_files)
    page = opened(context, site)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    newer = site_files(replace(small_lens(), name="the newer one"))
    dict.update(site.files, newer)
    page.reload()
    page.wait_for_selector("#update:not([hidden])")
    assert page.title() != "the newer one"
    page.click("#update-now")
    expect(page).to_have_title("the newer one")
    page.wait_for_selector("body[data-mode=live] #answers li")
    count = "caches.open('pocketlens').then(c => c.keys()).then(keys => keys.length)"
    assert page.evaluate(count) == len(newer) - 1 - len(FOR_DEVELOPERS)


def test_a_refused_camera_is_explained(
    chromium: Any, serve: Serve, bundled_files: dict[str, bytes], pictures: Path
) -> None:
    context = chromium.new_context(**PHONE)
    page = in_trouble(context, serve(bundled_files))
    assert "The camera was refused" in page.inner_text("#trouble")
    page.screenshot(path=pictures / "refused.png")
    page.set_input_files("#files", [file_of(encoded(photo()), "waves.png")])
    assert still_answers(page) == expected(photo(), crops=10)
    context.close()


def test_a_page_without_tls_is_explained(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    site = serve(bundled_files)
    site.address = site.address.replace("127.0.0.1", INSECURE_HOST)
    page = in_trouble(context, site)
    assert "opened without TLS" in page.inner_text("#trouble")


def test_a_page_without_a_camera_is_explained(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    context.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => "
        "{ throw new DOMException('none', 'NotFoundError'); };"
    )
    page = in_trouble(context, serve(bundled_files))
    assert "There is no camera here" in page.inner_text("#trouble")


def test_a_browser_without_simd_is_told_so(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    context.add_init_script("WebAssembly.validate = () => false;")
    page = context.new_page()
    page.route("**/worker.js", lambda route: route.fulfill(
        content_type="text/javascript",
        body="WebAssembly.validate = () => false;\n" + bundled_files["worker.js"].decode(),
    ))  # fmt: skip
    page.goto(serve(bundled_files).address)
    page.wait_for_selector("#trouble:not([hidden])")
    assert "no WebAssembly SIMD" in page.inner_text("#trouble")


def damaged(content: bytes) -> bytes:
    return content[:50] + bytes([content[50] ^ 1]) + content[51:]


@pytest.mark.parametrize("harm", [damaged, lambda content: content[:-7]], ids=["damaged", "short"])
def test_a_bad_download_is_tried_again_and_then_explained(
    context: Any, serve: Serve, bundled_files: dict[str, bytes], harm: Any
) -> None:
    plane = json.loads(bundled_files["model/lens.json"])["planes"][0][0]["file"]
    site = serve(bundled_files | {f"model/{plane}": harm(bundled_files[f"model/{plane}"])})
    page = in_trouble(context, site)
    assert f"{plane} could not be downloaded" in page.inner_text("#trouble")
    assert site.asked.count(f"model/{plane}") == 2
    dict.update(site.files, bundled_files)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("body[data-mode=live] #answers li")


def test_one_bad_download_costs_nothing(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    plane = json.loads(bundled_files["model/lens.json"])["planes"][0][0]["file"]
    page = context.new_page()
    once = [damaged(bundled_files[f"model/{plane}"])]

    def answer(route: Any) -> None:
        if once:
            route.fulfill(body=once.pop(), content_type="image/png")
        else:
            route.continue_()

    page.route(f"**/{plane}", answer)
    page.goto(serve(bundled_files).address)
    page.wait_for_selector("body[data-mode=live] #answers li")
    assert once == []


def test_what_is_no_picture_is_explained(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    page = opened(context, serve(bundled_files))
    page.set_input_files("#files", [file_of(b"not a picture", "photo.heic", "image/heic")])
    expect(page.locator("#facts")).to_contain_text("cannot decode")
    assert "image/heic" in page.inner_text("#facts")


CANCEL = """async (address) => {
  const { Lens } = await import(address + 'pocketlens.js');
  const lens = await Lens.load(address + 'model/lens.json');
  const canvas = document.createElement('canvas');
  canvas.getContext('2d');
  const first = new AbortController(), second = new AbortController();
  const slug = (error) => error.slug;
  const running = lens.classify(canvas, { crops: 10, signal: first.signal }).catch(slug);
  const waiting = lens.classify(canvas, { crops: 10, signal: second.signal }).catch(slug);
  const last = lens.classify(canvas, { top: 2 });
  second.abort();
  const told = [await waiting];
  first.abort();
  told.push(await running, (await last).answers.length);
  const closing = lens.classify(canvas).catch(slug);
  lens.close();
  told.push(await closing, await lens.classify(canvas).catch(slug));
  told.push(await lens.classify(canvas, { crops: 3 }).catch(slug));
  return told;
}"""


def test_requests_can_be_cancelled(
    context: Any, serve: Serve, bundled_files: dict[str, bytes]
) -> None:
    site = serve(bundled_files)
    page = context.new_page()
    page.goto(site.address + "style.css")
    told = page.evaluate(CANCEL, site.address)
    assert told == ["cancelled", "cancelled", 2, "closed", "closed", "crops"]


def test_the_example_answers(context: Any, serve: Serve, bundled_files: dict[str, bytes]) -> None:
    page = context.new_page()
    page.goto(serve(bundled_files).address + "example.html")
    expect(page.locator("#state")).to_have_text("tiny-imagenet-200 is ready.")
    page.set_input_files("#picture", [file_of(encoded(photo()), "waves.png")])
    expect(page.locator("#answers li")).to_have_count(3)
    told = [f"{name}, {share}" for name, share in expected(photo(), crops=10)[:3]]
    assert page.locator("#answers li").all_inner_texts() == told


def test_a_lens_of_another_format_is_refused(
    context: Any, serve: Serve, small_files: dict[str, bytes]
) -> None:
    info = json.loads(small_files["model/lens.json"]) | {"format": 2}
    files = dict(small_files) | {"model/lens.json": json.dumps(info).encode()}
    page = in_trouble(context, serve(files))
    assert "format 2; this page reads 1" in page.inner_text("#trouble")


def test_a_browser_that_computes_wrong_is_found_out(
    context: Any, serve: Serve, small_files: dict[str, bytes]
) -> None:
    info = json.loads(small_files["model/lens.json"])
    info["check"]["expected"][0][1] += 0.01
    files = dict(small_files) | {"model/lens.json": json.dumps(info).encode()}
    page = in_trouble(context, serve(files))
    assert "computes something else" in page.inner_text("#trouble")


def test_a_hidden_page_frees_its_memory(
    context: Any, serve: Serve, small_files: dict[str, bytes]
) -> None:
    page = opened(context, serve(small_files))
    assert len(page.workers) == 1
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    page.wait_for_timeout(200)
    assert page.workers == []
    assert page.evaluate("document.querySelector('#camera').srcObject") is None


ANSWERS = """async ([address, count, crops]) => {
  const { Lens } = await import(address + 'pocketlens.js');
  const lens = await Lens.load(address + 'model/lens.json');
  const told = [];
  for (let i = 0; i < count; ++i) {
    const blob = await (await fetch(`${address}${i}.png`)).blob();
    const { answers } = await lens.classify(blob, { top: 5, crops });
    told.push(answers.map(({ number, confidence }) => [number, confidence]));
  }
  return told;
}"""


def told_of(
    images: list[Any], context: Any, serve: Serve, files: dict[str, bytes], *, crops: int
) -> list[list[tuple[int, float]]]:
    """What a site's worker answers: the same pixels as here, PNGs of what Python decodes."""
    pixels = {f"{i}.png": encoded(image, compress_level=1) for i, image in enumerate(images)}
    site = serve(files | pixels)
    page = context.new_page()
    page.goto(site.address + "style.css")
    told: list[list[tuple[int, float]]] = page.evaluate(ANSWERS, [site.address, len(images), crops])
    return told


def test_real_photos_get_python_s_answers(
    context: Any, serve: Serve, bundled_files: dict[str, bytes], data_folder: Path
) -> None:
    """Every photo's first answer, scores to 1e-4."""
    photos = sorted((data_folder / "images" / "imagenet1k-dev").glob("*.JPEG"))[::5]
    images = [open_image(path) for path in photos]
    told = told_of(images, context, serve, bundled_files, crops=1)
    with open_lens(bundled()) as lens:
        for image, seen in zip(images, told, strict=True):
            wanted = lens.classify(image, top=5)
            assert seen[0][0] == wanted[0].number
            for (_, confidence), answer in zip(seen, wanted, strict=True):
                assert confidence == pytest.approx(answer.confidence, abs=1e-4)


@pytest.mark.parametrize("crops", [1, 10])
@pytest.mark.parametrize("name", ["tiny", "odd", "mobile/mobile"])
def test_networks_of_ccv_s_get_python_s_answers(
    context: Any, serve: Serve, data_folder: Path, name: str, crops: int
) -> None:
    """Photos are formed as ccv does, larger and smaller ones; a page takes them for upright."""
    folder = ccv_files(data_folder)
    contents = pack(read_ccv(folder / f"{name}.sqlite3"), settings=Settings(bits=FLOAT_BITS))
    paths = sorted((folder / "images").iterdir())
    images = [open_image(path) for path in paths if path.name != "rect39x27.png"] + [photo()]
    told = told_of(images, context, serve, site_files(contents), crops=crops)
    with Lens(contents) as lens:
        for image, seen in zip(images, told, strict=True):
            wanted = lens.classify(image, top=5, crops=crops)
            assert seen[0][0] == wanted[0].number
            for (_, confidence), answer in zip(seen, wanted, strict=True):
                assert confidence == pytest.approx(answer.confidence, abs=1e-5)


def test_the_sample_site_tells_its_files(bundled_files: dict[str, bytes]) -> None:
    lens = read_lens(bundled())
    info = json.loads(bundled_files["model/lens.json"])
    assert len(info["labels"]) == len(lens.labels)
    hashes = {"a.js": hashlib.sha256(b"").hexdigest()[:16]}
    assert b'{"a.js":' in service_worker(hashes)
