"""The store's own look, which `caravan dev` borrows: in a checkout where it lies, else packaged."""

from pathlib import Path

PACKAGED = Path(__file__).parent / "house"
CHECKOUT = Path(__file__).parents[2]


def house(folder: str) -> Path:
    """A folder of the store, such as `static`, `marketplace/templates` or `sdk/runtime/wit`.

    Raises: FileNotFoundError where the SDK was installed without it.
    """
    for root in (PACKAGED, CHECKOUT):
        if (root / folder).is_dir():
            return root / folder
    raise FileNotFoundError(f"The SDK was installed without “{folder}”; install it again.")
