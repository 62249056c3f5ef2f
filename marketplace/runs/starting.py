"""Starts a run for the person who asks, from a form or from a program."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from marketplace.catalog import channels
from marketplace.catalog.models import App, Release
from marketplace.inference.ports import EngineStatus
from marketplace.infra.vault import Vault
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.runs import repeating, service, uploads, wishes
from marketplace.runs.executor import Executor
from marketplace.runs.files import RunFiles
from marketplace.runs.models import Run
from marketplace.runs.settings import RunSettings
from marketplace.runs.uploads import Taken
from marketplace.web.auth import actor_id
from marketplace.web.edge import after_commit, db
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _


@dataclass(frozen=True)
class Starter:
    """Everything a run needs at its start."""

    executor: Executor
    files: RunFiles
    settings: RunSettings
    vault: Vault

    def engine_status(self) -> EngineStatus:
        """What the models can do, for `start`. Raises: Busy.

        It is asked before anything else of the request: an engine that hangs is waited for, and
        a session that writes would hold up every other one meanwhile.
        """
        self.executor.check_room()
        return self.executor.model_status()

    def start(
        self,
        app: App,
        action: str,
        values: dict[str, Any],
        taken: Taken,
        *,
        allowed: Iterable[str],
        engine: EngineStatus,
        has_page: bool = False,
    ) -> Run:
        """Add a run of this person with its files; it begins once the request is committed.

        Args:
            engine: what `engine_status` answered before the request's session began.
            has_page: whether the person goes to the run's page now.
        Raises: what `service.start` raises, ModelUnavailable, TooManyFiles.
        """
        if release := release_of(app):
            wishes.check(release.manifest, engine)
        run = service.start(
            db(),
            app,
            person_id=actor_id(),
            action=action,
            values=values,
            wrong=taken.wrong,
            allowed=allowed,
            locale=current_locale(),
            settings=self.settings,
            vault=self.vault,
            executor=self.executor.name,
            now=utc_now(),
        )
        self.files.keep(
            actor_id(), run.id, taken.picked.values(), most_bytes=self.settings.person_file_bytes
        )
        after_commit(lambda: self.executor.start(run.id, has_page=has_page))
        return run

    def again(self, app: App, run: Run, *, engine: EngineStatus) -> Run:
        """Start what an earlier run of this person was given once more, checked as any run is.

        Args:
            app: the run's, which is in the store.
        Raises: what `start` raises; BadInput also where something of it is kept no longer.
        """
        before = schema_of(db().get_one(Release, run.release_id), run.action)
        now = schema_of(release_of(app), run.action)
        most_bytes = self.settings.file_bytes
        with repeating.taken(
            run, self.files, before=before, now=now, most_bytes=most_bytes
        ) as taken:
            values = uploads.with_files(run.input, now, taken)
            return self.start(
                app, run.action, values, taken, allowed=(), engine=engine, has_page=True
            )


def release_of(app: App) -> Release | None:
    """The version of an app that this person gets now."""
    return channels.release_for(db(), app, actor_id())


def schema_of(release: Release | None, action: str) -> dict[str, Any]:
    """What an action takes. Raises: Invalid."""
    actions = release.actions["actions"] if release else []
    found = next((each for each in actions if each["name"] == action), None)
    if found is None:
        raise Invalid(_("This app has no such action. Reload its page and try again."))
    schema: dict[str, Any] = found["input_schema"]
    return schema
