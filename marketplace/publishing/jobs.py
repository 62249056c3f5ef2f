"""Jobs of the publishing room."""

from uuid import UUID

from sqlmodel import select

from marketplace.catalog.models import Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.infra.jobs import Handler, JobContext
from marketplace.kernel.ids import ReleaseId

FORGET_BUNDLE = "publishing.forget_bundle"


def handlers(blobs: Blobs) -> dict[str, Handler]:
    """The job that deletes the bundle of a release that was turned down."""

    def forget_bundle(context: JobContext) -> None:
        release_id = ReleaseId(UUID(context.payload["release_id"]))
        with context.database.reading() as session:
            key = session.get_one(Release, release_id).bundle_key
            others = session.exec(
                select(Release.id).where(
                    Release.bundle_key == key, Release.state != ReleaseState.REJECTED
                )
            ).first()
        if others is None:
            blobs.delete(key)

    return {FORGET_BUNDLE: forget_bundle}
