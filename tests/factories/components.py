"""Small components as text, made into the binary form by wasmtime's own assembler."""

import functools

import wasmtime

ANSWER = "(result (result string (error string)))"
HOST = f'(func (param "payload" string) {ANSWER})'
WRITE = """
    (call $write (i32.const 128) (i32.const 31) (i32.const 32))
    (call $ok)"""
PARTS = {
    "encoding": "string-encoding=utf8",
    "imports": "",
    "memory": '(memory (export "memory") 2)',
    "module": "",
    "component": "",
    "run": WRITE,
    "run_type": f'(param "action" string) (param "input" string) {ANSWER}',
    "run_core": "(param i32 i32 i32 i32) (result i32)",
    "describe": "(call $description)",
    "host": HOST,
}
# The memory comes from a module of its own, because lowering `write` needs it before the app's
# module exists. At 64 stands `{}`, at 128 the item that is written, at 256 the description.
TEXT = """
(component
  (import "caravan:app/output@1.0.0" (instance $output (export "write" {host})))
  {imports}
  (core module $space
    {memory}
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $space (instantiate $space))
  (alias core export $space "memory" (core memory $memory))
  (alias core export $space "realloc" (core func $realloc))
  (core func $write
    (canon lower (func $output "write") (memory (core memory $memory))
      (realloc (core func $realloc)) {encoding}))
  (core module $app
    (import "host" "memory" (memory 1))
    (import "host" "write" (func $write (param i32 i32 i32)))
    (data (i32.const 64) "{{}}")
    (data (i32.const 128) "{{\\"kind\\":\\"text\\",\\"text\\":\\"salaam\\"}}")
    (data (i32.const 256) "{description}")
    (func $answer (param $at i32) (param $bytes i32) (result i32)
      (i32.store (i32.const 0) (i32.const 0))
      (i32.store (i32.const 4) (local.get $at))
      (i32.store (i32.const 8) (local.get $bytes))
      (i32.const 0))
    (func $ok (result i32) (call $answer (i32.const 64) (i32.const 2)))
    (func $description (result i32) (call $answer (i32.const 256) (i32.const {length})))
    {module}
    (func (export "describe") (result i32) {describe})
    (func (export "run") {run_core} {run}))
  (core instance $app (instantiate $app
    (with "host" (instance
      (export "memory" (memory $memory)) (export "write" (func $write))))))
  (func (export "describe") {answer}
    (canon lift (core func $app "describe") (memory (core memory $memory))
      (realloc (core func $realloc)) {encoding}))
  (func (export "run") {run_type}
    (canon lift (core func $app "run") (memory (core memory $memory))
      (realloc (core func $realloc)) {encoding}))
  {component})
"""
DESCRIPTION = (
    '{"actions": [{"name": "go", "title": "Go", "doc": "", "input_schema": '
    '{"type": "object", "properties": {}, "additionalProperties": false}}]}'
)


@functools.cache
def make_component(**given: str) -> bytes:
    """A component that writes one greeting, some of its `PARTS` replaced."""
    parts = {**PARTS, **given}
    text = TEXT.format(
        **parts,
        answer=ANSWER,
        description=DESCRIPTION.replace('"', '\\"'),
        length=len(DESCRIPTION),
    )
    return bytes(wasmtime.wat2wasm(text))
