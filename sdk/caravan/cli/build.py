"""`caravan build`: the bundle, the same bytes every time."""

from pathlib import Path

import click

from caravan import bundle
from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.cli.project import folder_argument, manifest_of
from caravan.findings import BundleRefused


def built(folder: Path) -> bytes:
    """The folder's bundle. Raises: Failure with the refusal."""
    manifest_of(folder)
    try:
        return bundle.build(folder)
    except BundleRefused as refused:
        fix = refused.findings[0].fix or "See more with: caravan check"
        raise Failure(Exit.CHECKS_FAILED, refused.message, rule=refused.rule, fix=fix) from None


@click.command()
@folder_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write, or the folder to write it in.  [default: here]",
)
@json_option
def build(*, path: Path, out: Path | None, as_json: bool) -> None:
    """Build the bundle of the app in PATH; equal folders give equal bytes.

    Example: caravan build --out dist
    """
    data = built(path)
    opened = bundle.open_bundle(data)
    name = opened.manifest.bundle_name
    target = Path(name) if out is None else out
    if out is not None and (out.is_dir() or out.suffix != ".caravan"):
        target = out / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if as_json:
        say_json({"file": str(target), "bytes": len(data), "sha256": opened.sha256})
    else:
        click.echo(f"{target}  {len(data)} bytes  sha256 {opened.sha256[:16]}…")
