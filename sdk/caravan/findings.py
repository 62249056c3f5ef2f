"""What a check has to say about a release, and the refusal of a bundle."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["pass", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One result of one rule.

    Args:
        rule: a stable name, such as `manifest.unknown-key`.
        message: a full sentence saying what is the case.
        file: path inside the bundle, where there is one.
        line: from 1.
        fix: a full sentence saying what to do.
    """

    rule: str
    level: Level
    message: str
    file: str | None = None
    line: int | None = None
    fix: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as the API and `--json` show it."""
        return asdict(self)


class BundleRefused(Exception):
    """A bundle that cannot be taken; `findings` has every reason, the first is the exception's."""

    def __init__(
        self,
        rule: str,
        message: str,
        file: str | None = None,
        line: int | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.rule, self.message, self.file, self.line = rule, message, file, line
        self.findings: Sequence[Finding] = (Finding(rule, "error", message, file, line, fix),)

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> "BundleRefused":
        """A refusal for one or more reasons."""
        first = findings[0]
        refused = cls(first.rule, first.message, first.file, first.line, first.fix)
        refused.findings = tuple(findings)
        return refused
