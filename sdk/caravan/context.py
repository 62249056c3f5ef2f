"""What an action receives as `ctx`: the model, storage, the web, the person, the log."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from caravan import _host, schema
from caravan.errors import HostError, PaymentRequired
from caravan.llm import Llm
from caravan.results import Slot

Answer = TypeVar("Answer")


class Store:
    """Values of JSON under text keys, kept between runs."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    def _call(self, verb: str, **payload: Any) -> Any:
        return _host.call(f"kv.{verb}", {"scope": self._scope, **payload})

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, or `default` where there is none."""
        value = self._call("get", key=key)
        return default if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Keep `value` under `key`; None is kept as nothing."""
        self._call("set", key=key, value=value)

    def delete(self, key: str) -> None:
        """Forget `key`; nothing happens where it is unknown."""
        self._call("delete", key=key)

    def incr(self, key: str, by: int = 1) -> int:
        """Add to a whole number in one step, counting from 0, and return the new one."""
        total: int = self._call("incr", key=key, by=by)
        return total

    def cas(self, key: str, expected: Any, value: Any) -> bool:
        """Keep `value` only where `expected` stands now (None: nothing); whether it was so.

        Two runs that change one value at the same time cannot lose either change with it.
        """
        return bool(self._call("cas", key=key, expected=expected, value=value))

    def keys(self, prefix: str = "") -> list[str]:
        """The keys that start with `prefix`, in order."""
        found: list[str] = self._call("keys", prefix=prefix)
        return found


class Kv:
    """`user` is one person's part of the app (permission `kv.user`), `app` is shared (`kv.app`)."""

    def __init__(self) -> None:
        self.user = Store("user")
        self.app = Store("app")


@dataclass(frozen=True)
class Response:
    """What a web address answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Http:
    """Web addresses of the hosts in the manifest's `[network]`. Permission: `net.fetch`."""

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
    ) -> Response:
        """Ask one address and wait for its answer, whatever its status. Raises: HostError."""
        raw = body.encode() if isinstance(body, str) else body
        asked = {
            "method": method,
            "url": url,
            "headers": dict(headers or {}),
            "body_base64": base64.b64encode(raw).decode(),
        }
        found = _host.call("http.fetch", asked)
        return Response(found["status"], found["headers"], base64.b64decode(found["body_base64"]))

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """`fetch` with the method GET."""
        return self.fetch(url, headers=headers)


class Settings(Mapping[str, Any]):
    """What the person set for this app on its settings form; asked of the store once a run.

    What the person left open has the manifest's default, or is absent. A setting of type secret
    is a placeholder here: put it into the header that its `inject` names, in a request over https
    to its `host`, and the store puts the secret there. Anywhere else it is refused, and an answer
    that says it back has the placeholder again.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] | None = None

    def _known(self) -> dict[str, Any]:
        if self._values is None:
            self._values = dict(_host.call("settings.get", {}))
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())


class Ads:
    """Places for advertisements. Permission: `ads.show`."""

    def slot(self, name: str) -> Slot:
        """A declared place; yield it where it should stand. The app never sees what is shown."""
        _host.call("ads.slot", {"name": name})
        return Slot(name)


class Log:
    """The developer's log of this run; the person does not see it."""

    def info(self, text: str) -> None:
        """Note what happened."""
        _host.call("log.write", {"level": "info", "text": text})

    def warning(self, text: str) -> None:
        """Note what may be wrong."""
        _host.call("log.write", {"level": "warning", "text": text})

    def error(self, text: str) -> None:
        """Note what went wrong."""
        _host.call("log.write", {"level": "error", "text": text})

    __call__ = info


class User:
    """What an app may know of the person: their language as a tag such as `ar`."""

    def __init__(self, locale: str) -> None:
        self.locale = locale


class Context:
    """One run of one action.

    Args:
        locale: the person's language, a BCP 47 tag.
    """

    def __init__(self, *, locale: str = "en") -> None:
        self.llm = Llm()
        self.kv = Kv()
        self.http = Http()
        self.settings = Settings()
        self.ads = Ads()
        self.log = Log()
        self.user = User(locale)

    def ask(self, answer: type[Answer], title: str = "") -> Answer:
        """Ask the person something in the middle of the run, and wait for what they say.

        The run's time stands still meanwhile; a store waits for some minutes in all.

        Args:
            answer: a dataclass; its fields become the form, and an object of it comes back.
            title: the form's heading.
        Raises: HostError with `form.no-page` where no page shows the run, such as from the API;
            with `form.unanswered` where nobody answered.
        """
        wanted = {"$schema": schema.DIALECT, **schema.parameter("answer", answer).schema}
        del wanted["x-ui"]
        given = _host.call("form.ask", {"schema": wanted, "title": title})
        if problems := schema.check(given, wanted):
            raise HostError("form.answer", " ".join(problems.values()))
        found: Answer = schema.argument(given, answer)
        return found

    def progress(self, done: int, total: int | None = None, text: str = "") -> None:
        """Show the person how far the work is: `done` of `total` steps, and what is being done."""
        _host.call("output.progress", {"done": done, "total": total, "text": text})

    def meter(self, name: str, n: int = 1) -> None:
        """Count `n` units that the person pays for. Permission: `billing.meter`."""
        _host.call("meter.add", {"name": name, "n": n})

    def entitled(self, product: str) -> bool:
        """Whether the person may use `product`. Permission: `billing.entitlement`."""
        return bool(_host.call("billing.entitled", {"product": product}))

    def require(self, product: str) -> None:
        """Go on only for those who bought `product`. Raises: PaymentRequired."""
        if not self.entitled(product):
            raise PaymentRequired(product)
