"""`caravan.toml`, the listing texts and the samples: the only copy of their schema."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MICROS = 1_000_000
Category = Literal[
    "writing", "productivity", "language", "business", "learning", "fun", "developer", "travel"
]
CATEGORIES: tuple[str, ...] = get_args(Category)
Permission = Literal[
    "llm.generate",
    "llm.embed",
    "kv.user",
    "kv.app",
    "files.read",
    "net.fetch",
    "ads.show",
    "billing.entitlement",
    "billing.meter",
    "user.locale",
]
MOST_WORDS = 300
HOST = r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$"
PRICE = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?")

Name = Annotated[str, Field(min_length=2, max_length=40)]
Summary = Annotated[str, Field(min_length=10, max_length=100)]
Description = Annotated[str, Field(min_length=20, max_length=8000)]
Word = Annotated[str, Field(min_length=1, max_length=400)]
WebAddress = Annotated[str, Field(pattern=r"^https://[^\s]+$", max_length=300)]
SampleFile = Annotated[str, Field(pattern=r"^\w[\w-]*([./]\w[\w-]*)*$", max_length=150)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]


Value = TypeVar("Value")


def _distinct(values: list[Value], noun: str) -> list[Value]:
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise ValueError(f"The {noun} “{twice[0]}” is there twice; keep one.")
    return values


class Section(BaseModel):
    """The rules of every table: no conversion, no unknown key, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, serialize_by_alias=True)


class AppSection(Section):
    """What the app is, as its page shows it."""

    id: str = Field(
        pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$",
        max_length=100,
        description="The maker and the app in small letters, `maker.app-name`; it never changes.",
    )
    name: Name = Field(description="What people call it, 2 to 40 characters.")
    version: str = Field(
        pattern=r"^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$",
        description="Three numbers, `1.2.0`; every release needs a higher one.",
    )
    summary: Summary = Field(description="One sentence of 10 to 100 characters, for lists.")
    description: Description = Field(
        description="Markdown of 20 to 8000 characters, for the app's page."
    )
    categories: list[Category] = Field(
        min_length=1, max_length=3, description="One to three shelves it stands on, best first."
    )
    licence: str = Field(
        min_length=2, max_length=60, description="An SPDX name such as `Apache-2.0`."
    )
    age: Literal[3, 7, 12, 16, 18] = Field(description="The youngest person it suits, in years.")
    icon: str = Field(
        pattern=r"^assets/[A-Za-z0-9_./-]+\.(svg|png)$",
        description="A square SVG or PNG below `assets/`.",
    )
    support: str | None = Field(
        default=None,
        pattern=r"^((https://|mailto:)[^\s]+|store)$",
        max_length=300,
        description="Where people get help, starting with `https://` or `mailto:`; `store` leads "
        "to those who run it, for apps that come with it.",
    )
    source: WebAddress | None = Field(
        default=None, description="The source code's page, starting with `https://`."
    )
    privacy: WebAddress | None = Field(
        default=None, description="Your privacy statement, starting with `https://`."
    )
    changes: str = Field(
        default="",
        max_length=2000,
        description="What is new in this version, in Markdown; its page keeps every version's.",
    )

    @field_validator("categories")
    @classmethod
    def _each_once(cls, categories: list[Category]) -> list[Category]:
        return _distinct(categories, "category")


class RuntimeSection(Section):
    """How the app starts."""

    kind: Literal["python", "component"] = Field(
        description="`python`, or `component`: a `component.wasm` made from any language."
    )
    entry: str = Field(
        default="app",
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)*$",
        max_length=100,
        description="In Python, the module that has `app = App()`; `app` means the file `app.py`.",
    )
    api: Literal["1"] = Field(description="The version of the contract between app and store.")


class ModelSection(Section):
    """What the app needs of the store's model."""

    context: int = Field(
        default=512,
        ge=64,
        le=1_000_000,
        description="The longest prompt and answer together, in tokens.",
    )
    needs_json: bool = Field(
        default=False, alias="json", description="Whether it asks for answers that fit a schema."
    )
    embeddings: bool = Field(default=False, description="Whether it needs embeddings.")
    vision: bool = Field(default=False, description="Whether it needs a model that sees.")
    adapter: str | None = Field(
        default=None,
        pattern=r"^assets/[A-Za-z0-9_./-]+\.gguf$",
        description="A LoRA in GGUF below `assets/`, made for the model of the store; all answers "
        "of the app are computed with it.",
    )
    small: bool = Field(
        default=False, description="Whether a small, quick model is enough, where there is one."
    )


class LimitsSection(Section):
    """What one run may use at most; the store has its own ceiling."""

    wall_s: int | None = Field(default=None, ge=1, description="Seconds from start to end.")
    cpu_ms: int | None = Field(default=None, ge=1, description="Milliseconds of computing.")
    memory_mb: int | None = Field(default=None, ge=1, description="Memory, in MiB.")
    output_kb: int | None = Field(default=None, ge=1, description="Result, in KiB.")
    host_calls: int | None = Field(default=None, ge=1, description="Calls to the store.")
    llm_tokens: int = Field(default=2048, ge=1, description="Tokens the model may generate.")


class PermissionSection(Section):
    """One thing the app may ask of the store; people read the reason before they run it."""

    name: Permission = Field(description="What it is allowed.")
    reason: str = Field(
        min_length=10, max_length=200, description="Why, in a sentence of 10 to 200 characters."
    )


class ProductSection(Section):
    """Something people can buy."""

    id: Key = Field(description="Small letters, digits and dashes; `ctx.require` takes it.")
    kind: Literal["one_time"] = Field(description="Paid once, kept for good.")
    name: Name = Field(description="What the receipt says, 2 to 40 characters.")
    price: str = Field(description='A decimal text such as `"4.99"`, above 0 and below 10000.')
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="Three capital letters such as `USD`.")
    unlocks: Literal["app", "feature"] = Field(
        default="app",
        description="`app`: needed to run it at all. `feature`: what `ctx.require` asks for.",
    )

    @field_validator("price")
    @classmethod
    def _is_an_amount(cls, price: str) -> str:
        if not PRICE.fullmatch(price) or Decimal(price) == 0:
            raise ValueError(f"“{price}” is not a price; write it like 4.99, above 0.")
        return price

    @property
    def price_micros(self) -> int:
        """The price in millionths of the currency's unit: 4.99 gives 4_990_000."""
        return int(Decimal(self.price) * MICROS)


class AdSlotSection(Section):
    """A place where the store may show an advertisement, with `ctx.ads.slot(name)`."""

    name: Key = Field(description="Small letters, digits and dashes.")
    formats: list[Literal["text"]] = Field(min_length=1, description="What may be shown there.")


class NetworkSection(Section):
    """Where `ctx.http` may go; people read the list before they run the app."""

    allow: list[Annotated[str, Field(pattern=HOST, max_length=200)]] = Field(
        default=[],
        max_length=20,
        description='Host names, such as `"example.org"` or `"*.example.org"` for all below it.',
    )
    reason: str = Field(default="", max_length=200, description="Why, in a sentence.")


