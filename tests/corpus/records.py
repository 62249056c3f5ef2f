"""A store in which strangers have written every payload into every field that keeps a text."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from caravan import bundle
from caravan.preferences import LONGEST
from sqlmodel import Session, select

from marketplace.accounts.models import Account, AccountSession, ApiToken
from marketplace.ads.models import Campaign, Creative
from marketplace.billing.models import OrderState
from marketplace.catalog import search
from marketplace.catalog.models import (
    App,
    AppState,
    Cost,
    ListingText,
    Rating,
    RatingState,
    Release,
    ReleaseState,
)
from marketplace.infra.jobs import Job, JobState
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, RunId
from marketplace.review.models import AppReport, CheckResult
from marketplace.runs.models import Consent, Preferences, RunState, StopReason, Timer
from tests.corpus.forms import output
from tests.corpus.manifests import IDENT, action, manifest, waiting_manifest
from tests.corpus.payloads import Strangers
from tests.corpus.run_files import write_audit, write_stream
from tests.factories.accounts import make_account, make_session, make_token
from tests.factories.ads import make_flight, make_offer
from tests.factories.billing import make_order
from tests.factories.catalog import make_app, make_product, make_release
from tests.factories.publishing import MANIFEST, with_changes
from tests.factories.runs import make_run
from tests.factories.whole import Whole, whole_store


@dataclass
class Corpus:
    """The store, somebody who may see everything, their cookie, and what there is to see.

    Args:
        person: their account's id.
        pages: path of each page that shows strangers' texts.
        ids: name of a part of an address → what stands there in this store.
    """

    store: Whole
    person: AccountId
    cookie: str
    pages: list[str]
    ids: dict[str, str]
    live: RunId


@contextmanager
def corpus(folder: Path, by: Strangers) -> Iterator[Corpus]:
    """The store with all its records."""
    with whole_store(folder) as store:
        with store.database.writing() as session:
            made = _Records(store, session, by).make()
        yield made


class _Records:
    """Writes the records of one store."""

    def __init__(self, store: Whole, session: Session, by: Strangers) -> None:
        self._store, self._session, self._by, self._now = store, session, by, utc_now()

    def make(self) -> Corpus:
        """Everything, from the people to their letters of complaint."""
        session, now = self._session, self._now
        me = make_account(
            session,
            name=self._by.line("account-name"),
            email=self._by.line("account-email"),
            is_developer=True,
            is_operator=True,
        )
        other = make_account(session, name=self._by.line("reviewer-name"))
        cookie = make_session(session, me, now=now)
        for row in session.exec(select(AccountSession)).all():
            row.user_agent = self._by.line("user-agent")
        make_token(session, me, now=now)
        for token in session.exec(select(ApiToken)).all():
            token.name, token.prefix = self._by.line("token-name"), self._by.line("token-prefix")
        app, release = self._app(me)
        waiting = self._waiting(app)
        blocked = make_app(
            session,
            owner=me,
            ident="tests.blocked",
            state=AppState.BLOCKED,
            blocked_reason=self._by.line("blocked-reason"),
        )
        order = self._order(me)
        self._complaints(app, me, other)
        run, failed, live = self._runs(app, release, me)
        self._ads()
        self._settings(app, me)
        session.add(
            Job(
                name=self._by.line("job-name"),
                state=JobState.FAILED,
                error=self._by.line("job-error"),
                run_at=now,
                created_at=now,
            )
        )
        session.flush()  # the rating's id is asked for below
        held = session.exec(select(Rating).where(Rating.state == RatingState.HELD)).one()
        ids = {
            "ident": app.ident,
            "run_id": str(run),
            "order_id": str(order),
            "release_id": str(waiting),
            "developer_id": str(me.id),
            "rating_id": str(held.id),
            "key": "fun",
            "action": "go",
        }
        pages = [
            "/",
            "/search?q=field",
            "/categories/fun",
            f"/apps/{app.ident}",
            "/apps/tests.bought",
            f"/apps/{app.ident}/reviews",
            f"/apps/{app.ident}/report",
            f"/apps/{app.ident}/settings",
            f"/developers/{me.id}",
            "/reviews/waiting",
            "/my-apps",
            "/runs",
            f"/runs/{run}",
            f"/runs/{run}/audit",
            f"/runs/{failed}",
            "/permissions",
            "/purchases",
            f"/orders/{order}",
            "/accounts/settings",
            "/portal/",
            f"/portal/apps/{app.ident}",
            f"/portal/apps/{blocked.ident}",
            "/portal/tokens",
            "/portal/earnings",
            "/review/",
            "/review/apps/",
            f"/review/apps/{app.ident}",
            f"/review/releases/{waiting}",
            "/admin/",
            "/admin/ads",
            "/admin/ledger",
        ]
        return Corpus(self._store, me.id, cookie, pages, ids, live)

    def _app(self, me: Account) -> tuple[App, Release]:
        session = self._session
        app = make_app(
            session,
            owner=me,
            ident=IDENT,
            name=self._by.line("app-name"),
            summary=self._by.line("app-summary"),
            description=self._by.packed("app-description"),
            rating_count=4,
            rating_total=17,
            trend=0.5,
        )
        for locale in ("ar",):
            session.add(
                ListingText(
                    app_id=app.id,
                    locale=locale,
                    name=self._by.line("listing-name"),
                    summary=self._by.line("listing-summary"),
                    description=self._by.packed("listing-description"),
                )
            )
        key = self._store.blobs.put(b"RIFF0000WEBP")
        release = make_release(
            session,
            app=app,
            state=ReleaseState.PUBLISHED,
            manifest=manifest(self._by),
            actions={"actions": [action(self._by, "go"), action(self._by, "stay")]},
            screenshots=[
                {
                    "key": key,
                    "width": 300,
                    "height": 200,
                    "captions": {"en": self._by.line("caption"), "ar": self._by.line("caption-ar")},
                }
            ],
        )
        app.current_release_id = release.id
        rejected = make_release(
            session,
            app=app,
            version="1.1.0",
            state=ReleaseState.REJECTED,
            verdict=self._by.line("verdict"),
        )
        for each, name in ((release, "check"), (rejected, "check-rejected")):
            session.add(self._check(each, name))
        session.add(
            Cost(
                release_id=release.id,
                engine="",
                model=self._by.line("cost-model"),
                samples=2,
                passed=1,
                total_ms=900,
                measured_at=self._now,
            )
        )
        search.index(session, app)
        for ident, name in (("tests.short", "1"), ("tests.long", "W" * 80)):
            make_app(session, owner=me, ident=ident, name=name, summary="ten lines\n" * 10)
        return app, release

    def _check(self, release: Release, name: str) -> CheckResult:
        return CheckResult(
            release_id=release.id,
            position=1,
            rule=self._by.line(f"{name}-rule"),
            level="error",
            message=self._by.line(f"{name}-message"),
            file=self._by.line(f"{name}-file"),
            line=3,
            fix=self._by.line(f"{name}-fix"),
            found_at=self._now,
        )

    def _waiting(self, app: App) -> Any:
        """A release that waits for a reviewer, with its bundle."""
        text = MANIFEST.replace("tests.echo", IDENT).replace("1.0.0", "1.2.0")
        files = with_changes({"caravan.toml": text, "data/words.txt": self._by.packed("source")})
        release = make_release(
            self._session,
            app=app,
            version="1.2.0",
            manifest=waiting_manifest(self._by),
            bundle_key=self._store.blobs.put(bundle.pack(files)),
        )
        live = self._session.get_one(Release, app.current_release_id)
        live.bundle_key = self._store.blobs.put(bundle.pack(with_changes({})))
        self._session.add(self._check(release, "check-waiting"))
        return release.id

    def _complaints(self, app: App, me: Account, other: Account) -> None:
        third = make_account(self._session, name=self._by.line("third-name"))
        self._review(
            app,
            other,
            version=self._by.line("review-version"),
            words=self._by.packed("review-words"),
            reply=self._by.packed("review-reply"),
            replied_at=self._now,
        )
        self._review(
            app,
            third,
            state=RatingState.HELD,
            words=self._by.packed("held-words"),
            reason=self._by.line("held-reason"),
        )
        bought = self._session.exec(select(App).where(App.ident == "tests.bought")).one()
        self._review(bought, me, state=RatingState.REMOVED, reason=self._by.line("removed-reason"))
        report = AppReport(app_id=app.id, reporter_id=other.id, kind="broken")
        report.words, report.created_at = self._by.packed("report-words"), self._now
        self._session.add(report)

    def _review(self, app: App, person: Account, **given: Any) -> None:
        moments = {"created_at": self._now, "changed_at": self._now}
        values = {"version": "1.0.0", "stars": 4, "words": "", **moments, **given}
        self._session.add(Rating(app_id=app.id, person_id=person.id, **values))

    def _order(self, me: Account) -> Any:
        # Of apps of their own: whoever has to pay first sees no form. One is bought, one sold.
        seller, buyer = make_account(self._session), make_account(self._session)
        bought = self._sale(seller, me.id, "bought")
        self._sale(me, buyer.id, "sold")
        return bought

    def _sale(self, seller: Account, buyer_id: Any, name: str) -> Any:
        app = make_app(
            self._session, name=self._by.line(f"{name}-name"), ident=f"tests.{name}", owner=seller
        )
        product = make_product(self._session, app)
        order = make_order(
            self._session, product=product, buyer_id=buyer_id, state=OrderState.PAID, now=self._now
        )
        order.product_name = self._by.line("order-name")
        return order.id

    def _runs(self, app: App, release: Release, me: Account) -> tuple[RunId, RunId, RunId]:
        """A finished run, a failed one, and one that goes on."""
        session, folder = self._session, self._store.folder
        make_flight(session)
        offer = make_offer(session)
        asked = {
            "text": self._by.line("input-text"),
            "group": {"cell": self._by.line("input-cell")},
        }
        given = {"person_id": me.id, "release_id": release.id, "input": asked}
        given |= {"created_at": self._now, "state_changed_at": self._now}
        slot = {"kind": "slot", "name": "after-result", "offer": str(offer.id)}
        run = make_run(
            session,
            app,
            **given,
            state=RunState.FINISHED,
            output=[*output(self._by), slot],
            model=self._by.line("run-model"),
            permissions_used=["kv.user"],
        )
        failed = make_run(
            session,
            app,
            **given,
            state=RunState.FAILED,
            error_rule=self._by.line("error-rule"),
            error_message=self._by.line("error-message"),
        )
        live = make_run(session, app, **given, state=RunState.RUNNING)
        write_audit(folder, RunId(run.id), self._by)
        write_stream(folder, RunId(live.id), self._by)
        return RunId(run.id), RunId(failed.id), RunId(live.id)

    def _ads(self) -> None:
        campaign = self._session.exec(select(Campaign)).one()
        campaign.advertiser, campaign.name = (
            self._by.line("ad-advertiser"),
            self._by.line("ad-campaign"),
        )
        creative = self._session.exec(select(Creative)).one()
        creative.headline, creative.text = self._by.line("ad-headline"), self._by.line("ad-text")
        creative.cta, creative.url = self._by.line("ad-cta"), 'https://example.org/"><b data-in>'

    def _settings(self, app: App, me: Account) -> None:
        now = self._now
        mine = {"person_id": me.id, "app_id": app.id}
        self._session.add(
            Preferences(
                **mine,
                given={"one": self._by.line("setting-value")[:LONGEST], "two": "b"},
                changed_at=now,
            )
        )
        self._session.add(
            Consent(
                **mine, items=["kv.user"], version=self._by.line("consent-version"), given_at=now
            )
        )
        self._session.add(
            Timer(
                **mine,
                action="go",
                every_s=86400,
                locale="en",
                next_at=now + timedelta(days=1),
                stopped=StopReason.FAILED,
                created_at=now,
            )
        )
