"""Settings of the runs room."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class HourSettings(BaseModel):
    """What one person may use in an hour, all apps together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_ms: int = Field(600_000, ge=1, description="Computing of apps in an hour, ms.")
    wall_ms: int = Field(10_800_000, ge=1, description="Running of apps in an hour, ms.")
    memory_mb_s: int = Field(
        2_000_000, ge=1, description="Memory of apps in an hour, MiB times seconds."
    )
    output_bytes: int = Field(
        64 * 2**20, ge=1, description="Output and audit logs in an hour, bytes."
    )
    host_calls: int = Field(500_000, ge=1, description="Host calls in an hour, count.")
    llm_tokens: int = Field(
        400_000, ge=1, description="Tokens read (not from a cache) and written in an hour, count."
    )
    kv_bytes: int = Field(64 * 2**20, ge=1, description="Values kept in an hour, bytes.")
    egress_requests: int = Field(1_000, ge=1, description="Web requests in an hour, count.")


class RunSettings(BaseModel):
    """How many runs at once, and for how long their streams are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_once: int = Field(64, ge=1, description="Runs at once in one web process.")
    at_once_per_person: int = Field(3, ge=1, description="Runs at once of one person.")
    ad_views_per_day: int = Field(
        10,
        ge=1,
        description="How often one advertisement may be billed for one person in a day (UTC); "
        "after that they are shown others, count.",
    )
    measures: bool = Field(
        True,
        description="Whether the store runs the samples of each release by itself, one release "
        "in half a minute from two minutes after its start, to show what a run costs.",
    )
    input_bytes: int = Field(
        256 * 1024, ge=1, description="Largest input of a run as JSON, bytes; files do not count."
    )
    stream_days: int = Field(2, ge=1, description="Days the event log of a finished run is kept.")
    audit_days: int = Field(14, ge=1, description="Days the audit log of a run is kept.")
    audit_bytes: int = Field(
        2 * 2**20,
        ge=1,
        description="Bytes after which a run's audit log tells sizes and no contents.",
    )
    hour: HourSettings = Field(HourSettings(), description="What a person may use in an hour.")
    app_times: int = Field(
        50, ge=1, description="How many times a person's hour all people of one app may use."
    )
    paid_share: float = Field(
        2.0,
        ge=0.01,
        le=100,
        description="Share of a busy model that an app which is paid for gets, where a free one "
        "gets 1.",
    )
    shares: dict[str, Annotated[float, Field(ge=0.01, le=100)]] = Field(
        {},
        description="Shares of a busy model of single apps, by their id, in the place of the "
        "share that all free or paid ones get.",
    )
    kv_write_bytes: int = Field(4 * 2**20, ge=1, description="Values one run may keep, bytes.")
    egress_requests: int = Field(50, ge=1, description="Web requests of one run, count.")
    file_bytes: int = Field(
        10 * 2**20, ge=1, description="Largest file a person may give a run, bytes."
    )
    person_file_bytes: int = Field(
        100 * 2**20, ge=1, description="Files kept for one person at a time, bytes."
    )
    file_days: int = Field(2, ge=1, description="Days the files given to a run are kept.")
    file_read_bytes: int = Field(
        64 * 2**20,
        ge=1,
        description="What one run may read of its files, bytes; the same twice counts twice.",
    )
    forms: int = Field(50, ge=1, description="Forms one run may ask its person to fill, count.")
    form_wait_s: int = Field(
        900, ge=1, description="How long one run waits for its person, all its forms together, s."
    )
    max_llm_tokens: int = Field(
        4096, ge=1, description="Most tokens one run may have generated, whatever it asks for."
    )
