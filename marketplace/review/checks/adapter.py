"""The LoRA adapter an app brings: whole, harmless, and made for the model this store serves."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from caravan.bundle import Bundle
from caravan.findings import Finding

from marketplace.kernel.errors import Invalid

RULE = "adapter"

type_base_model = Callable[[], Path | None]


def check(bundle: Bundle, base_model: type_base_model) -> Iterator[Finding]:
    """What is wrong with the adapter the manifest names, or that it passes.

    Args:
        base_model: gives the GGUF this store serves.
    """
    path = bundle.manifest.model.adapter
    if path is None or path not in bundle.files:  # the SDK's checks say when it is missing
        return
    served = base_model()
    if served is None:
        yield Finding(
            "adapter.model",
            "error",
            "This store serves no model that an adapter could be for.",
            path,
            fix="Ask the operator to add a model, and publish a higher version then.",
        )
        return
    # Read when one is to be checked: its libraries take longer to load than the store to open.
    room = import_module("marketplace.inference.adapter_file")
    try:
        room.check_file(bundle.files[path], served)
    except Invalid as error:
        yield Finding(error.rule or "adapter.model", "error", error.message, path)
    else:
        yield Finding(RULE, "pass", f"The adapter fits the model {served.stem}.")
