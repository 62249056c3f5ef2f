"""What the runs of strangers' apps leave in files: an audit log, and a stream that goes on."""

import time
from contextlib import closing
from pathlib import Path

from marketplace.kernel.ids import RunId
from marketplace.runs.audit import AuditLogs
from marketplace.runs.events import EventLogs
from marketplace.runs.questions import Question, Questions
from tests.corpus.forms import output, schema
from tests.corpus.payloads import Strangers


def write_audit(folder: Path, run: RunId, by: Strangers) -> None:
    """Of a finished run: what it asked for, and what was refused."""
    audits = AuditLogs(folder / "runs", most_bytes=10**7)
    with closing(audits.open(run)) as log:
        log.begin({"run": str(run)}, ())
        refused = {"code": by.line("audit-code"), "message": "no"}
        asked = {"n": 1, "op": by.line("audit-op"), "at_ms": 1, "payload": {}}
        log.call({**asked, "refused": refused})
        log.end("finished", None)


def write_stream(folder: Path, live: RunId, by: Strangers) -> None:
    """Of a run that goes on: what has come of it, and a question that waits."""
    with closing(EventLogs(folder / "runs").open(live)) as log:
        log.write("started", {})
        log.write("text", {"text": by.all("live-text")})
        log.write("text", {"text": by.all("live-markdown"), "markdown": True})
        for item in output(by)[2:]:
            log.write("item", item)
        log.write("progress", {"done": 1, "total": 3, "text": by.line("live-progress")})
        log.write("asked", {"number": 1})
    question = Question(1, by.line("question-title"), schema(by, "question"), time.time() + 3600)
    Questions(folder / "questions").ask(live, question)
