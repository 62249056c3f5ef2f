"""The processes a store consists of beside its web and its worker, and whether it answers."""

import os
import sys
from http.client import HTTPConnection
from pathlib import Path

from marketplace.settings import Settings

PING_TIMEOUT_S = 2


def engine_command(settings: Settings) -> list[str]:
    """The command line of the engine process.

    A module of its own and not `marketplace engine`, which would first read the whole store:
    seconds in which an engine that died is missing.
    """
    return _module(
        "marketplace.inference.process",
        "--socket",
        settings.socket("engine"),
        "--data-dir",
        settings.folder,
        "--demo-model",
        settings.demo_model,
        "--settings",
        settings.inference.model_dump_json(),
    )


def runners_command(settings: Settings) -> list[str]:
    """The command line of the process that forks runners."""
    return _module(
        "marketplace.sandbox.process",
        "--socket",
        settings.socket("runners"),
        "--cache-dir",
        settings.cache_dir(),
        "--max-runners",
        settings.sandbox.max_runners,
        "--max-waiting",
        settings.sandbox.max_waiting,
        "--max-asking",
        settings.sandbox.max_asking,
        "--max-prepared",
        settings.sandbox.max_prepared,
        "--prepared-memory-bytes",
        settings.sandbox.prepared_memory_bytes,
    )


def _module(name: str, *arguments: str | Path | int) -> list[str]:
    return [sys.executable, "-m", name, *map(str, arguments)]


def become(command: list[str]) -> None:
    """Turn this process into another one; nothing of this one stays in memory."""
    os.execv(command[0], command)  # noqa: S606  (our own module, no shell wanted)


def answers(settings: Settings) -> bool:
    """Whether the web process answers on its port."""
    connection = HTTPConnection(settings.web.host, settings.web.port, timeout=PING_TIMEOUT_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
