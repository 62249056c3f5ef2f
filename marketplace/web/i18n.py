"""Languages: which one a request is in, its messages, numbers, dates and money."""

import gettext as stdlib_gettext
import io
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, Response, g, has_request_context, request
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from marketplace.kernel.bidi import isolated
from marketplace.kernel.money import Money
from marketplace.web.auth import actor

TRANSLATIONS = Path(__file__).parent.parent / "translations"
SOURCE_LOCALE = "en"
COOKIE = "caravan_lang"
YEAR_S = 365 * 24 * 3600


@cache
def locales() -> tuple[str, ...]:
    """The languages of this store: English, and each folder of translations."""
    found = sorted(po.parent.parent.name for po in TRANSLATIONS.glob("*/LC_MESSAGES/*.po"))
    return (SOURCE_LOCALE, *found)


@cache
def catalogue(locale: str) -> stdlib_gettext.NullTranslations:
    """A language's messages, compiled in memory from its .po file."""
    file = TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po"
    if not file.exists():
        return stdlib_gettext.NullTranslations()
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=locale))
    compiled.seek(0)
    return stdlib_gettext.GNUTranslations(compiled)


def current_locale() -> str:
    """This request's language: asked for, remembered, the person's, the browser's, English."""
    if not has_request_context():
        return SOURCE_LOCALE
    if "locale" not in g:
        g.locale = _choose()
    return str(g.locale)


def _choose() -> str:
    person = actor()
    wishes = (
        request.args.get("lang"),
        request.cookies.get(COOKIE),
        person.locale if person else None,
        _of_browser(),
    )
    return next((wish for wish in wishes if wish in locales()), SOURCE_LOCALE)


def _of_browser() -> str | None:
    # werkzeug's best_match prefers a later exact match: it would give English to “ar-EG, en”.
    for wish, quality in request.accept_languages:
        for known in (wish, wish.partition("-")[0]):
            if quality > 0 and known in locales():
                return known
    return None


def direction(locale: str) -> str:
    """`rtl` or `ltr`, for the dir attribute."""
    return Locale.parse(locale).text_direction


@dataclass(frozen=True)
class Language:
    """A language as its own speakers know it.

    Args:
        mark: a letter or two that stand for its name.
    """

    key: str
    name: str
    mark: str


@cache
def languages() -> tuple[Language, ...]:
    """Every language of this store, each named in itself."""
    found = []
    for key in locales():
        name = Locale.parse(key).get_display_name(key) or key
        # One letter where letters are joined, and not that of the Arabic article.
        mark = name.removeprefix("ال")[:1] if direction(key) == "rtl" else name[:2].capitalize()
        found.append(Language(key, name, mark))
    return tuple(found)


def gettext(message: str, /, **values: object) -> str:
    """The message in this request's language, with `%(name)s` filled in."""
    text = _in_this_language(message)
    return text % _parts(values) if values else text


def _in_this_language(message: str) -> str:
    # The empty message is where a catalogue keeps its own particulars.
    return catalogue(current_locale()).gettext(message) if message else ""


def ngettext(singular: str, plural: str, count: int, /, **values: object) -> str:
    """The message in the plural form that `count` takes in this request's language."""
    text = catalogue(current_locale()).ngettext(singular, plural, count)
    return text % _parts({"num": count, **values})


def _parts(values: dict[str, object]) -> dict[str, object]:
    """What is filled into a sentence: names of strangers must not turn the rest of it."""
    towards = direction(current_locale())
    return {
        name: isolated(value, towards) if type(value) is str else value
        for name, value in values.items()
    }


@pass_eval_context
def _template_gettext(context: EvalContext, message: str, /, **values: object) -> str:
    text = _in_this_language(message)
    if not values:
        # It may be no message of ours but what an app said, which is neither markup nor a form.
        return text
    return (Markup(text) if context.autoescape else text) % _parts(values)  # noqa: S704  (ours)


@pass_eval_context
def _template_ngettext(
    context: EvalContext, singular: str, plural: str, num: int, /, **values: object
) -> str:
    text = catalogue(current_locale()).ngettext(singular, plural, num)
    whole = Markup(text) if context.autoescape else text  # noqa: S704  (ours)
    return whole % _parts({"num": num, **values})


def format_number(value: float) -> str:
    """A number as this language writes it."""
    return numbers.format_decimal(value, locale=current_locale())


