"""What an app imports: `from caravan import App, Context, Field`.

Everything reachable from here is the standard library alone, because it also runs inside the
store's sandbox. The developer's tools live beside it: `caravan.manifest`, `caravan.bundle`,
`caravan.checks`, `caravan.testing` and the `caravan` command.
"""

from caravan.app import App
from caravan.context import Context
from caravan.errors import CaravanError, HostError, InvalidAction, InvalidInput, PaymentRequired
from caravan.field import Field
from caravan.files import File, Secret
from caravan.results import (
    Chart,
    Column,
    Form,
    Image,
    Json,
    Markdown,
    Result,
    Slot,
    Table,
)

__all__ = [
    "App",
    "CaravanError",
    "Chart",
    "Column",
    "Context",
    "Field",
    "File",
    "Form",
    "HostError",
    "Image",
    "InvalidAction",
    "InvalidInput",
    "Json",
    "Markdown",
    "PaymentRequired",
    "Result",
    "Secret",
    "Slot",
    "Table",
]
