"""Jobs of the review room."""

from datetime import timedelta
from uuid import UUID

import structlog

from marketplace.infra.blobs import Blobs
from marketplace.infra.jobs import Handler, JobContext, enqueue
from marketplace.kernel.ids import ReleaseId
from marketplace.review import pipeline
from marketplace.review.checks.adapter import type_base_model
from marketplace.review.checks.sandboxed import SandboxAway
from marketplace.review.settings import ReviewSettings
from marketplace.sandbox.ports import Sandbox
from marketplace.sandbox.settings import SandboxSettings

CHECK_RELEASE = "review.check_release"
LONGEST_WAIT_S = 60
USUAL_TRIES = 3  # while the runners start

log = structlog.get_logger()


def handlers(
    sandbox: Sandbox,
    blobs: Blobs,
    settings: ReviewSettings,
    sandbox_settings: SandboxSettings,
    base_model: type_base_model,
) -> dict[str, Handler]:
    """The job that checks an uploaded release."""

    def check_release(context: JobContext) -> None:
        release_id = ReleaseId(UUID(context.payload["release_id"]))
        try:
            pipeline.check(
                context.database,
                release_id,
                sandbox=sandbox,
                blobs=blobs,
                settings=settings,
                sandbox_settings=sandbox_settings,
                base_model=base_model,
                now=context.now,
            )
        except SandboxAway as away:
            # At the store's start the worker is often ready before the runners are.
            tries = int(context.payload.get("tries", 0)) + 1
            if tries > USUAL_TRIES:
                log.warning("review.sandbox_away", release=str(release_id), reason=away.message)
            with context.database.writing() as session:
                enqueue(
                    session,
                    CHECK_RELEASE,
                    run_at=context.now + timedelta(seconds=min(tries, LONGEST_WAIT_S)),
                    release_id=str(release_id),
                    tries=tries,
                )

    return {CHECK_RELEASE: check_release}