def format_money(amount: Money) -> str:
    """An amount as this language writes it; fractions of a cent are shown where there are any."""
    digits = numbers.get_currency_precision(amount.currency)
    value = amount.decimal()
    whole = value == round(value, digits)
    text = numbers.format_currency(
        value,
        amount.currency,
        format=None if whole else _with_fractions(current_locale()),
        currency_digits=whole,
        locale=current_locale(),
    )
    if direction(current_locale()) == "ltr":
        return text
    # In a right-to-left line the sign of "US$" jumps before its letters, so the amount is set
    # apart as left-to-right: the isolates U+2066 and U+2069 in place of CLDR's bare U+200F.
    return "\u2066" + text.replace("\u200f", "") + "\u2069"


def _with_fractions(locale: str) -> str:
    """This language's pattern of an amount, with room for fractions of a cent."""
    pattern: str = Locale.parse(locale).currency_formats["standard"].pattern
    return pattern.replace("0.00", "0.00####")


def format_rating(average: float) -> str:
    """An average of stars, always with one decimal, so that those of a list compare."""
    return numbers.format_decimal(average, "0.0", locale=current_locale())


def format_datetime(instant: datetime) -> Markup:
    """An instant to the minute: in UTC, and by the reader's own clock where a script can run."""
    pattern = str(dates.get_datetime_format("medium", locale=current_locale()))
    words = pattern.replace("{0}", _time_of_day(instant)).replace("{1}", format_date(instant))
    return Markup('<time datetime="{}" data-controller="time">{}</time>').format(
        instant.isoformat(), words
    )


def format_date(instant: datetime) -> str:
    """The day of an instant, in UTC, with its month in letters."""
    return dates.format_skeleton("yMMMd", instant, locale=current_locale())


def format_time(instant: datetime) -> Markup:
    """The time of day of an instant, to the minute, as `format_datetime` tells it."""
    return Markup('<time datetime="{}" data-controller="time" data-time-of-day>{}</time>').format(
        instant.isoformat(), _time_of_day(instant)
    )


def _time_of_day(instant: datetime) -> str:
    return f"{dates.format_time(instant, 'short', locale=current_locale())} UTC"


def format_percent(percent: float) -> str:
    """So many of a hundred."""
    return numbers.format_percent(percent / 100, locale=current_locale())


def format_ms(milliseconds: float) -> str:
    """A duration: milliseconds below one second, else seconds with one decimal."""
    if milliseconds < 1000:
        return gettext("%(n)s ms", n=format_number(round(milliseconds)))
    return gettext("%(n)s s", n=format_number(round(milliseconds / 1000, 1)))


def format_memory(count: int) -> str:
    """Bytes of memory, in GiB with one decimal, or in MiB below one GiB."""
    if count < 2**30:
        return gettext("%(n)s MiB", n=format_number(round(count / 2**20)))
    return gettext("%(n)s GiB", n=format_number(round(count / 2**30, 1)))


def format_bytes(count: int) -> str:
    """The size of a file: kB below one megabyte, rounded up, else MB, with one decimal."""
    if count < 1_000_000:
        return gettext("%(n)s kB", n=format_number(-(-count // 100) / 10))
    return gettext("%(n)s MB", n=format_number(round(count / 1_000_000, 1)))


def remember(response: Response, locale: str) -> None:
    """Have the browser keep a language of the store."""
    response.set_cookie(COOKIE, locale, max_age=YEAR_S, samesite="Lax", httponly=True)


def _remember_asked(response: Response) -> Response:
    asked = request.args.get("lang")
    if asked in locales():
        remember(response, asked or "")
    return response


def install(app: Flask) -> None:
    """Translations and formats for templates; `?lang=` is remembered in a cookie."""
    app.after_request(_remember_asked)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension's own
    app.jinja_env.globals.update(
        gettext=_template_gettext,
        ngettext=_template_ngettext,
        format_number=format_number,
        format_money=format_money,
        format_datetime=format_datetime,
        format_date=format_date,
        format_ms=format_ms,
        format_time=format_time,
        format_memory=format_memory,
        format_percent=format_percent,
        format_rating=format_rating,
        format_bytes=format_bytes,
        text_direction=direction,
    )
    app.context_processor(
        lambda: {
            "locale": current_locale(),
            "dir": direction(current_locale()),
            "languages": languages(),
        }
    )
