"""One describe or one run of an app in a process of its own, so that every save counts.

`python -m caravan.native` reads one JSON job from the standard input, one line, and writes one JSON
object a line: output items as `App.run` yields them, `{"kind": "call", "op", "payload"}` for what
was asked of the store, and at the end `{"kind": "end"}` or `{"kind": "error", "type", "message",
"traceback"}`, both with `"pieces"`, how many the model made. After `{"kind": "ask", "title",
"schema"}` it reads one line more: what the person says, or null. It imports the standard library
alone, so that it starts at once.
"""

import base64
import importlib
import io
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from caravan.app import App
from caravan.errors import CaravanError
from caravan.simulation import Ask, Counted, HostCall, Model
from caravan.testing import Simulator, Upload

PRETENDED = (
    "This is a pretended answer. It stands where the store's model will speak; "
    "start caravan dev with --store to hear a real one."
)
PIECE_PAUSE_S = 0.03
Send = Callable[[dict[str, Any]], None]


def load_app(folder: Path, entry: str) -> App:
    """Import the entry module from the folder and return its `app`. Raises what it raises."""
    sys.path.insert(0, str(folder.resolve()))
    sys.dont_write_bytecode = True
    app = getattr(importlib.import_module(entry), "app", None)
    if not isinstance(app, App):
        raise TypeError(f"The module “{entry}” has no `app = App()`.")
    return app


def pretend(_payload: dict[str, Any]) -> Iterator[str]:
    """An answer that comes word by word, like a model's."""
    for word in PRETENDED.split(" "):
        time.sleep(PIECE_PAUSE_S)
        yield f"{word} "


def main(model_for: Callable[[dict[str, Any]], Model] = lambda _job: pretend) -> None:
    """Do the job; whatever the app prints goes to the standard error, and it reads nothing."""
    wire, sys.stdout = sys.stdout, sys.stderr
    answers, sys.stdin = sys.stdin, io.StringIO()
    job = json.loads(answers.readline())
    model = Counted(model_for(job))

    def send(message: dict[str, Any]) -> None:
        wire.write(json.dumps(message) + "\n")
        wire.flush()

    def ask(form: Mapping[str, Any]) -> Mapping[str, Any] | None:
        send({"kind": "ask", **form})
        found: Mapping[str, Any] | None = json.loads(answers.readline() or "null")
        return found

    try:
        _do(job, model, ask, send)
        ending: dict[str, Any] = {"kind": "end"}
    except Exception as error:  # noqa: BLE001  (the app's own error is what this process reports)
        ending = _error(error, Path(job["folder"]))
    send({**ending, "pieces": model.pieces})


def _do(job: dict[str, Any], model: Model, ask: Ask, send: Send) -> None:
    app = load_app(Path(job["folder"]), job["entry"])
    if job["command"] == "describe":
        send({"kind": "describe", **app.describe()})
        return

    def heard(call: HostCall) -> None:
        if call.op != "llm.next":
            send({"kind": "call", "op": call.op, "payload": call.payload})

    simulator = Simulator(
        app,
        llm=model,
        entitlements=job["entitlements"],
        permissions=job["permissions"],
        settings=job["settings"],
        answers=ask,
        on_call=heard,
    )
    uploads = {
        name: Upload(each["name"], base64.b64decode(each["base64"]), each["media_type"])
        for name, each in job.get("uploads", {}).items()
    }
    for item in simulator.stream(job["action"], **job["values"], **uploads):
        send(item)


def traced(error: Exception, folder: Path) -> str:
    """An app's own error with its place; "" for a refusal, which says everything itself."""
    if isinstance(error, CaravanError):
        return ""
    root = str(folder.resolve())
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if root in frame.filename
    ]
    return "".join(traceback.format_list(frames) + traceback.format_exception_only(error))


def _error(error: Exception, folder: Path) -> dict[str, Any]:
    return {
        "kind": "error",
        "type": type(error).__name__,
        "message": str(error),
        "traceback": traced(error, folder),
    }


if __name__ == "__main__":
    main()
