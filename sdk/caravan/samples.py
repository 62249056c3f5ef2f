"""Which samples of `evals/` need only their input, and what an answer says altogether."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from caravan.manifest import Case
from caravan.reading import read_samples

# What lies deeper, or is no TOML, is a file that a sample picks.
SAMPLES_FILE = re.compile(r"evals/[^/]+\.toml")


def alone(files: Mapping[str, bytes]) -> Iterator[Case]:
    """A bundle's samples that need nothing but their input: no file, no answer, no web.

    Raises: BundleRefused.
    """
    for path, data in sorted(files.items()):
        if SAMPLES_FILE.fullmatch(path):
            for case in read_samples(data, path).case:
                if not (case.files or case.answers or case.web):
                    yield case


def spoken(items: Sequence[Mapping[str, Any]]) -> str:
    """All that an answer is searched for: its texts, then its tables and the like as JSON."""
    texts = [item["text"] for item in items if item["kind"] == "text"]
    others = [json.dumps(item, ensure_ascii=False) for item in items if item["kind"] != "text"]
    return "\n".join(["".join(texts), *others])
