"""How long the road takes: opening the store again, a page, and a run from the press of the button.

Run alone: python benchmarks/road.py. The last line is one JSON object; times in seconds or ms.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.api import Person  # noqa: E402  (the checkout is put on the path above)
from tests.e2e.store import Store  # noqa: E402

PAGES = 40
RUNS = 15


def timed_page_ms(person: Person, path: str) -> float:
    """One page, as the browser waits for it."""
    started = time.perf_counter()
    person.client.get(path).raise_for_status()
    return (time.perf_counter() - started) * 1000


def timed_run_ms(person: Person) -> tuple[float, float]:
    """One run of the phrasebook from the press of its button: ms to the first words and the end."""
    fields = {
        **person.hidden("caravan.phrasebook"),
        "-action": "translate",
        "text": "Where is the train station?",
        "language": "Spanish",
    }
    started = time.perf_counter()
    run = person.press("caravan.phrasebook", fields)
    first = 0.0
    with person.client.stream("GET", f"{run}/events") as stream:
        for line in stream.iter_lines():
            if line == "event: text" and not first:
                first = time.perf_counter()
            if line == "event: done":
                break
    return (first - started) * 1000, (time.perf_counter() - started) * 1000


def main() -> None:
    """Open a store twice, and measure it the second time."""
    with tempfile.TemporaryDirectory() as folder:
        Store(Path(folder)).start().stop()
        started = time.perf_counter()
        store = Store(Path(folder)).start()
        open_s = time.perf_counter() - started
        person = Person(store.url).sign_up()
        timed_run_ms(person)
        pages = [timed_page_ms(person, "/") for _ in range(PAGES)]
        runs = [timed_run_ms(person) for _ in range(RUNS)]
        person.close()
        store.stop()
    figures = {
        "second_start_s": round(open_s, 2),
        "home_ms_p50": round(median(pages), 1),
        "home_ms_p95": round(quantiles(pages, n=20)[-1], 1),
        "first_words_ms_p50": round(median(first for first, _ in runs), 1),
        "receipt_ms_p50": round(median(whole for _, whole in runs), 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
