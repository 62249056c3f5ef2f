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
def _on_log(level: int, text: bytes, _user_data: object) -> None:
    if level in {WARN, ERROR}:
        line = text.decode("utf-8", "replace").strip()
        if level == ERROR:
            _last_errors.append(line)
        log.log(logging.ERROR if level == ERROR else logging.INFO, "llama.cpp: %s", line)


def start() -> None:
    """Prepare the library once per process: quiet log, backends found."""
    # The callback object lives as long as this module: a collected one crashes the process.
    llama.llama_log_set(_on_log, ctypes.c_void_p(0))
    llama.llama_backend_init()


def take_last_error() -> str:
    """The last thing llama.cpp complained about since the last call, or an empty text."""
    last = _last_errors[-1] if _last_errors else ""
    _last_errors.clear()
    return last


def supports_gpu() -> bool:
    """Whether this build of llama.cpp can compute on a GPU at all."""
    return bool(llama.llama_supports_gpu_offload())


def devices() -> tuple[Device, ...]:
    """Every device ggml can compute on, as it lists them."""
    ggml: Any = importlib.import_module("llama_cpp._ggml").libggml
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    # The properties of a device live in the base library, which the main one links.
    for name in ("name", "description"):
        function = getattr(ggml, f"ggml_backend_dev_{name}")
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    ggml.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_dev_type.restype = ctypes.c_int
    size_p = ctypes.POINTER(ctypes.c_size_t)
    ggml.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size_p, size_p]
    ggml.ggml_backend_dev_memory.restype = None
    return tuple(
        _device(ggml, ggml.ggml_backend_dev_get(index))
        for index in range(ggml.ggml_backend_dev_count())
    )


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
