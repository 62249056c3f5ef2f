"""The icon and the screenshots are drawn anew; what cannot be drawn is not shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from caravan.bundle import Bundle
from caravan.findings import Finding

from marketplace.infra.blobs import Blobs
from marketplace.publishing.pictures import BadPicture, Picture, redraw

ICON_SIDE = 512
SCREENSHOT_SIDE = 1600


@dataclass(frozen=True)
class Drawn:
    """What came of a bundle's pictures.

    Args:
        icon: the new icon, or None where it is an SVG, which the static checks have judged.
        screenshots: in the manifest's order.
    """

    findings: list[Finding] = field(default_factory=list)
    icon: Picture | None = None
    screenshots: Sequence[Picture] = ()


def draw(bundle: Bundle) -> Drawn:
    """Draw every picture that the app's page will show, each in a process of its own."""
    findings = []
    icon = None
    if bundle.manifest.app.icon.endswith(".png") and bundle.icon is not None:
        try:
            icon = redraw(bundle.icon, "PNG", widest=ICON_SIDE)
        except BadPicture as bad:
            findings.append(_finding("icon.unreadable", bundle.manifest.app.icon, bad))
    shots = []
    for shot in bundle.manifest.screenshot:
        try:
            shots.append(redraw(bundle.files[shot.file], "WEBP", widest=SCREENSHOT_SIDE))
        except BadPicture as bad:
            findings.append(_finding("screenshot.unreadable", shot.file, bad))
    return Drawn(findings, icon, shots)


def _finding(rule: str, path: str, bad: BadPicture) -> Finding:
    fix = "Save it as a plain PNG, JPEG or WebP of a few megapixels."
    return Finding(rule, "error", f"{path} cannot be shown. {bad.message}", path, fix=fix)


def kept(drawn: Drawn, bundle: Bundle, blobs: Blobs) -> list[dict[str, Any]]:
    """The screenshots as a release keeps them, with their captions in every language."""
    captions = {
        locale: texts.captions for locale, texts in bundle.listings.items() if texts.captions
    }
    return [
        {
            "key": blobs.put(picture.data),
            "width": picture.width,
            "height": picture.height,
            "captions": {
                "en": shot.caption,
                **{locale: words[place] for locale, words in captions.items()},
            },
        }
        for place, (shot, picture) in enumerate(
            zip(bundle.manifest.screenshot, drawn.screenshots, strict=True)
        )
    ]
