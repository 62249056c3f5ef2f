"""`caravan eval`: the samples of `evals/`, tried on a store's model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from caravan.cli.model import upstream_of
from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.cli.project import absent, app_of, manifest_of, upload_of
from caravan.cli.store import store_options
from caravan.errors import CaravanError
from caravan.findings import BundleRefused
from caravan.manifest import Case
from caravan.reading import read_samples
from caravan.samples import spoken
from caravan.testing import Result, Simulator
from caravan.workbench import NoSandbox


@dataclass(frozen=True)
class Verdict:
    """How one sample went.

    Args:
        missing: texts that the answer should hold and does not.
    """

    name: str
    text: str = ""
    missing: tuple[str, ...] = ()
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything was there."""
        return not self.missing and not self.error


@click.command(name="eval")
@click.option(
    "--path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path()
)
@store_options
@click.option("--own", multiple=True, help="A product the person has bought; may be repeated.")
@json_option
def evaluate(
    *, path: Path, store: str | None, token: str | None, own: tuple[str, ...], as_json: bool
) -> None:
    """Run every sample of evals/ on a store's model, and say whether its answer holds what it must.

    Example: caravan eval --store https://store.example.com
    """
    manifest = manifest_of(path)
    cases = list(_cases(path))
    simulated = Simulator(
        app_of(path, manifest),
        llm=upstream_of(store, token).answer,
        entitlements=own,
        permissions=manifest.permissions,
    )
    verdicts = []
    for name, case in cases:
        verdicts.append(_judged(simulated, name, case, path / "evals"))
        if not as_json:
            _say(verdicts[-1])
    passed = sum(verdict.passed for verdict in verdicts)
    if as_json:
        rows = [{**vars(verdict), "passed": verdict.passed} for verdict in verdicts]
        say_json({"passed": passed, "failed": len(verdicts) - passed, "cases": rows})
    else:
        click.echo(f"{passed} of {len(verdicts)} samples passed.")
    if passed < len(verdicts):
        raise click.exceptions.Exit(Exit.APP_FAILED)


def _cases(folder: Path) -> Iterator[tuple[str, Case]]:
    files = sorted((folder / "evals").glob("*.toml"))
    if not files:
        raise Failure(
            Exit.USAGE,
            "The app has no samples.",
            rule="eval.none",
            fix="Write evals/first.toml with a [[case]]; `caravan new` shows how one looks.",
        )
    for file in files:
        name = f"evals/{file.name}"
        try:
            samples = read_samples(file.read_bytes(), name)
        except BundleRefused as refused:
            where = f"{name}:{refused.line}"
            raise Failure(
                Exit.CHECKS_FAILED,
                f"{where}: {refused.message}",
                rule=refused.rule,
                fix="See everything that is wrong with: caravan check",
            ) from None
        for number, case in enumerate(samples.case, start=1):
            yield case.name or f"{file.stem} {number}", case


def performed(store: Simulator, case: Case, folder: Path) -> Result:
    """One sample's run, with its files from `folder`, its answers and its pages of the web.

    Raises: what the action raises; Failure for a file that cannot be read.
    """
    files = {field: upload_of(folder / name) for field, name in case.files.items()}
    prepared = replace(store, answers=case.answers, web=case.web)
    return prepared.run(case.action, **case.input, **files)


def _judged(store: Simulator, name: str, case: Case, folder: Path) -> Verdict:
    try:
        result = performed(store, case, folder)
    except Failure:
        raise
    except NoSandbox as error:
        raise absent(error) from None
    except CaravanError as error:
        if error.code == "llm.unreachable":
            raise Failure(
                Exit.NO_CONNECTION,
                str(error),
                rule=error.code,
                fix="Look at the address and at your connection, then try again.",
            ) from None
        if error.code.startswith("llm."):
            raise Failure(
                Exit.STORE_REFUSED,
                str(error),
                rule=error.code,
                fix="Try again later, or on another store: caravan eval --store ADDRESS",
            ) from None
        return Verdict(name, error=str(error))
    except Exception as error:  # noqa: BLE001  (an app may raise anything)
        return Verdict(name, error=f"{type(error).__name__}: {error}")
    said = spoken(result.items)
    missing = tuple(text for text in case.expect_contains if text not in said)
    return Verdict(name, result.text, missing)


def _say(verdict: Verdict) -> None:
    mark = click.style("✓", fg="green") if verdict.passed else click.style("✗", fg="red")
    why = verdict.error or ", ".join(f"no “{text}”" for text in verdict.missing)
    click.echo(f"{mark} {verdict.name}" + (f": {why}" if why else ""))
    if verdict.missing:
        click.echo(f"    It said: {verdict.text.strip()[:300]}")
