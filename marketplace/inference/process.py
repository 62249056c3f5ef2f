"""The engine process: `python -m marketplace.inference.process --socket PATH --model PATH`.

It prints one line of JSON when it listens, which is before a model is loaded; `status` says when
one is. SIGTERM and SIGINT end it cleanly.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import click

from marketplace.inference.registry import Registry
from marketplace.inference.server import EngineServer
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.shelf import RegistryShelf, one_model, type_shelf
from marketplace.kernel.errors import CaravanError


@click.command()
@click.option("--socket", type=click.Path(path_type=Path), required=True, help="Unix socket.")
@click.option("--model", type=click.Path(path_type=Path), help="GGUF to serve.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="The store's data folder; its models are served when --model is not given.",
)
@click.option(
    "--demo-model",
    type=click.Path(path_type=Path),
    help="GGUF to serve when no other is chosen.",
)
@click.option("--settings", default="{}", help="InferenceSettings as JSON.")
def main(
    socket: Path,
    model: Path | None,
    data_dir: Path | None,
    demo_model: Path | None,
    settings: str,
) -> None:
    """Serve language models on a unix socket."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        parsed = InferenceSettings.model_validate_json(settings)
        blobs = None if data_dir is None else data_dir / "blobs"
        status = asyncio.run(_serve(socket, shelf(model, data_dir, demo_model), parsed, blobs))
    except (CaravanError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.flush()
    sys.stderr.flush()
    # The decode thread may be deep in a long computation; the interpreter would wait for it.
    os._exit(status)


def shelf(model: Path | None, data_dir: Path | None, demo_model: Path | None) -> type_shelf:
    """The models to serve: the one that is given, else those of the store's registry."""
    if model is not None:
        return one_model(model)
    if data_dir is not None:
        return RegistryShelf(Registry(data_dir / "models", demo_model))
    return one_model(demo_model) if demo_model is not None else tuple


async def _serve(
    path: Path, models: type_shelf, settings: InferenceSettings, blobs: Path | None
) -> int:
    server = EngineServer(path, models, settings, blobs)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, server.stop)

    def ready() -> None:
        print(json.dumps({"ready": True, "socket": str(path), "pid": os.getpid()}), flush=True)  # noqa: T201

    return await server.serve(ready)


if __name__ == "__main__":
    main()
