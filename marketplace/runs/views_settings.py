"""The page on which a person sets an app up."""

from caravan import forms, preferences
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import channels, wording
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import App, Release
from marketplace.infra.vault import Vault
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AppId
from marketplace.runs import fields, timers
from marketplace.runs import preferences as kept
from marketplace.runs.consent import ConsentNeeded
from marketplace.runs.pages import SettingsPage
from marketplace.web.auth import actor_id, signed_in_only, wants_json
from marketplace.web.edge import db, status_of
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _

FORGET = "-forget"


class NothingToSet(NotFound):
    """The app has no published release."""


def blueprint(vault: Vault) -> Blueprint:
    """The pages of apps' settings."""
    bp = Blueprint("settings", __name__)

    @bp.get("/apps/<ident>/settings")
    @signed_in_only
    def show(ident: str) -> ResponseReturnValue:
        """What an app may be told once for all runs."""
        app, release = _found(ident)
        return render_template("runs/settings.html", page=_page(vault, app, release))

    @bp.post("/apps/<ident>/settings")
    @signed_in_only
    def save(ident: str) -> ResponseReturnValue:
        """Keep the form; a secret left empty stays as it is."""
        app, release = _found(ident)
        schema = preferences.schema_of(release.manifest.get("setting") or [])
        try:
            kept.keep(
                db(),
                actor_id(),
                AppId(app.id),
                release.manifest,
                fields.values_of(request.form, schema),
                vault=vault,
                forgotten=request.form.getlist(FORGET),
                now=utc_now(),
            )
        except kept.BadSettings as error:
            if wants_json():
                raise
            page = _page(
                vault, app, release, forms.typed(request.form, schema), errors=error.fields
            )
            return render_template("runs/settings.html", page=page), status_of(error)
        flash(_("Saved. The next run has it."), "success")
        return redirect(url_for("settings.show", ident=ident), code=303)

    @bp.post("/apps/<ident>/settings/forget")
    @signed_in_only
    def forget(ident: str) -> ResponseReturnValue:
        """Forget everything that was set for an app."""
        app, _release = _found(ident)
        kept.forget(db(), actor_id(), app.id)
        flash(_("Forgotten, secrets too."), "success")
        return redirect(url_for("settings.show", ident=ident), code=303)

    @bp.post("/apps/<ident>/schedules/<action>")
    @signed_in_only
    def switch(ident: str, action: str) -> ResponseReturnValue:
        """Switch on what an app does by itself, or off with `is_on` empty.

        What the app lacks for it is told on the page that can give it.
        """
        app = catalog.app_by_ident(db(), ident)
        if request.form.get("is_on"):
            try:
                timers.switch_on(
                    db(),
                    app,
                    action,
                    person_id=actor_id(),
                    locale=current_locale(),
                    vault=vault,
                    now=utc_now(),
                )
            except (ConsentNeeded, kept.SettingsNeeded) as error:
                if wants_json():
                    raise
                flash(str(error), "error")
                if isinstance(error, ConsentNeeded):
                    return redirect(url_for("catalog.app", ident=ident) + "#run", code=303)
                return redirect(url_for("settings.show", ident=ident), code=303)
            flash(_("Switched on. You can switch it off here at any time."), "success")
        else:
            timers.switch_off(db(), actor_id(), app.id, action)
            flash(_("Switched off."), "success")
        return redirect(url_for("settings.show", ident=ident) + "#schedules", code=303)

    return bp


def _found(ident: str) -> tuple[App, Release]:
    app = catalog.app_by_ident(db(), ident)
    release = channels.release_for(db(), app, actor_id())
    if release is None:
        raise NothingToSet(_("This app has no published version yet."))
    return app, release


def _page(
    vault: Vault,
    app: App,
    release: Release,
    typed: dict[str, object] | None = None,
    errors: dict[str, str] | None = None,
) -> SettingsPage:
    asked = wording.manifest(release, locale=current_locale()).get("setting") or []
    known = kept.known(db(), vault, actor_id(), app.id, release.manifest)
    _app, name = catalog.app_and_name(db(), app.id, locale=current_locale())
    schema = preferences.schema_of(asked)
    secrets = {
        each["name"]: each["label"]
        for each in asked
        if each["type"] == "secret" and each["name"] in known.values
    }
    schema["required"] = [
        each["name"] for each in asked if each.get("required") and each["name"] not in secrets
    ]
    for secret in secrets:
        said = _("It is set, and never shown again. Leave this empty to keep it.")
        before = schema["properties"][secret].get("description", "")
        schema["properties"][secret]["description"] = f"{before} {said}".strip()
    return SettingsPage(
        app=app,
        app_name=name,
        schema=schema,
        values=typed or known.values,
        errors=errors or {},
        kept=secrets,
        timers=timers.of_app(db(), actor_id(), app, release, name),
        can_forget=kept.is_kept(db(), actor_id(), app.id),
    )
