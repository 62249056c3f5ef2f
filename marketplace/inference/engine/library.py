"""llama.cpp itself: loaded with the right environment, quiet, and asked for its devices.

Importing this module loads the native library; it raises ImportError, OSError or RuntimeError
where llama-cpp-python is missing or broken.
"""

import ctypes
import importlib
import logging
import os
from collections import deque
from typing import Any

from marketplace.inference.ports import Device

# Spinning OpenMP threads beside a web server cut decoding to a third; the variable is read when
# the library is loaded. Without the other one an abort starts a debugger in production.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

# The C API as Python sees it is untyped pointers, so it is Any here and typed by our classes.
llama: Any = importlib.import_module("llama_cpp.llama_cpp")
VERSION: str = importlib.import_module("llama_cpp").__version__

log = logging.getLogger(__name__)

WARN, ERROR = 3, 4  # of enum ggml_log_level
KINDS = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel", 4: "meta"}

_last_errors: deque[str] = deque(maxlen=4)


@llama.llama_log_callback  # type: ignore[untyped-decorator]
def on_log(level: int, text: bytes, _user_data: object) -> None:
    """Take what llama.cpp and mtmd say: complaints are logged, and kept for `take_last_error`."""
    if level in {WARN, ERROR}:
        line = text.decode("utf-8", "replace").strip()
        if level == ERROR:
            _last_errors.append(line)
        log.log(logging.ERROR if level == ERROR else logging.INFO, "llama.cpp: %s", line)


def start() -> None:
    """Prepare the library once per process: quiet log, backends found."""
    # The callback object lives as long as this module: a collected one crashes the process.
    llama.llama_log_set(on_log, ctypes.c_void_p(0))
    llama.llama_backend_init()


def take_last_error() -> str:
    """What llama.cpp complained about since the last call, or an empty text."""
    # The first complaint tells the reason, the later ones what could not be done because of it.
    said = "; ".join(_last_errors)
    _last_errors.clear()
    return said


def backends() -> tuple[str, ...]:
    """What this llama.cpp was built for, such as `CUDA` and `CPU`; found or not."""
    ggml = _ggml()
    return tuple(
        ggml.ggml_backend_reg_name(ggml.ggml_backend_reg_get(index)).decode("utf-8", "replace")
        for index in range(ggml.ggml_backend_reg_count())
    )


def devices() -> tuple[Device, ...]:
    """Every device ggml can compute on, as it lists them, with the memory that is free now."""
    ggml = _ggml()
    return tuple(
        _device(ggml, ggml.ggml_backend_dev_get(index))
        for index in range(ggml.ggml_backend_dev_count())
    )


def _ggml() -> Any:
    """The library of ggml with the types of what we call; llama_cpp binds none of it."""
    ggml: Any = importlib.import_module("llama_cpp._ggml").libggml
    size, handle = ctypes.c_size_t, ctypes.c_void_p
    size_p = ctypes.POINTER(size)
    for name, result, arguments in (
        ("reg_count", size, []),
        ("reg_get", handle, [size]),
        ("reg_name", ctypes.c_char_p, [handle]),
        ("dev_count", size, []),
        ("dev_get", handle, [size]),
        ("dev_name", ctypes.c_char_p, [handle]),
        ("dev_description", ctypes.c_char_p, [handle]),
        ("dev_type", ctypes.c_int, [handle]),
        ("dev_memory", None, [handle, size_p, size_p]),
    ):
        # Some of them live in the base library, which the main one links.
        function = getattr(ggml, f"ggml_backend_{name}")
        function.argtypes, function.restype = arguments, result
    return ggml


def _device(ggml: Any, handle: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    return Device(
        name=ggml.ggml_backend_dev_name(handle).decode("utf-8", "replace"),
        description=ggml.ggml_backend_dev_description(handle).decode("utf-8", "replace"),
        kind=KINDS.get(ggml.ggml_backend_dev_type(handle), "unknown"),
        memory_free_bytes=free.value,
        memory_total_bytes=total.value,
    )
