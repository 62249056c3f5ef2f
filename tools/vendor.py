"""Fetch the pinned front-end packages from npm into static/vendor and draw the icon sprite.

What only tests use lands in tests/vendor. Run it only to change a version or the list of icons;
what it writes is committed, so neither running nor testing the store needs node. Every package is
checked against its pinned digest.
"""

import base64
import hashlib
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"


@dataclass(frozen=True)
class Package:
    """One npm package: what is pinned, and which of its files land where under `vendor`."""

    name: str
    version: str
    licence: str
    sha512: str
    files: Mapping[str, str]
    vendor: Path = STATIC / "vendor"


READEX = Package(
    name="@fontsource-variable/readex-pro",
    version="5.3.0",
    licence="OFL-1.1",
    sha512="ebrEcz8sjzQk92x6K3WtYzOgEKTIDe5D+iPqef0YYvPdqCfxzVkRgpsog5POX4sWa7e4wccCQ1IhmMuRka2hZg==",
    files={
        "LICENSE": "readex-pro/LICENSE",
        "files/readex-pro-latin-wght-normal.woff2": "readex-pro/latin.woff2",
        "files/readex-pro-latin-ext-wght-normal.woff2": "readex-pro/latin-ext.woff2",
        "files/readex-pro-arabic-wght-normal.woff2": "readex-pro/arabic.woff2",
    },
)
LUCIDE = Package(
    name="lucide-static",
    version="1.62.0",
    licence="ISC",
    sha512="WBZA/m2PvkFpMGHDtsBck5P2A9G4ehLlYu4GwwICcmEm1BvYVgj00lCDxKRWLlbMlOibLaiwdQ88G5pHkSWgwA==",
    files={"LICENSE": "lucide/LICENSE"},
)
UPLOT = Package(
    name="uplot",
    version="1.6.32",
    licence="MIT",
    sha512="KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
    files={
        "LICENSE": "uplot/LICENSE",
        "dist/uPlot.iife.min.js": "uplot/uPlot.iife.min.js",
        "dist/uPlot.min.css": "uplot/uPlot.min.css",
    },
)
AXE = Package(
    name="axe-core",
    version="4.14.1",
    licence="MPL-2.0",
    sha512="FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    files={
        "LICENSE": "axe/LICENSE",
        "LICENSE-3RD-PARTY.txt": "axe/LICENSE-3RD-PARTY.txt",
        "axe.min.js": "axe/axe.min.js",
    },
    vendor=ROOT / "tests" / "vendor",
)
PACKAGES = (READEX, LUCIDE, UPLOT, AXE)

# The icons that pages name, and no others.
ICONS = """
    arrow-left arrow-right arrow-up-right briefcase-business check chevron-down chevron-left
    chevron-right circle-alert circle-check code-xml compass copy credit-card database dices
    external-link feather flag gauge gavel graduation-cap history image info key-round languages
    list-checks lock log-in log-out megaphone menu minus moon-star pen-line play plus receipt
    reply rotate-ccw scale search send settings shield-check square star store sun sun-moon tent
    terminal thumbs-up triangle-alert undo-2 upload user wallet x
"""

SYMBOL_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


class WrongDigest(Exception):
    """A downloaded package is not the one that was pinned."""


def fetch(package: Package, folder: Path) -> Path:
    """Download one package with npm, check its digest and unpack it; returns its folder."""
    subprocess.run(
        ["npm", "pack", "--silent", f"{package.name}@{package.version}"], cwd=folder, check=True
    )
    stem = package.name.removeprefix("@").replace("/", "-")
    archive = folder / f"{stem}-{package.version}.tgz"
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != package.sha512:
        raise WrongDigest(f"{archive.name} has sha512 {digest}, but {package.sha512} is pinned.")
    unpacked = folder / stem
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked / "package"


def sprite(icons_folder: Path) -> str:
    """One SVG whose symbols are the icons the templates use, in name order."""
    symbols = []
    for name in ICONS.split():
        found = SYMBOL_BODY.search((icons_folder / f"{name}.svg").read_text())
        if found is None:
            raise ValueError(f"The icon {name} holds no <svg> element.")
        body = " ".join(found.group(1).split())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    joined = "\n".join(symbols)
    licence = f"<!-- Lucide {LUCIDE.version}, ISC licence: static/vendor/lucide/LICENSE -->"
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{licence}\n{joined}\n</svg>\n'


def main() -> None:
    """Write every vendored file, the sprite and the record of versions and licences."""
    records: dict[Path, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            unpacked = fetch(package, Path(scratch))
            for source, target in package.files.items():
                path = package.vendor / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes((unpacked / source).read_bytes())
            records.setdefault(package.vendor, []).append(
                f"| `{package.name}` | {package.version} | {package.licence} |"
            )
            if package is LUCIDE:
                (STATIC / "img" / "icons.svg").write_text(sprite(unpacked / "icons"))
    head = ["# Vendored packages", "", "| package | version | licence |", "| --- | --- | --- |"]
    for vendor, rows in records.items():
        closing = "Written by `tools/vendor.py`"
        if vendor == LUCIDE.vendor:
            closing += "; the icons are `static/img/icons.svg`"
        (vendor / "README.md").write_text("\n".join([*head, *rows, "", f"{closing}.", ""]))
    print(f"Vendored {len(PACKAGES)} packages and {len(ICONS.split())} icons.")


if __name__ == "__main__":
    main()
