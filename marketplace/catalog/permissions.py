"""Permissions in plain words."""

from dataclasses import dataclass

from marketplace.kernel.words import noted
from marketplace.web.i18n import gettext as _


@dataclass(frozen=True)
class Words:
    """How one permission is told to people: `level` is low, medium or high."""

    sentence: str
    icon: str
    level: str


TABLE = {
    "llm.generate": Words(noted("Uses the store's language model."), "feather", "low"),
    "llm.embed": Words(noted("Compares texts by their meaning."), "feather", "low"),
    "kv.user": Words(noted("Remembers things for you between runs."), "database", "low"),
    "kv.app": Words(
        noted("Keeps data that everyone who uses the app shares."), "database", "medium"
    ),
    "files.read": Words(noted("Reads the files you pick for a run."), "upload", "medium"),
    "net.fetch": Words(
        noted("Sends and fetches data at the web addresses it lists."), "external-link", "high"
    ),
    "ads.show": Words(
        noted("Shows a labelled advertisement, chosen by the store without your words."),
        "megaphone",
        "low",
    ),
    "billing.entitlement": Words(
        noted("Asks whether you have bought its products."), "key-round", "low"
    ),
    "billing.meter": Words(noted("Counts use that you pay for."), "receipt", "medium"),
    "user.locale": Words(noted("Knows your language."), "languages", "low"),
}


def sentence(name: str) -> str:
    """What a permission allows, in this request's language; its name where it has no words."""
    words = TABLE.get(name)
    return _(words.sentence) if words else name


@dataclass(frozen=True)
class Asked:
    """One permission an app asks for, as its page shows it."""

    icon: str
    title: str
    reason: str
    level: str


def asked(name: str, reason: str) -> Asked:
    """One line of the permission list."""
    words = TABLE.get(name)
    return Asked(
        icon=words.icon if words else "lock",
        title=sentence(name),
        reason=reason,
        level=words.level if words else "high",
    )
