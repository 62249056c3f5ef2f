"""What a browser may send about an app that somebody reports."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from marketplace.catalog.forms import Words
from marketplace.review.reports import KINDS


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError("no such kind")
    return kind


class ReportForm(BaseModel):
    """What is wrong with an app."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, AfterValidator(_known)]
    words: Words = ""


class ReasonForm(BaseModel):
    """What the developer of an app is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Words = ""
