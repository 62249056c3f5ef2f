"""The only importer of wasmtime: an engine with nothing optional, and instances for one run each.

Every runner is a process of its own that is ended by the kernel when its time is over, so the
code carries no epoch checks: they would cost a tenth of the speed and stop less.
"""

import ctypes
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import wasmtime
import wasmtime.component
from wasmtime import _ffi as ffi

from marketplace.sandbox.limits import PAYLOAD_BYTES

# The functions of sdk/runtime/wit/caravan-app.wit; a test compares the two.
INTERFACES: Mapping[str, tuple[str, ...]] = {
    "ads": ("slot",),
    "billing": ("entitled",),
    "clock": ("now", "sleep"),
    "files": ("read",),
    "form": ("ask",),
    "http": ("fetch",),
    "invocation": ("info",),
    "kv": ("cas", "delete", "get", "incr", "keys", "set"),
    "llm": ("complete", "embed", "forward", "next", "open"),
    "loader": ("find", "read"),
    "log": ("write",),
    "meter": ("add",),
    "output": ("progress", "write"),
    "random": ("bytes",),
    "settings": ("get",),
}
# What a component may export that takes texts and answers with one, or with an error's.
EXPORTS = ("compile", "describe", "prepare", "run")
# What an uploaded component may import: it brings its files along in itself.
STRANGERS = {name: each for name, each in INTERFACES.items() if name != "loader"}
STRANGERS_MEMORY_BYTES = 2**30
# Proposals the runtime does not need: each one off is code that nobody can attack.
# (`wasm_reference_types` must stay: without it the engine aborts the process.)
OFF = (
    "gc_support",
    "shared_memory",
    "wasm_component_model_implements",
    "wasm_component_model_map",
    "wasm_custom_page_sizes",
    "wasm_exceptions",
    "wasm_function_references",
    "wasm_gc",
    "wasm_memory64",
    "wasm_multi_memory",
    "wasm_relaxed_simd",
    "wasm_stack_switching",
    "wasm_tail_call",
    "wasm_threads",
    "wasm_wide_arithmetic",
)
# A deep but sane expression parses in this; wasmtime allows no more. A runner's main thread
# must have far more (`walls.STACK_BYTES`), or the guard page would end the process.
WASM_STACK_BYTES = 2 * 2**20
# A mark of the compiled form: a change here must not find an older file.
CONFIG_MARK = f"{','.join(OFF)};stack={WASM_STACK_BYTES};epoch=0"

STRING = ffi.WASMTIME_COMPONENT_STRING.value
RESULT = ffi.WASMTIME_COMPONENT_RESULT.value
TEXT = ctypes.POINTER(ctypes.c_uint8)

# What the host answers: JSON and whether it is the good answer.
Host = Callable[[str, str], tuple[bool, str]]


class Trapped(Exception):
    """The guest broke a rule of WebAssembly itself; its instance is dead."""


class Unfit(Exception):
    """A component that cannot be used, by the rule it breaks."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def engine() -> wasmtime.Engine:
    """The hardened engine; compiler and runner must have the same."""
    config = wasmtime.Config()
    config.strategy = "cranelift"
    config.memory_init_cow = True
    config.max_wasm_stack = WASM_STACK_BYTES
    for name in OFF:
        setattr(config, name, False)
    return wasmtime.Engine(config)


def compile_component(source: Path, target: Path) -> None:
    """Compile a component of ours ahead of time. Effects: writes `target`."""
    component = wasmtime.component.Component.from_file(engine(), source)
    target.write_bytes(component.serialize())


def compile_stranger(component: bytes) -> bytes:
    """Compile a component that anybody may have made, and instantiate it once.

    It may run for long, take much memory or end this process: see `compiler`. Instantiating runs
    nothing of it, as `caravan.checks.component` lets none pass that would start by itself.

    Raises: Unfit.
    """
    ours = engine()
    try:
        found = wasmtime.component.Component(ours, component)
    except wasmtime.WasmtimeError as error:
        raise Unfit("component.invalid", _cause(str(error))) from error
    _check_types(found.type, ours)
    try:
        Runtime(ours, found, STRANGERS, memory_bytes=STRANGERS_MEMORY_BYTES)
    except wasmtime.WasmtimeError as error:
        raise Unfit("component.instance", _cause(str(error))) from error
    return bytes(found.serialize())


def _check_types(found: wasmtime.component.ComponentType, ours: wasmtime.Engine) -> None:
    """Every function takes texts and answers with one; other types would cost the host seconds."""
    for name, imported in found.imports(ours).items():
        interface = imported.ty
        if not isinstance(interface, wasmtime.component.ComponentInstanceType):
            raise Unfit("component.types", f"The import {name} is no interface.")
        for function, item in interface.exports(ours).items():
            if not _is_function(item.ty, 1):
                raise Unfit("component.types", f"{name}#{function} has another type.")
    exported = found.exports(ours)
    for name, count in (("describe", 0), ("run", 2)):
        if name not in exported or not _is_function(exported[name].ty, count):
            raise Unfit("component.types", f"The export {name} has another type.")


def _is_function(kind: object, texts: int) -> bool:
    if not isinstance(kind, wasmtime.component.FuncType):
        return False
    result = kind.result
    takes = [type(each) for _, each in kind.params]
    return (
        takes == [wasmtime.component.String] * texts
        and isinstance(result, wasmtime.component.ResultType)
        and isinstance(result.ok, wasmtime.component.String)
        and isinstance(result.err, wasmtime.component.String)
    )


def error_answer(code: str, message: str) -> str:
    """The JSON of a refusal, as the guest's bridge reads it."""
    return json.dumps({"code": code, "message": message})


