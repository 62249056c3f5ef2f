"""An app's own tests, run as its maker runs them."""

import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).parents[2] / "sdk"


def run_own_tests(folder: Path) -> str:
    """What pytest says of the app in this folder, with nothing of ours around it but the SDK."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "."],
        cwd=folder,
        env={
            "PYTHONPATH": str(SDK),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr
