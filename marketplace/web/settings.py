"""Settings of the web room."""

from pydantic import BaseModel, ConfigDict, Field


class WebSettings(BaseModel):
    """How the store is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store_name: str = Field("Caravan", description="The store's name on every page.")
    host: str = Field(
        "127.0.0.1", description="Address to listen on. Put a proxy in front to face the world."
    )
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on.")
    public_url: str = Field(
        "",
        description="The address people use; empty: http://127.0.0.1 with the port. "
        "With https, cookies are marked Secure.",
    )
    workers: int = Field(1, ge=1, description="Web processes; one serves about 200 streams.")
    threads: int = Field(256, ge=16, description="Threads of each web process.")
    streams_per_person: int = Field(
        8, ge=1, description="Streams one person may follow at once in one web process."
    )
    page_cache_s: float = Field(
        5,
        ge=0,
        description="Seconds for which visitors who are not signed in see the same page again, "
        "and as long once more while it is made anew; 0 makes every page anew.",
    )
    max_upload_bytes: int = Field(
        12 * 1024 * 1024, description="Largest request body accepted, in bytes."
    )
    proxies: int = Field(
        0,
        ge=0,
        description="How many proxies of yours stand in front; each adds to X-Forwarded-For. "
        "Wrong numbers let people forge their address.",
    )

    @property
    def address(self) -> str:
        """Where people reach the store."""
        return self.public_url or f"http://127.0.0.1:{self.port}"