class Runtime:
    """One ready instance of a compiled component, for exactly one call.

    Args:
        interfaces: what it may import; anything else and it cannot be made.
        memory_bytes: a first limit, wide enough for the largest run.
    """

    def __init__(
        self,
        ours: wasmtime.Engine,
        component: wasmtime.component.Component,
        interfaces: Mapping[str, tuple[str, ...]],
        *,
        memory_bytes: int,
    ) -> None:
        self._host: Host = _absent
        linker = wasmtime.component.Linker(ours)
        with linker.root() as root:
            for interface, functions in interfaces.items():
                with root.add_instance(f"caravan:app/{interface}@1.0.0") as instance:
                    for name in functions:
                        _add(instance, name, self._trampoline(f"{interface}.{name}"))
        self._store = wasmtime.Store(ours)
        self.limit_memory(memory_bytes)
        self._instance = linker.instantiate(self._store, component)
        found = {each: self._instance.get_func(self._store, each) for each in EXPORTS}
        self._functions = {each: function for each, function in found.items() if function}

    @classmethod
    def of_python(cls, ours: wasmtime.Engine, compiled: Path, *, memory_bytes: int) -> "Runtime":
        """The Python runtime from a file that this machine's builder has made."""
        component = wasmtime.component.Component.deserialize_file(ours, str(compiled))
        return cls(ours, component, INTERFACES, memory_bytes=memory_bytes)

    @classmethod
    def of_stranger(cls, ours: wasmtime.Engine, compiled: bytes, *, memory_bytes: int) -> "Runtime":
        """An uploaded component, from what `compile_stranger` gave on this machine."""
        component = wasmtime.component.Component.deserialize(ours, compiled)
        return cls(ours, component, STRANGERS, memory_bytes=memory_bytes)

    def limit_memory(self, memory_bytes: int) -> None:
        """Limit the guest's memory; the other numbers are what the Python runtime needs."""
        self._store.set_limits(
            memory_size=memory_bytes, memories=1, tables=4, instances=60, table_elements=20_000
        )

    def call(self, export: str, arguments: tuple[str, ...], host: Host) -> tuple[bool, str]:
        """Call an export; true and its answer, or false and its error object.

        Raises: Trapped. After it the instance is used up.
        """
        self._host = host
        function = self._functions.get(export)
        if function is None:
            raise Trapped(f"The component does not export {export}.")
        # Neither these nor the answer are freed: an instance performs one call.
        given = (ffi.wasmtime_component_val_t * len(arguments))(*map(_text_val, arguments))
        answer = ffi.wasmtime_component_val_t()
        error = ffi.wasmtime_component_func_call(
            ctypes.byref(function._func),  # noqa: SLF001
            self._store._context(),  # noqa: SLF001
            given,
            len(given),
            ctypes.byref(answer),
            1,
        )
        if error:
            raise Trapped(_cause(str(wasmtime.WasmtimeError._from_ptr(error))))  # noqa: SLF001
        return answer.of.result.is_ok, _text(answer.of.result.val.contents)

    def warm(self) -> None:
        """Let the guest rehearse where it can, while there is time, over the way of every call.

        Raises: Trapped.
        """
        function = self._instance.get_func(self._store, "warm")
        if function is None:
            return
        self._host = _rehearsed
        try:
            function(self._store)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise Trapped(_cause(str(error))) from error
        finally:
            self._host = _absent

    def _trampoline(self, op: str) -> Callable[[str], tuple[bool, str]]:
        """A host function that answers and never raises.

        An exception in a host callback leaks into another call or, when it is no
        `Exception`, kills the process (wasmtime-py issues 254 and 322).
        """

        def answer(payload: str) -> tuple[bool, str]:
            try:
                return self._answer(op, payload)
            except BaseException as error:  # noqa: BLE001
                message = f"The store failed to answer this call ({type(error).__name__})."
                return False, error_answer("host.failed", message)

        return answer

    def _answer(self, op: str, payload: str) -> tuple[bool, str]:
        # A character may be four bytes in UTF-8, yet JSON of ours is ASCII: this is a fair count.
        if len(payload) > PAYLOAD_BYTES:
            message = f"One call may carry {PAYLOAD_BYTES // 1024} KB at most; send it in parts."
            return False, error_answer("limit.payload", message)
        return self._host(op, payload)


