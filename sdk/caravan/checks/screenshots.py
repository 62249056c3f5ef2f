"""Rules about screenshots: there, and with a caption in every language that has any."""

from collections.abc import Iterator

from caravan.bundle import Bundle
from caravan.checks.source import Source
from caravan.findings import Finding
from caravan.reading import MANIFEST_FILE


def check_screenshots(bundle: Bundle, _source: Source) -> Iterator[Finding]:
    """The pictures that the manifest names, and their captions."""
    shots = bundle.manifest.screenshot
    for shot in shots:
        if shot.file not in bundle.files:
            yield Finding(
                "screenshot.missing",
                "error",
                f"The screenshot {shot.file} is not in the bundle.",
                MANIFEST_FILE,
                fix=f"Put a PNG, JPEG or WebP at {shot.file}, or take the entry out.",
            )
    for locale, texts in sorted(bundle.listings.items()):
        if texts.captions and len(texts.captions) != len(shots):
            yield Finding(
                "screenshot.captions",
                "error",
                f"There are {len(shots)} screenshots and {len(texts.captions)} captions.",
                f"listing/{locale}.toml",
                fix="Write one caption for each screenshot, in the same order.",
            )
