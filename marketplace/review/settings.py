"""Settings of the review room."""

from pydantic import BaseModel, ConfigDict, Field


class ReviewSettings(BaseModel):
    """Who decides on a release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    auto_approve: bool = Field(
        False,
        description="Publish a release as soon as its checks pass. A name like another app's, and "
        "permissions the live version does not have, still wait for a person.",
    )
