"""Picture files as people send them, turned into plain pixels in a process of their own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marketplace.inference.pictures_process import REFUSED
from marketplace.inference.ports import BadGeneration

type_pixels = npt.NDArray[np.uint8]

PROGRAM = Path(__file__).with_name("pictures_process.py")
LONGEST_SIDE = 1536  # pixels; models look at less, and what waits should take little memory
LONGEST_S = 20


def pixels(file: bytes) -> type_pixels:
    """A picture's rows of red, green and blue, made smaller where it is large.

    Raises: BadGeneration when it is no PNG or JPEG file, is broken, or is too large.
    """
    # -I: nothing of the engine's environment or folder decides what is imported.
    command = [sys.executable, "-I", str(PROGRAM), str(LONGEST_SIDE)]
    try:
        done = subprocess.run(
            command, input=file, capture_output=True, timeout=LONGEST_S, check=False, env={}
        )
    except subprocess.TimeoutExpired:
        raise _refused("A picture takes too long to read. Send a smaller one.") from None
    if done.returncode == REFUSED:
        raise _refused(done.stderr.decode())
    if done.returncode != 0:
        raise _refused("A picture broke its reader. Save it anew and send it again.")
    size, _line, plain = done.stdout.partition(b"\n")
    width, height = map(int, size.split())
    return np.frombuffer(plain, dtype=np.uint8).reshape(height, width, 3)


def _refused(message: str) -> BadGeneration:
    return BadGeneration(message, rule="llm.images")
