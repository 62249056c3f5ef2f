"""The engine process: `python -m marketplace.inference.process --socket PATH --model PATH`.

It prints one line of JSON when it listens, which is before the model is loaded; `status` says
when it is. SIGTERM and SIGINT end it cleanly.
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
from marketplace.kernel.errors import CaravanError


@click.command()
@click.option("--socket", type=click.Path(path_type=Path), required=True, help="Unix socket.")
@click.option("--model", type=click.Path(path_type=Path), help="GGUF to serve.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="The store's data folder; the model chosen there is served when --model is not given.",
)
@click.option(
    "--demo-model",
    type=click.Path(path_type=Path),
    help="GGUF to serve when the registry has chosen none.",
)
@click.option("--settings", default="{}", help="InferenceSettings as JSON.")
def main(
    socket: Path,
    model: Path | None,
    data_dir: Path | None,
    demo_model: Path | None,
    settings: str,
) -> None:
    """Serve one language model on a unix socket."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        chosen, why_not = choose(model, data_dir, demo_model)
        blobs = None if data_dir is None else data_dir / "blobs"
        parsed = InferenceSettings.model_validate_json(settings)
        status = asyncio.run(_serve(socket, chosen, why_not, parsed, blobs))
    except (CaravanError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.flush()
    sys.stderr.flush()
    # The decode thread may be deep in a long computation; the interpreter would wait for it.
    os._exit(status)


def choose(
    model: Path | None, data_dir: Path | None, demo_model: Path | None
) -> tuple[Path | None, str | None]:
    """The GGUF to serve, or None and the sentence that says why there is none."""
    try:
        if model is None and data_dir is not None:
            model = Registry(data_dir / "models", demo_model).chosen_file()
    except CaravanError as error:
        return None, error.message
    path = model or demo_model
    if path is None:
        return None, "No model is chosen. Add one with `marketplace models add`."
    if not path.is_file():
        return None, (
            f"The model file {path} does not exist. Add a model with `marketplace models add` "
            "or choose another with `marketplace models use`."
        )
    return path, None


async def _serve(
    path: Path,
    model: Path | None,
    why_not: str | None,
    settings: InferenceSettings,
    blobs: Path | None,
) -> int:
    server = EngineServer(path, model, why_not, settings, blobs)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, server.stop)

    def ready() -> None:
        print(json.dumps({"ready": True, "socket": str(path), "pid": os.getpid()}), flush=True)  # noqa: T201

    return await server.serve(ready)


if __name__ == "__main__":
    main()
