"""What the store tells the engine later: the news of releases."""

from marketplace.inference.ports import Inference
from marketplace.infra.jobs import Handler, JobContext

FORGET_RELEASE = "inference.forget_release"


def handlers(inference: Inference) -> dict[str, Handler]:
    """The job that has the engine drop the prompts of a release that is gone."""

    def forget_release(context: JobContext) -> None:
        inference.forget(context.payload["release"])

    return {FORGET_RELEASE: forget_release}