# The functions that guests call, by the number each one's crossing carries. They live as long as
# the process: a zygote makes few instances, and a runner none.
_doors: list[Callable[[str], tuple[bool, str]]] = []


def _add(
    instance: wasmtime.component.LinkerInstance, name: str, door: Callable[[str], tuple[bool, str]]
) -> None:
    """Link a function that takes a text and answers with one.

    wasmtime-py's own `add_func` asks for the types again at every call and makes a class for
    every length of a text, which takes several times as long as the call itself. Here the types
    are known: `_check_types` has seen to it, and WebAssembly's own check stands behind.
    """
    _doors.append(door)
    label = name.encode()
    error = ffi.wasmtime_component_linker_instance_add_func(
        instance.ptr(),
        ctypes.create_string_buffer(label),
        len(label),
        _cross,
        len(_doors) - 1,
        _keep,
    )
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)  # noqa: SLF001


@ffi.wasmtime_component_func_callback_t  # type: ignore[untyped-decorator]
def _cross(
    number: int | None, _context: Any, _type: Any, given: Any, count: int, answers: Any, _: int
) -> int:
    """From a guest's call to its door and back. Raises nothing: a door does not."""
    if count != 1 or given[0].kind != STRING:
        is_good, answer = False, error_answer("host.payload", "A call takes one text.")
    else:
        is_good, answer = _doors[number or 0](_text(given[0]))
    held = _text_val(answer)
    answers[0].kind = RESULT
    answers[0].of.result.is_ok = is_good
    answers[0].of.result.val = ffi.wasmtime_component_val_new(ctypes.byref(held))
    return 0


def _text(value: Any) -> str:
    text = value.of.string
    return ctypes.string_at(text.data, text.size).decode()


def _text_val(text: str) -> Any:
    """A text as wasmtime takes it, in memory of its own."""
    said = text.encode()
    held = ffi.wasmtime_component_val_t()
    held.kind = STRING
    ffi.wasm_byte_vec_new(
        ctypes.byref(held.of.string), len(said), ctypes.cast(ctypes.c_char_p(said), TEXT)
    )
    return held


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)  # type: ignore[untyped-decorator]
def _keep(_number: int | None) -> None:
    """Doors are kept; see `_doors`."""


# What the app of the rehearsal hears. Its code it has by itself.
REHEARSED = {
    "clock.now": "0",
    "invocation.info": '{"entry": "rehearsal", "seed": 1, "locale": "en"}',
}


def _rehearsed(op: str, payload: str) -> tuple[bool, str]:
    json.loads(payload)
    return True, REHEARSED.get(op, "null")


def _absent(op: str, payload: str) -> tuple[bool, str]:
    return False, error_answer("host.absent", "No run has begun.")


def _cause(text: str) -> str:
    """The last line of wasmtime's report says what happened; the rest is addresses."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("wasm trap: ") if lines else "unknown"
