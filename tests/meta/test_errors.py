"""Every slug that the code can raise has its paragraph in docs/errors/; none is idle."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLUG = re.compile(r"""slug\s*=\s*f?["']([a-z0-9-]+)["']""")
HEADING = re.compile(r"^### ([a-z0-9-]+)\s*$", re.MULTILINE)


def documented() -> dict[str, Path]:
    """Slug and the page that explains it."""
    found: dict[str, Path] = {}
    for page in sorted((ROOT / "docs" / "errors").glob("*.md")):
        for slug in HEADING.findall(page.read_text(encoding="utf-8")):
            assert slug not in found, f"{slug} stands in {found.get(slug)} and in {page}"
            found[slug] = page
    return found


def raised() -> set[str]:
    """Every slug written in the source."""
    return {
        slug
        for path in (ROOT / "src").rglob("*.py")
        for slug in SLUG.findall(path.read_text(encoding="utf-8"))
    }


def test_every_slug_is_explained() -> None:
    assert raised() - set(documented()) == set()


def test_every_explanation_has_its_error() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "src").rglob("*.py"))
    idle = {slug for slug in documented() if f'"{slug}"' not in source}
    assert idle == set()
