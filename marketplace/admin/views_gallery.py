"""Every component of the store's pages with samples, for those who build them."""

import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from marketplace.catalog.pages import CollectionCard, Ratings, Review, Tile
from marketplace.kernel.ids import RatingId
from marketplace.kernel.money import Money
from marketplace.runs.pages import TimerRow
from marketplace.web.i18n import current_locale
from marketplace.web.templating import STATIC

bp = Blueprint("gallery", __name__)

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
# What people would have written, so in their languages and not in the catalogues.
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "name": "Minutes",
        "long_name": "Everything that was decided, by whom, and when",
        "summary": "Finds the decisions, the tasks and the open questions in your notes.",
        "person": "Salma Haddad",
        "review": "It found two tasks that we had all forgotten. The table is worth it alone.",
        "reply": "Thank you. The next version also knows who was absent.",
        "collection": "The quiet office",
        "lead": "Minutes, messages and tables, drafted while you think of something else.",
        "sentence": "The caravan leaves at dawn, and everybody knows the way.",
        "error": "Write at least 3 characters.",
        "label": "Notes of the meeting",
        "column": "Task",
        "action": "Remind me",
        "every": "Every Monday",
    },
    "ar": {
        "name": "محاضر",
        "long_name": "كل ما تقرّر في الاجتماع ومن قرّره ومتى",
        "summary": "يستخرج القرارات والمهام والأسئلة المفتوحة من ملاحظات الاجتماع.",
        "person": "سلمى حداد",
        "review": "وجد مهمتين كنّا نسيناهما جميعاً. الجدول وحده يستحق.",
        "reply": "شكراً لك. الإصدار القادم يعرف من غاب أيضاً.",
        "collection": "المكتب الهادئ",
        "lead": "محاضر ورسائل وجداول تُكتب مسوّداتها وأنت تفكّر في غيرها.",
        "sentence": "ترحل القافلة عند الفجر، والجميع يعرف الطريق.",
        "error": "اكتب ثلاثة أحرف على الأقل.",
        "label": "ملاحظات الاجتماع",
        "column": "المهمة",
        "action": "ذكّرني",
        "every": "كل يوم اثنين",
    },
}


def samples(words: dict[str, str]) -> dict[str, Any]:
    """One value for each kind of thing that a component shows."""
    idents = ("caravan.minutes", "caravan.tutor", "caravan.helpdesk", "caravan.companion")
    price = Money(4_990_000, "USD")
    tiles = [
        Tile(ident, words["name"], words["summary"], words["person"], "", price, 4.4, 128)
        for ident in idents
    ]
    review = Review(
        id=RatingId(UUID(int=1)),
        author=words["person"],
        stars=4,
        words=words["review"],
        locale=current_locale(),
        version="1.2.0",
        written_at=WHEN,
        helpful_count=7,
        reply=words["reply"],
        state="shown",
    )
    schema = {
        "type": "object",
        "required": ["notes", "tone"],
        "properties": {
            "notes": {
                "type": "string",
                "x-ui": {"label": words["label"], "widget": "textarea"},
                "maxLength": 800,
            },
            "tone": {"enum": ["brief", "friendly"], "x-ui": {"label": words["column"]}},
            "length": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
            "is_numbered": {"type": "boolean", "default": True},
        },
    }
    return {
        "words": words,
        "tile": tiles[0],
        "collection": CollectionCard("sample", words["collection"], words["lead"], tiles),
        "price": price,
        "review": review,
        "ratings": Ratings(
            average=4.4,
            count=128,
            histogram=[(5, 80), (4, 30), (3, 10), (2, 2), (1, 6)],
            reviews=[review],
            may_rate=True,
        ),
        "schema": schema,
        "errors": {"notes": words["error"]},
        "timer": TimerRow(
            "caravan.minutes", words["name"], "remind", words["action"], words["every"], WHEN, ""
        ),
        "results": [
            {
                "kind": "table",
                "columns": [
                    {"label": words["column"], "type": "text"},
                    {"label": "n", "type": "number"},
                ],
                "rows": [[words["action"], 3], [words["sentence"], 12]],
            },
            {
                "kind": "chart",
                "type": "line",
                "title": words["column"],
                "x": [1, 2, 3, 4],
                "series": [{"name": words["name"], "values": [3, 5, 4, 8]}],
            },
            {"kind": "json", "value": {"tasks": [words["action"]]}},
        ],
        "picture": b64encode((STATIC / "img" / "favicon.svg").read_bytes()).decode(),
        "icons": re.findall(r'<symbol id="([^"]+)"', (STATIC / "img" / "icons.svg").read_text()),
        "when": WHEN,
    }


@bp.get("/_gallery")
def gallery() -> ResponseReturnValue:
    """Every macro of `templates/components`, by its file."""
    words = WORDS.get(current_locale(), WORDS["en"])
    return render_template("admin/gallery.html", sample=samples(words))
