"""Rules about the listing's texts and the samples."""

from collections.abc import Iterator

from caravan.bundle import LOCALE_FILE, Bundle
from caravan.checks.source import Source
from caravan.findings import BundleRefused, Finding
from caravan.manifest import Samples
from caravan.reading import MANIFEST_FILE, read_samples
from caravan.samples import SAMPLES_FILE

FULL_DESCRIPTION_CHARS = 80


def check_texts(bundle: Bundle, _source: Source) -> Iterator[Finding]:
    """What a shopper reads before they run the app."""
    app = bundle.manifest.app
    if len(app.description) < FULL_DESCRIPTION_CHARS:
        yield Finding(
            "texts.short",
            "warning",
            "The description is very short.",
            MANIFEST_FILE,
            fix="Say what the app does, for whom, and what it does not do.",
        )
    if app.support is None:
        yield Finding(
            "texts.support",
            "warning",
            "People cannot reach you.",
            MANIFEST_FILE,
            fix='Add support = "mailto:you@example.com" to [app].',
        )
    for path in sorted(bundle.files):
        if path.startswith("listing/") and not LOCALE_FILE.fullmatch(path):
            yield Finding(
                "texts.locale",
                "error",
                f"{path} is not named after a language.",
                path,
                fix="Name it like listing/ar.toml or listing/pt-BR.toml.",
            )


def check_samples(bundle: Bundle, source: Source) -> Iterator[Finding]:
    """The samples can be read, and name actions that exist."""
    paths = [path for path in sorted(bundle.files) if SAMPLES_FILE.fullmatch(path)]
    if not paths:
        yield Finding(
            "evals.none",
            "warning",
            "There is no sample, so people have nothing to try at once.",
            fix="Add evals/first.toml with one [[case]]: action, input, expect_contains.",
        )
        return
    for path in paths:
        samples = samples_of(bundle, path)
        if isinstance(samples, BundleRefused):
            yield from samples.findings
            continue
        yield from _absent_files(bundle, path, samples)
        if bundle.manifest.runtime.kind == "component":
            continue  # only the component itself knows its actions
        for case in samples.case:
            if case.action not in source.actions:
                yield Finding(
                    "evals.action",
                    "error",
                    f"The sample names the action “{case.action}”, which the app does not have.",
                    path,
                    fix=f"Use one of: {', '.join(source.actions) or 'none yet'}.",
                )


def _absent_files(bundle: Bundle, path: str, samples: Samples) -> Iterator[Finding]:
    named = {name for case in samples.case for name in case.files.values()}
    for name in sorted(named):
        if f"evals/{name}" not in bundle.files:
            yield Finding(
                "evals.file",
                "error",
                f"The sample picks the file evals/{name}, which is not there.",
                path,
                fix="Put the file there, or correct its name.",
            )


def samples_of(bundle: Bundle, path: str) -> Samples | BundleRefused:
    """The samples of one file, or why it cannot be read."""
    try:
        return read_samples(bundle.files[path], path)
    except BundleRefused as refused:
        return refused
