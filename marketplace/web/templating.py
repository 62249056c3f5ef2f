"""What every template may use: static addresses, Markdown, time, letters."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nh3
from flask import Flask, Response, current_app, render_template, request
from jinja2 import StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from sqlmodel import Session

from marketplace.infra import mail
from marketplace.kernel.bidi import contained
from marketplace.web import theme

STATIC = Path(__file__).parent.parent.parent / "static"
# A model breaks its lines where it means to; a developer's text is wrapped by an editor.
FLOWING = MarkdownIt("commonmark", {"html": False, "breaks": False}).enable(["table"])
AS_TYPED = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table"])
LONGEST_MARKDOWN = 100_000
ALLOWED_TAGS = set(
    "p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong a"
    " table thead tbody tr th td".split()
)


def markdown(text: str, *, keeps_lines: bool = False) -> Markup:
    """Markdown that a person, a developer or a model wrote, as safe HTML.

    What is longer than a book's chapter is shown as it is: it would be drawn again for each look.
    """
    if len(text) > LONGEST_MARKDOWN:
        return Markup('<div class="run-text">{}</div>').format(contained(text))
    html = nh3.clean(
        (AS_TYPED if keeps_lines else FLOWING).render(text),
        tags=ALLOWED_TAGS,
        attributes={"a": {"href", "title"}, "th": {"align"}, "td": {"align"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer ugc",
    )
    return Markup(html)  # noqa: S704  (cleaned by nh3 on the line above)


@cache
def _fingerprint(filename: str, changed_ns: int) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:10]


def _add_fingerprint(endpoint: str, values: dict[str, Any]) -> None:
    # A static address changes with its content, so browsers may keep it for ever.
    if endpoint == "static" and "filename" in values:
        file = STATIC / values["filename"]
        if file.is_file():
            values["v"] = _fingerprint(values["filename"], file.stat().st_mtime_ns)


def _keep_static(response: Response) -> Response:
    # A file that another file names by a bare address (a script it imports, a picture of a style
    # sheet) is asked after each time. Vendored files change only with their name.
    is_bare = request.endpoint == "static" and "v" not in request.args
    if is_bare and not request.path.startswith("/static/vendor/"):
        response.cache_control.max_age = None
        response.cache_control.no_cache = True
    return response


def _this_page() -> str:
    """The page to come back to after a change of language or colours."""
    if request.method != "GET":
        return "/"
    asked = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    return request.path + ("?" + urlencode(asked) if asked else "")


def readable_json(value: Any) -> str:
    """A JSON value as people read it: a text, which a template still has to escape."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _contained(value: Any) -> Any:
    """What a template prints: a stranger's text turns nothing around it. Markup is ours."""
    return contained(value) if type(value) is str else value


def send_letter(session: Session, event: str, *, to: str, **context: Any) -> None:
    """Enqueue a letter from `templates/email/<event>/`, in the present language."""
    folder = f"email/{event}"
    mail.send(
        session,
        to=to,
        subject=" ".join(render_template(f"{folder}/subject.txt", **context).split()),
        text=render_template(f"{folder}/body.txt", **context),
        html=render_template(f"{folder}/body.html", **context),
    )


def install(app: Flask) -> None:
    """Filters and globals; a template that names an unknown variable fails."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.finalize = _contained
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["markdown"] = markdown
    app.jinja_env.filters["readable_json"] = readable_json
    app.url_defaults(_add_fingerprint)
    app.after_request(_keep_static)
    app.context_processor(
        lambda: {
            "store_name": current_app.config["STORE_NAME"],
            "store_url": current_app.config["PUBLIC_URL"],
            "theme": theme.chosen(),
            "this_page": _this_page(),
        }
    )