class SettingSection(Section):
    """Something the person sets once for the app, on a form the store makes."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", max_length=40, description="What `ctx.settings` has it under."
    )
    type: Literal["text", "number", "integer", "boolean", "choice", "secret"] = Field(
        description="What may be given. The app never sees a secret, only a placeholder for it."
    )
    label: str = Field(min_length=2, max_length=80, description="The form's caption.")
    description: str = Field(default="", max_length=200, description="A sentence below it.")
    required: bool = Field(default=False, description="Whether the app cannot run without it.")
    default: str | bool | int | float | None = Field(
        default=None, description="What it is until somebody sets it."
    )
    choices: list[str] = Field(
        default=[], max_length=50, description="For `choice`: what may be chosen."
    )
    inject: str | None = Field(
        default=None,
        pattern=r"^header:[A-Za-z][A-Za-z0-9-]*$",
        description="For `secret`: the header it is sent in, such as `header:Authorization`.",
    )
    host: str | None = Field(
        default=None, pattern=HOST, description="For `secret`: the only host it is sent to."
    )

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        is_secret = self.type == "secret"
        if is_secret != (self.inject is not None and self.host is not None):
            raise ValueError("A secret needs `inject` and `host`, and nothing else may have them.")
        if is_secret and self.default is not None:
            raise ValueError("A secret can have no default: everybody could read it.")
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("`choices` belongs to the type `choice`, which needs at least one.")
        if self.default is not None and not self._is_fit(self.default):
            raise ValueError(f"The default “{self.default}” is not of the type {self.type}.")
        return self

    def _is_fit(self, value: object) -> bool:
        match self.type:
            case "boolean":
                return isinstance(value, bool)
            case "integer":
                return isinstance(value, int) and not isinstance(value, bool)
            case "number":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "choice":
                return value in self.choices
        return isinstance(value, str)


class ScreenshotSection(Section):
    """A picture of the app at work, on its page."""

    file: str = Field(
        pattern=r"^assets/[A-Za-z0-9_./-]+\.(png|jpg|jpeg|webp)$",
        description="A PNG, JPEG or WebP below `assets/`; the store draws it anew and smaller.",
    )
    caption: str = Field(
        min_length=3, max_length=120, description="What is seen, in 3 to 120 characters."
    )


class ScheduleSection(Section):
    """An action that runs by itself for each person who switched it on, within their budgets."""

    action: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=63,
        description="The action to run; it gets no input, and shows no ads.",
    )
    every: str = Field(
        pattern=r"^[1-9][0-9]{0,3}[mhd]$",
        description="How often: `15m`, `6h` or `1d`; at least `1m`. A release that changes it has "
        "to be switched on again.",
    )

    @property
    def every_s(self) -> int:
        """How often, in seconds: `15m` gives 900."""
        return int(self.every[:-1]) * {"m": 60, "h": 3600, "d": 86400}[self.every[-1]]


class Manifest(Section):
    """A whole `caravan.toml`."""

    app: AppSection
    runtime: RuntimeSection
    model: ModelSection = ModelSection()
    limits: LimitsSection = LimitsSection()
    permission: list[PermissionSection] = Field(default=[], max_length=20)
    product: list[ProductSection] = Field(default=[], max_length=20)
    ad_slot: list[AdSlotSection] = Field(default=[], max_length=5)
    network: NetworkSection = NetworkSection()
    setting: list[SettingSection] = Field(default=[], max_length=20)
    schedule: list[ScheduleSection] = Field(default=[], max_length=5)
    screenshot: list[ScreenshotSection] = Field(default=[], max_length=8)

    @field_validator("permission", "ad_slot", "setting")
    @classmethod
    def _names_once(cls, entries: list[Any]) -> list[Any]:
        _distinct([entry.name for entry in entries], "name")
        return entries

    @model_validator(mode="after")
    def _products_once(self) -> Self:
        _distinct([product.id for product in self.product], "product id")
        return self

    @property
    def permissions(self) -> frozenset[str]:
        """The names of all permissions asked for."""
        return frozenset(entry.name for entry in self.permission)

    @property
    def bundle_name(self) -> str:
        """The file name of this release's bundle."""
        return f"{self.app.id}-{self.app.version}.caravan"


class Listing(Section):
    """`listing/<locale>.toml`: the app's texts in one more language."""

    name: Name
    summary: Summary
    description: Description
    captions: list[Annotated[str, Field(min_length=3, max_length=120)]] = Field(
        default=[], max_length=8
    )
    words: dict[Word, Word] = Field(
        default={},
        max_length=MOST_WORDS,
        description="What else people read in the app, as it stands there, and in this language: "
        "titles and captions of forms, choices, reasons of permissions.",
    )


class Case(Section):
    """One sample: an input people can try, and what the answer must contain."""

    action: str = Field(min_length=1, description="What is run, by the name of its function.")
    input: dict[str, Any] = Field(description="A value for each field, but for files.")
    name: str = Field(default="", description="What it shows, in a few words.")
    expect_contains: list[str] = Field(default=[], description="What the answer must hold.")
    files: dict[str, SampleFile] = Field(
        default={}, description="For each file field, a file below `evals/`: `notes.txt`."
    )
    answers: list[dict[str, Any]] = Field(
        default=[], max_length=100, description="What the person says to each form, in order."
    )
    web: dict[str, str] = Field(
        default={}, max_length=20, description="What each address answers, instead of the web."
    )

    @field_validator("expect_contains", mode="before")
    @classmethod
    def _one_or_many(cls, expected: Any) -> Any:
        return [expected] if isinstance(expected, str) else expected


class Samples(Section):
    """`evals/<name>.toml`."""

    case: list[Case] = Field(min_length=1, max_length=100)
