"""Every setting of the store: one frozen tree, read from the environment, then a file."""

import os
import secrets
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from marketplace.inference.settings import InferenceSettings
from marketplace.infra.egress import EgressSettings
from marketplace.infra.mail import MailSettings
from marketplace.kernel.errors import Invalid
from marketplace.publishing.settings import PublishingSettings
from marketplace.review.settings import ReviewSettings
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.settings import SandboxSettings
from marketplace.web.settings import WebSettings

ROOT = Path(__file__).parent.parent
PREFIX = "CARAVAN_"
FILE_VARIABLE = "CARAVAN_CONFIG"
LONGEST_SOCKET_PATH = 100


class Stage(StrEnum):
    """Where the store runs."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class MissingSecret(Invalid):
    """A production store has no secret key."""


class Settings(BaseSettings):
    """The whole tree. The environment wins over the file, the file over the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    stage: Stage = Field(
        Stage.DEVELOPMENT, description="`production` refuses to start without its secrets."
    )
    data_dir: Path = Field(Path(".caravan"), description="Folder for everything the store keeps.")
    database_url: str = Field(
        "", description="PostgreSQL address; empty: a SQLite file in the data folder."
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs form tokens and pseudonyms, seals people's secrets. In development one "
        "is made and kept in the data folder; in production it must be given.",
    )
    previous_secret_key: SecretStr = Field(
        SecretStr(""),
        description="The secret key before this one, while people's secrets are still sealed with "
        "it. Saving a secret again seals it with the new key; one that no key opens is asked for.",
    )
    web: WebSettings = Field(WebSettings(), description="How the store is reached.")
    mail: MailSettings = Field(MailSettings(), description="How letters leave the store.")
    egress: EgressSettings = Field(EgressSettings(), description="Web requests of apps.")
    inference: InferenceSettings = Field(InferenceSettings(), description="The shared model.")
    sandbox: SandboxSettings = Field(SandboxSettings(), description="The runners of apps.")
    publishing: PublishingSettings = Field(
        PublishingSettings(), description="What developers may hand in."
    )
    review: ReviewSettings = Field(ReviewSettings(), description="What a release must pass.")
    runs: RunSettings = Field(RunSettings(), description="Runs of apps.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the TOML file CARAVAN_CONFIG names."""
        file = os.environ.get(FILE_VARIABLE)
        toml = TomlConfigSettingsSource(settings_cls, Path(file)) if file else None
        return tuple(s for s in (init_settings, env_settings, toml) if s is not None)

    @property
    def is_development(self) -> bool:
        """Whether the store runs where it is built, and may show what only its builders need."""
        return self.stage is Stage.DEVELOPMENT

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return self.data_dir.expanduser().resolve()

    @property
    def demo_model(self) -> Path:
        """The small model that comes with the store."""
        return ROOT / "models" / "caravan-demo.gguf"

    def cache_dir(self) -> Path:
        """Where what can be made again is kept, shared by every store of this user."""
        home = os.environ.get("XDG_CACHE_HOME")
        return (Path(home) if home else Path.home() / ".cache") / "caravan"

    def database_address(self) -> str:
        """The database's address."""
        return self.database_url or f"sqlite:///{self.folder / 'store.db'}"

    def socket(self, name: str) -> Path:
        """The unix socket of one part of the store.

        A socket's path may have 107 bytes at most, so a deep data folder gets a short stand-in.
        """
        path = self.folder / "sockets" / f"{name}.sock"
        if len(str(path)) <= LONGEST_SOCKET_PATH:
            return path
        stamp = self.folder.stat().st_ino
        return Path(gettempdir()) / f"caravan-{os.getuid()}-{stamp}" / f"{name}.sock"

    def signing_key(self) -> str:
        """The secret key; in development it is made once. Raises: MissingSecret."""
        given = self.secret_key.get_secret_value()
        if given:
            return given
        if self.stage is Stage.PRODUCTION:
            raise MissingSecret(
                "A production store needs CARAVAN_SECRET_KEY: set it to 32 random bytes or more, "
                'such as the output of: python3 -c "import secrets; print(secrets.token_hex(32))"'
            )
        file = self.folder / "secret-key"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / f"secret-key.{os.getpid()}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write(secrets.token_hex(32))
            temporary.replace(file)
        return file.read_text()


def described(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[dict[str, Any]]:
    """Each setting of the tree: its environment variable, type, default and description."""
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from described(kind, f"{prefix}{name.upper()}__")
            continue
        default = info.get_default(call_default_factory=True)
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        yield {
            "variable": f"{prefix}{name.upper()}",
            "type": getattr(kind, "__name__", str(kind)),
            "default": default,
            "description": info.description or "",
        }


def as_markdown() -> str:
    """The page docs/settings.md, whole."""
    lines = [
        "# Settings",
        "",
        "Each setting is an environment variable; the same names, nested and in small letters, may",
        "stand in a TOML file that `CARAVAN_CONFIG` names. The environment wins over the file.",
        "This page is generated by `marketplace settings` and checked by the tests.",
        "",
        "| variable | type | default | what it does |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{row['variable']}` | {row['type']} | {_shown(row['default'])} | {row['description']} |"
        for row in described()
    ]
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    return "" if default in ("", None) else f"`{default}`"
