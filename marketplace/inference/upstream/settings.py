"""Settings of a language model that other machines serve."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

type_dialect = Literal["openai", "llama-server", "vllm"]


class UpstreamSettings(BaseModel):
    """Where other machines answer, how they are spoken to, and how much they are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        "",
        description="Address of a server that speaks the OpenAI dialect, up to and with its `/v1`; "
        "several, separated by spaces, share the work. Empty: the model is computed here.",
    )
    api_key: SecretStr = Field(
        SecretStr(""), description="Key that is sent to the servers, where they want one."
    )
    dialect: type_dialect = Field(
        "openai",
        description="`llama-server`, `vllm` (Ray Serve too, where it runs vLLM), or `openai` for "
        "what every server understands: without top-k, grammars, cache salts and exact receipts "
        "of answers that were stopped.",
    )
    model: str = Field("", description="The model's name there. Empty: the first one listed.")
    models: dict[Literal["small", "vision"], str] = Field(
        {},
        description="Names of further models there, by what apps may ask for: `small` answers "
        "those that want a fast one, `vision` sees pictures; it may be the same as `model`. "
        "Without `vision`, apps that show pictures are told that no model sees them.",
    )
    embedding_url: str = Field(
        "", description="Address that turns texts into vectors, when it is another one."
    )
    embedding_model: str = Field(
        "",
        description="Name of the model that turns texts into vectors, for apps and for search by "
        "meaning. Empty: as `model`, and search follows words alone.",
    )
    adapters: dict[str, str] = Field(
        {},
        description="Name under which the servers offer an app's adapter, by the sha256 of its "
        "file. Other adapters are refused.",
    )
    max_in_flight: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Requests the servers are given at once, all web processes together; the "
        "others queue here, where apps take turns. A little more than they compute together.",
    )
    affinity_header: str = Field(
        "x-session-id",
        pattern=r"^[A-Za-z0-9-]*$",
        description="Header that is the same for all requests of one release, by which a router "
        "finds the server that knows its instructions already. Empty: none.",
    )
    silence_s: int = Field(
        120,
        ge=1,
        le=3600,
        description="Longest silence of a server, in seconds, before an answer is given up.",
    )

    @field_validator("url", "embedding_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        for address in value.split():
            parts = urlsplit(address)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(f"{address} is no address that begins with http:// or https://")
            if "@" in address:
                raise ValueError("the key belongs into api_key, not into the address")
        return value

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every base address, without a slash at its end."""
        return tuple(address.rstrip("/") for address in self.url.split())

    @property
    def embedding_addresses(self) -> tuple[str, ...]:
        """Every base address that turns texts into vectors."""
        return tuple(each.rstrip("/") for each in self.embedding_url.split()) or self.addresses
