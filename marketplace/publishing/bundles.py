"""Opens an uploaded bundle; what the SDK refuses becomes an error of ours."""

from caravan import bundle as sdk
from caravan.findings import BundleRefused

from marketplace.kernel.errors import CaravanError, Invalid, TooLarge

TOO_LARGE = frozenset(
    {"bundle.too-large", "bundle.unpacked", "bundle.ratio", "bundle.too-many-files"}
)


class BadBundle(Invalid):
    """The uploaded file is not a bundle this store can take."""


class HugeBundle(TooLarge):
    """The uploaded file is, or would become, larger than a release may be."""


def opened(data: bytes) -> sdk.Bundle:
    """Verify and read an upload. Raises: BadBundle, HugeBundle, each with every finding."""
    try:
        return sdk.open_bundle(data)
    except BundleRefused as refused:
        raise refusal(refused) from None


def refusal(refused: BundleRefused) -> CaravanError:
    """The error of ours that says what the SDK said: rule, file, line and what to do."""
    family = HugeBundle if refused.rule in TOO_LARGE else BadBundle
    first = refused.findings[0]
    sentence = first.message
    if first.file and first.file not in sentence:
        sentence = f"{first.file}: {sentence}"
    if first.line:
        sentence = f"{sentence} (line {first.line})"
    if first.fix:
        sentence = f"{sentence} {first.fix}"
    error = family(sentence, rule=refused.rule)
    error.details["findings"] = [finding.to_json() for finding in refused.findings]
    return error
