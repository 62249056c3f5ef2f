"""What a JSON schema costs an answer: tokens a second with one over those without, side by side.

Run: python benchmarks/structured.py. The last line is one JSON object; ratios below 1 are slower.
"""

import json
import sys
import time
from collections.abc import Hashable
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from threading import Thread
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from marketplace.inference.engine.engine import Engine
from marketplace.inference.ports import Finished, Generation, Message
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.wire import type_event
from marketplace.settings import ROOT

MODEL = ROOT / "models" / "caravan-demo.gguf"
PAIRS = 7
TOKENS = 64
# Of 200 needed texts, so that no answer comes to its end before its last token.
SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    "minItems": 200,
}


class Rig:
    """One engine in this process."""

    def __init__(self) -> None:
        self._events: SimpleQueue[list[tuple[Hashable, type_event]]] = SimpleQueue()
        self._engine = Engine(MODEL, InferenceSettings(max_sequences=8), self._events.put)
        self._thread = Thread(target=self._engine.run)
        self._thread.start()

    def rate(self, count: int, schema: dict[str, Any] | None) -> float:
        """Generated tokens a second of `count` answers at once."""
        began = time.perf_counter()
        for key in range(count):
            self._engine.submit(key, _request(key, schema))
        generated, ended = 0, 0
        while ended < count:
            for _, event in self._events.get():
                if isinstance(event, Finished):
                    generated, ended = generated + event.usage.generated_tokens, ended + 1
        return generated / (time.perf_counter() - began)

    def close(self) -> None:
        """End the engine."""
        self._engine.stop()
        self._thread.join()


def main() -> None:
    """Measure both sides in turn and print the medians of their ratios."""
    rig = Rig()
    rig.rate(8, None)
    figures = {}
    for count in (1, 8):
        pairs = [(rig.rate(count, SCHEMA), rig.rate(count, None)) for _ in range(PAIRS)]
        figures[f"schema_ratio_{count}"] = round(median(a / b for a, b in pairs), 3)
        figures[f"free_tokens_per_s_{count}"] = round(median(b for _, b in pairs))
    rig.close()
    print(json.dumps(figures))


def _request(key: int, schema: dict[str, Any] | None) -> Generation:
    return Generation(
        request_id=str(key),
        app="bench.structured",
        person="nobody",
        messages=(Message("user", f"Write {key} words about the sea as JSON."),),
        max_tokens=TOKENS,
        temperature=0.8,
        seed=key,
        json_schema=schema,
    )


if __name__ == "__main__":
    main()
