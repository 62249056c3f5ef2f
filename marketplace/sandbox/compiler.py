"""Compiles one stranger's component: from standard input to standard output, behind walls.

`python -m marketplace.sandbox.compiler EMPTY_DIR`; see `components`, which starts it.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import NoReturn

from marketplace.sandbox import runtime, walls
from marketplace.sandbox.components import MOST_COMPILED_BYTES, REFUSED

# The largest component we know, 12 MB of SpiderMonkey, takes 10 to 20 s and 0.6 GB.
CPU_S = 120
DATA_BYTES = 3 * 2**30
# Cranelift has a thread for each core.
MOST_THREADS = 256


def main(arguments: list[str]) -> None:
    """Compile what comes in, try it once, and hand it out."""
    component = sys.stdin.buffer.read()
    output = os.dup(1)
    walls.around_zygote(Path(arguments[0]))
    _limit()
    # People who run apps now come before somebody's upload.
    os.nice(10)
    try:
        compiled = runtime.compile_stranger(component)
    except runtime.Unfit as unfit:
        _refuse(unfit.rule, str(unfit))
    if len(compiled) > MOST_COMPILED_BYTES:
        _refuse("component.too-large", "Compiled, it is too large.")
    with os.fdopen(output, "wb") as out:
        out.write(compiled)
    # What a stranger's code may have left behind in here must not run now.
    os._exit(0)


def _limit() -> None:
    for name, value in (
        ("CPU", CPU_S),
        ("DATA", DATA_BYTES),
        ("NPROC", MOST_THREADS),
        ("CORE", 0),
        ("NOFILE", 16),
    ):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _refuse(rule: str, message: str) -> NoReturn:
    os.write(2, json.dumps({"rule": rule, "message": message}).encode())
    os._exit(REFUSED)


if __name__ == "__main__":
    main(sys.argv[1:])
