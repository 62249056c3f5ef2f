"""Puts the store's look and the WIT world into the SDK's wheel, from the checkout around it."""

# ruff: noqa: INP001  (a build script, no module)

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent.parent
BORROWED = (
    "static",
    "marketplace/templates/components",
    "marketplace/templates/runs",
    "sdk/runtime/wit",
)


class BuildWithHouse(build_py):
    """Builds as ever, then copies what `caravan.house` looks for."""

    def run(self) -> None:
        """Build and copy."""
        super().run()
        for folder in BORROWED:
            target = Path(self.build_lib) / "caravan" / "house" / folder
            shutil.copytree(ROOT / folder, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithHouse})
