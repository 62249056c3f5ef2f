"""The sandbox's slice of the settings."""

from pydantic import BaseModel, ConfigDict, Field

from marketplace.sandbox.ports import Limits


class SandboxSettings(BaseModel):
    """How many apps run at once, and what each may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_runners: int = Field(8, ge=1, description="Runs at the same time, count.")
    max_waiting: int = Field(200, ge=0, description="Runs waiting for a runner, count.")
    max_asking: int = Field(
        32,
        ge=0,
        description="Runs that wait for a form to be filled, count. They come on top of those "
        "at the same time.",
    )
    max_prepared: int = Field(
        4,
        ge=0,
        description="Instances prepared ahead for the releases that run most, count; 0 for none. "
        "They come on top of the runs.",
    )
    prepared_memory_bytes: int = Field(
        128 * 2**20, ge=0, description="Memory that prepared instances may hold, bytes."
    )
    wall_ms: int = Field(60_000, ge=1, description="Usual time limit of a run, ms.")
    wall_ceiling_ms: int = Field(300_000, ge=1, description="Longest a run may ask for, ms.")
    cpu_ms: int = Field(5_000, ge=1, description="Usual computing time of a run, ms.")
    cpu_ceiling_ms: int = Field(30_000, ge=1, description="Most a run may ask for, ms.")
    memory_bytes: int = Field(64 * 2**20, ge=1, description="Usual memory of a run, bytes.")
    memory_ceiling_bytes: int = Field(
        256 * 2**20, ge=1, description="Most memory a run may ask for, bytes."
    )
    output_bytes: int = Field(256 * 1024, ge=1, description="Usual output of a run, bytes.")
    output_ceiling_bytes: int = Field(
        4 * 2**20, ge=1, description="Most output a run may ask for, bytes."
    )
    host_calls: int = Field(10_000, ge=1, description="Usual host calls of a run, count.")
    host_calls_ceiling: int = Field(
        100_000, ge=1, description="Most host calls a run may ask for, count."
    )

    @property
    def usual(self) -> Limits:
        """The limits of a run whose manifest asks for nothing."""
        return Limits(
            wall_ms=self.wall_ms,
            cpu_ms=self.cpu_ms,
            memory_bytes=self.memory_bytes,
            output_bytes=self.output_bytes,
            host_calls=self.host_calls,
        )

    @property
    def ceiling(self) -> Limits:
        """The limits no manifest can exceed."""
        return Limits(
            wall_ms=self.wall_ceiling_ms,
            cpu_ms=self.cpu_ceiling_ms,
            memory_bytes=self.memory_ceiling_bytes,
            output_bytes=self.output_ceiling_bytes,
            host_calls=self.host_calls_ceiling,
        )
