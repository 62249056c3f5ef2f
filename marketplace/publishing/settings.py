"""Settings of the publishing room."""

from pydantic import BaseModel, ConfigDict, Field


class PublishingSettings(BaseModel):
    """How much one developer may hand in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uploads_a_day: int = Field(
        40, ge=1, description="Releases one developer may upload in 24 hours, count."
    )
