"""Rules about the adapter: the file the manifest names is there."""

from collections.abc import Iterator

from caravan.bundle import Bundle
from caravan.checks.source import Source
from caravan.findings import Finding


def check_adapter(bundle: Bundle, _source: Source) -> Iterator[Finding]:
    """The LoRA adapter the manifest names; the store holds it against its model."""
    path = bundle.manifest.model.adapter
    if path is None or path in bundle.files:
        return
    yield Finding(
        "adapter.missing",
        "error",
        f"The adapter {path} is not in the bundle.",
        "caravan.toml",
        fix=f"Put the GGUF of the LoRA at {path}.",
    )
