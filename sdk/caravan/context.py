"""What an action receives as `ctx`: the model, storage, advertising, entitlements and the log."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from caravan import _host
from caravan.errors import PaymentRequired
from caravan.results import Slot

Message = Mapping[str, str]


class Llm:
    """The store's model. Permission: `llm.generate`."""

    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        json_schema: Mapping[str, Any] | None = None,
    ) -> Iterator[str]:
        """The answer in pieces, as the model makes them.

        Args:
            prompt: the person's words, or a whole conversation of {"role", "content"}.
            system: what the model should be; the same text in every run is decoded only once.
            max_tokens: the longest answer; the store has its own limit too.
            temperature: 0 for the likeliest words, about 1 for variety.
            json_schema: makes the whole answer one JSON text that fits this schema.
        """
        asked = _generation(prompt, system, max_tokens, temperature, json_schema)
        handle = _host.call("llm.open", asked)
        while True:
            answer = _host.call("llm.next", {"handle": handle})
            if "end" in answer:
                return
            yield answer["text"]

    def complete(
        self,
        prompt: str | Sequence[Message],
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        json_schema: Mapping[str, Any] | None = None,
    ) -> str:
        """The whole answer at once, for an app that works on it; the arguments are `stream`'s."""
        asked = _generation(prompt, system, max_tokens, temperature, json_schema)
        text: str = _host.call("llm.complete", asked)["text"]
        return text


def _generation(
    prompt: str | Sequence[Message],
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    json_schema: Mapping[str, Any] | None,
) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}] if system else []
    if isinstance(prompt, str):
        messages.append({"role": "user", "content": prompt})
    else:
        messages.extend(dict(message) for message in prompt)
    options = {"max_tokens": max_tokens, "temperature": temperature, "json_schema": json_schema}
    return {"messages": messages, **{k: v for k, v in options.items() if v is not None}}


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

    def keys(self, prefix: str = "") -> list[str]:
        """The keys that start with `prefix`, in order."""
        found: list[str] = self._call("keys", prefix=prefix)
        return found


class Kv:
    """`user` is one person's part of the app (permission `kv.user`), `app` is shared (`kv.app`)."""

    def __init__(self) -> None:
        self.user = Store("user")
        self.app = Store("app")


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
        self.ads = Ads()
        self.log = Log()
        self.user = User(locale)

    def entitled(self, product: str) -> bool:
        """Whether the person may use `product`. Permission: `billing.entitlement`."""
        return bool(_host.call("billing.entitled", {"product": product}))

    def require(self, product: str) -> None:
        """Go on only for those who bought `product`. Raises: PaymentRequired."""
        if not self.entitled(product):
            raise PaymentRequired(product)
