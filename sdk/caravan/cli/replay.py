"""`caravan replay`: a recorded run again, call by call, in the real sandbox."""

import copy
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from caravan import bundle, withheld, workbench
from caravan.cli.build import built
from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.cli.project import absent
from caravan.errors import HostError

VERSION = 1
Line = dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """An audit log: see docs/audit-log.md."""

    header: Line
    calls: list[Line]
    end: Line


@dataclass
class Tape:
    """Answers each call as the store did, and compares what is asked with what was.

    Args:
        secrets: texts that the recording has a mark in place of.
        output: the bytes of every item, as the app sent them.
    """

    calls: Iterator[Line]
    secrets: Collection[str] = ()
    difference: str = ""
    output: bytearray = field(default_factory=bytearray)
    count: int = 0

    def answer(self, op: str, payload: Line) -> workbench.Timed:
        """The recorded answer. Raises: HostError where the recording has another call."""
        recorded = self._next(op, payload)
        if op == "output.write":
            self.output += _dumped(payload)
        return workbench.Timed(recorded.get("answer"), recorded["at_ms"], recorded.get("refused"))

    def told(self, line: Line) -> Line:
        """The recorded time of a call that the sandbox answered by itself."""
        try:
            return {"at_ms": self._next(line["op"], line.get("payload"))["at_ms"]}
        except HostError:
            return {}

    def _next(self, op: str, payload: Any) -> Line:
        recorded = next(self.calls, None)
        self.count += 1
        problem = self._problem(recorded, op, payload)
        if recorded is None or problem or self.difference:
            self.difference = self.difference or f"Call {self.count}: {problem}"
            raise HostError("replay.differs", self.difference)
        return recorded

    def _problem(self, recorded: Line | None, op: str, payload: Any) -> str:
        asked = f"{op} {_dumped(withheld.without(self.secrets, payload)).decode()}"
        if recorded is None:
            return f"the app asks {asked}, but the recorded run had ended."
        if "payload" not in recorded and "payload_bytes" in recorded:
            return f"the log holds no contents of {recorded['op']}, so it cannot be replayed."
        was = f"{recorded['op']} {_dumped(recorded.get('payload')).decode()}"
        return "" if was == asked else f"the app asks {asked}; recorded was {was}."


@click.command()
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--path",
    type=click.Path(exists=True, path_type=Path),
    default=Path(),
    help="The app's folder, or its .caravan file.  [default: here]",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="PATH=TEXT",
    help="A secret input, which the log does not hold; may be repeated.",
)
@json_option
def replay(*, log: Path, path: Path, secrets: tuple[str, ...], as_json: bool) -> None:
    """Run again what LOG recorded, and say whether every call and byte of output is the same.

    Example: caravan replay 0199c3.audit.jsonl
    """
    recording = read(log)
    opened, is_same_code = _opened(path, recording.header)
    values, texts = whole_input(recording.header, secrets)
    tape = Tape(iter(recording.calls), texts)
    job = workbench.WasmJob(
        code=opened.files,
        entry=opened.manifest.runtime.entry,
        action=recording.header["action"],
        values=values,
        grants=frozenset(recording.header["grants"]),
        limits=opened.manifest.limits.model_dump(),
        locale=recording.header["locale"],
        seed=recording.header["seed"],
        started_at=recording.header["started_at"],
    )
    try:
        outcome = workbench.shared().run(job, tape.answer, tape.told)["outcome"]
    except workbench.NoSandbox as error:
        raise absent(error) from None
    difference = tape.difference or _difference_at_end(recording, tape, outcome)
    report = {
        "same": not difference,
        "same_bundle": is_same_code,
        "calls": tape.count,
        "output_sha256": hashlib.sha256(tape.output).hexdigest(),
        "difference": difference,
    }
    if as_json:
        say_json(report)
    else:
        _say(report)
    if difference:
        click.get_current_context().exit(Exit.DIFFERS)


def read(log: Path) -> Recording:
    """The log's lines. Raises: Failure where it is none, or holds sizes in place of contents."""
    try:
        lines = [json.loads(line) for line in log.read_text("ascii").splitlines() if line]
        header, *calls, last = lines
        end = last["end"]
        known = header["v"]
    except (ValueError, KeyError, TypeError):
        raise _unreadable(f"{log} is not the whole audit log of a run.") from None
    if known != VERSION:
        raise _unreadable(f"{log} has the format {known}; this command reads {VERSION}.")
    if "input" not in header:
        raise _unreadable(f"{log} holds sizes in place of contents, as developers may read it.")
    return Recording(header, calls, end)


def whole_input(header: Line, given: Collection[str]) -> tuple[Line, list[str]]:
    """The run's input with its secrets, and these alone. Raises: Failure where one is not given."""
    values = copy.deepcopy(header["input"])
    texts = dict(each.split("=", 1) for each in given if "=" in each)
    wanted = header.get("withheld", [])
    if texts.keys() != set(wanted):
        hint = " ".join(f"--secret {path}=…" for path in wanted)
        raise Failure(
            Exit.USAGE,
            f"The log holds no secret inputs; this one left out: {', '.join(wanted) or 'none'}.",
            rule="replay.secret",
            fix=f"Give each of them, and no other: {hint}." if wanted else "Leave --secret out.",
        )
    for path, text in texts.items():
        withheld.put(values, path, text)
    return values, list(texts.values())


def _unreadable(message: str) -> Failure:
    return Failure(
        Exit.USAGE,
        message,
        rule="replay.log",
        fix="Download it whole from the run's page, as the person who ran it.",
    )


def _opened(path: Path, header: Mapping[str, Any]) -> tuple[bundle.Bundle, bool]:
    opened = bundle.open_bundle(built(path) if path.is_dir() else path.read_bytes())
    if opened.manifest.app.id != header["app"]:
        raise Failure(
            Exit.USAGE,
            f"The log is of {header['app']}, not of {opened.manifest.app.id}.",
            rule="replay.app",
            fix="Give the app's folder with --path.",
        )
    return opened, opened.sha256 == header.get("bundle")


def _difference_at_end(recording: Recording, tape: Tape, outcome: Line) -> str:
    """What differs although every call was the same."""
    left = next(tape.calls, None)
    if left is not None:
        return f"The run ended before call {tape.count + 1}, recorded as {left['op']}."
    if outcome["kind"] != recording.end["kind"] and recording.end["kind"] != "stopped":
        error = outcome.get("error") or {}
        return (
            f"The run {outcome['kind']} {error.get('message', '')}".strip()
            + f"; recorded was {recording.end['kind']}."
        )
    return ""


def _say(report: Mapping[str, Any]) -> None:
    if not report["same_bundle"]:
        click.echo("Note: the code here is not the release that was recorded.", err=True)
    if report["same"]:
        click.echo(
            f"The same: {report['calls']} calls, output sha256 {report['output_sha256'][:16]}…"
        )
    else:
        click.secho(report["difference"], fg="red", err=True)


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
