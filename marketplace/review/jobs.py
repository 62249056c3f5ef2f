"""Jobs of the review room."""

from uuid import UUID

from marketplace.infra.blobs import Blobs
from marketplace.infra.jobs import Handler, JobContext
from marketplace.kernel.ids import ReleaseId
from marketplace.review import pipeline
from marketplace.review.settings import ReviewSettings
from marketplace.sandbox.ports import Sandbox
from marketplace.sandbox.settings import SandboxSettings


def handlers(
    sandbox: Sandbox, blobs: Blobs, settings: ReviewSettings, sandbox_settings: SandboxSettings
) -> dict[str, Handler]:
    """The job that checks an uploaded release."""

    def check_release(context: JobContext) -> None:
        pipeline.check(
            context.database,
            ReleaseId(UUID(context.payload["release_id"])),
            sandbox=sandbox,
            blobs=blobs,
            settings=settings,
            sandbox_settings=sandbox_settings,
            now=context.now,
        )

    return {"review.check_release": check_release}
