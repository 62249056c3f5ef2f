"""Settings of the runs room."""

from pydantic import BaseModel, ConfigDict, Field


class RunSettings(BaseModel):
    """How many runs at once, and for how long their streams are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_once: int = Field(64, ge=1, description="Runs at once in one web process.")
    at_once_per_person: int = Field(3, ge=1, description="Runs at once of one person.")
    stream_days: int = Field(2, ge=1, description="Days the event log of a finished run is kept.")
    audit_days: int = Field(14, ge=1, description="Days the audit log of a run is kept.")
    audit_bytes: int = Field(
        8 * 2**20,
        ge=1,
        description="Bytes after which a run's audit log tells sizes and no contents.",
    )
    max_llm_tokens: int = Field(
        4096, ge=1, description="Most tokens one run may have generated, whatever it asks for."
    )
