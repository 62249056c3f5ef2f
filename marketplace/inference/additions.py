"""Adding a model to the registry: fetched, checked, its licence accepted, then kept."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from marketplace.inference.downloads import (
    BadAddress,
    NoSuchFile,
    check_room,
    check_sha256,
    fetch,
    type_progress,
)
from marketplace.inference.gguf_file import check_projector, read_facts
from marketplace.inference.registry import Registry, StoredModel
from marketplace.kernel.errors import Forbidden

HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.gguf)")
HUB_HEADERS = {"User-Agent": "caravan"}


class LicenceDeclined(Forbidden):
    """The operator did not accept a model's licence."""


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence a model states, for a person to accept."""

    model: str
    name: str
    link: str


def _ignore_progress(_done: int, _total: int | None) -> None:
    """Progress nobody watches."""


def add(
    registry: Registry,
    source: str,
    *,
    now: datetime,
    accept: Callable[[Licence], bool],
    progress: type_progress = _ignore_progress,
    sha256: str | None = None,
    projector: str | None = None,
) -> StoredModel:
    """Add a model from a local file, an https address, or `hf:owner/repo/file.gguf`.

    Args:
        now: aware UTC instant, recorded as the time it was added and its licence accepted.
        accept: asked with the licence where the model states one.
        progress: called with the bytes done and all bytes, if known.
        sha256: what the file must have, in hex.
        projector: a source like the model's own, of the file that lets it see pictures.
    Raises: NotAModel, WrongContent, DiskFull, NoSuchFile, DownloadFailed, BadAddress, or
        LicenceDeclined; the registry is then as it was.
    Effects: a file in the registry's folder and a row in `registry.json`.
    """
    registry.folder.mkdir(parents=True, exist_ok=True)
    part = _part(registry, source)
    page_licence = _obtain(source, part, progress)
    file_name = _file_name(source)
    seeing = None
    try:
        digest = check_sha256(part, sha256)
        facts = read_facts(part)
        if projector is not None:
            seeing = _part(registry, projector)
            _obtain(projector, seeing, progress)
            check_projector(seeing, part, _file_name(projector), file_name)
        licence = Licence(file_name, facts.licence or page_licence, facts.licence_link)
        _ask(licence, accept)
    except Exception:
        part.unlink(missing_ok=True)
        if seeing is not None:
            seeing.unlink(missing_ok=True)
        raise
    name = _slug(file_name)
    model = StoredModel(
        name=name,
        title=facts.name or name,
        file=f"{name}.gguf",
        size_bytes=part.stat().st_size,
        sha256=digest,
        source=source,
        architecture=facts.architecture,
        context=facts.context,
        licence=licence.name,
        licence_link=licence.link,
        licence_accepted_at=now if licence.name else None,
        added_at=now,
    )
    return registry.keep(part, model, seeing)


def _part(registry: Registry, source: str) -> Path:
    stamp = hashlib.sha256(source.encode()).hexdigest()[:16]
    return registry.folder / f"{stamp}.part"


def _obtain(source: str, part: Path, progress: type_progress) -> str:
    """Bring the file into `part`. Returns the licence its page states, if any."""
    if hub := HUB.fullmatch(source):
        return _fetch_from_hub(hub["repo"], hub["file"], part, progress)
    if source.startswith("hf:"):
        raise BadAddress(f"{source} is not of the form hf:owner/repository/file.gguf.")
    if "://" in source:
        fetch(source, part, progress)
    else:
        _take_local(Path(source).expanduser(), part, progress)
    return ""


def _ask(stated: Licence, accept: Callable[[Licence], bool]) -> None:
    if stated.name and not accept(stated):
        raise LicenceDeclined(
            f"{stated.model} was not added because its licence ({stated.name}) was not accepted."
        )


def _take_local(path: Path, part: Path, progress: type_progress) -> None:
    if not path.is_file():
        raise NoSuchFile(f"There is no file {path}. Check the path.")
    part.unlink(missing_ok=True)
    size = path.stat().st_size
    try:
        os.link(path.resolve(), part)  # the same disk: no second copy of a large file
    except OSError:
        check_room(part.parent, size)
        shutil.copyfile(path, part)
    progress(size, size)


def _fetch_from_hub(repo: str, file: str, part: Path, progress: type_progress) -> str:
    token = huggingface_hub.get_token()
    headers = HUB_HEADERS | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        card = huggingface_hub.HfApi(token=token).model_info(repo).card_data
    except (HfHubHTTPError, HFValidationError, httpx.HTTPError, OSError) as error:
        raise NoSuchFile(
            f"Hugging Face gives no information on {repo}: {error}. Check the name; for a gated "
            "model accept its terms on its page and set HF_TOKEN."
        ) from error
    fetch(huggingface_hub.hf_hub_url(repo, file), part, progress, headers=headers)
    licence = card.get("license_name") or card.get("license") if card else None
    return licence if isinstance(licence, str) else ""


def _file_name(source: str) -> str:
    path = urlsplit(source).path if "://" in source else source
    return unquote(path).rsplit("/", 1)[-1]


def _slug(file_name: str) -> str:
    stem = file_name.lower().removesuffix(".gguf")
    return re.sub(r"[^a-z0-9.]+", "-", stem).strip("-.") or "model"
