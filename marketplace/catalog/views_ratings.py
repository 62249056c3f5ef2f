"""Ratings and reviews: reading, writing, voting, flagging, replying, deciding."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import forms, queries, queries_ratings, ratings
from marketplace.catalog.models import App, RatingState
from marketplace.catalog.ratings import HasBought, Opinion
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import RatingId
from marketplace.web.auth import actor, actor_id, operator_only, signed_in_only
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _
from marketplace.web.paging import asked_page

LAST_PAGE = 500


def _flag_kinds() -> list[tuple[str, str]]:
    return [(kind, _(label)) for kind, label in ratings.FLAG_KINDS.items()]


def blueprint(has_bought: HasBought) -> Blueprint:
    """The pages and forms of ratings."""
    bp = Blueprint("ratings", __name__)
    bp.add_app_template_global(_flag_kinds, "flag_kinds")

    def back_to(app: App) -> ResponseReturnValue:
        return redirect(url_for("catalog.app", ident=app.ident, _anchor="ratings"), code=303)

    def back_to_app_of(app_id: UUID) -> ResponseReturnValue:
        return back_to(db().get_one(App, app_id))

    @bp.get("/apps/<ident>/reviews")
    def reviews(ident: str) -> ResponseReturnValue:
        """Every review of an app, or those with so many stars."""
        person = actor()
        stars = request.args.get("stars", 0, type=int)
        page = queries_ratings.reviews_page(
            db(),
            ident,
            person_id=person.id if person else None,
            has_bought=has_bought,
            number=asked_page(LAST_PAGE),
            stars=stars if stars in range(1, 6) else 0,
            locale=current_locale(),
        )
        return render_template("catalog/reviews.html", page=page)

    @bp.post("/apps/<ident>/rating")
    @signed_in_only
    def rate(ident: str) -> ResponseReturnValue:
        """Give or change one's rating of the present version."""
        form = forms.read(forms.RatingForm, request.form)
        app = queries.app_by_ident(db(), ident)
        rating = ratings.rate(
            db(),
            app,
            Opinion(form.stars, form.words, current_locale()),
            person_id=actor_id(),
            has_bought=has_bought,
            now=utc_now(),
        )
        is_held = rating.state is RatingState.HELD
        flash(_(rating.reason) if is_held else _("Thank you. Your rating counts."), "success")
        return back_to(app)

    @bp.post("/apps/<ident>/rating/withdraw")
    @signed_in_only
    def withdraw(ident: str) -> ResponseReturnValue:
        """Take one's ratings of an app back."""
        app = queries.app_by_ident(db(), ident)
        ratings.withdraw(db(), app, person_id=actor_id())
        flash(_("Your rating is gone."), "success")
        return back_to(app)

    @bp.post("/reviews/<uuid:rating_id>/helpful")
    @signed_in_only
    def vote(rating_id: UUID) -> ResponseReturnValue:
        """Say that a review helped, or take that back."""
        rating = ratings.vote(db(), RatingId(rating_id), person_id=actor_id())
        return back_to_app_of(rating.app_id)

    @bp.post("/reviews/<uuid:rating_id>/flag")
    @signed_in_only
    def flag(rating_id: UUID) -> ResponseReturnValue:
        """Say that a review should not be shown."""
        form = forms.read(forms.FlagForm, request.form)
        rating = ratings.flag(
            db(), RatingId(rating_id), reporter_id=actor_id(), kind=form.kind, now=utc_now()
        )
        flash(_("Thank you. A person will read this review."), "success")
        return back_to_app_of(rating.app_id)

    @bp.post("/reviews/<uuid:rating_id>/reply")
    @signed_in_only
    def reply(rating_id: UUID) -> ResponseReturnValue:
        """Answer a review as the app's developer."""
        form = forms.read(forms.ReplyForm, request.form)
        rating = ratings.reply(
            db(), RatingId(rating_id), developer_id=actor_id(), words=form.words, now=utc_now()
        )
        flash(_("Your reply stands below the review."), "success")
        return back_to_app_of(rating.app_id)

    @bp.get("/reviews/waiting")
    @operator_only
    def waiting() -> ResponseReturnValue:
        """Reviews that an operator should read."""
        found = queries_ratings.waiting(db(), locale=current_locale())
        return render_template("catalog/waiting_reviews.html", waiting=found)

    @bp.post("/reviews/<uuid:rating_id>/decision")
    @operator_only
    def decide(rating_id: UUID) -> ResponseReturnValue:
        """Keep or remove a review."""
        form = forms.read(forms.DecisionForm, request.form)
        ratings.decide(
            db(),
            RatingId(rating_id),
            operator_id=actor_id(),
            removes=form.removes == "yes",
            reason=form.reason,
        )
        flash(_("Decided."), "success")
        return redirect(url_for("ratings.waiting"), code=303)

    return bp
