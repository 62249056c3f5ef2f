"""The models a store has: files under its data folder and one registry beside them."""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import huggingface_hub
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from marketplace.inference.downloads import (
    BadAddress,
    NoSuchFile,
    check_room,
    check_sha256,
    fetch,
    type_progress,
)
from marketplace.inference.gguf_file import read_facts
from marketplace.kernel.errors import Conflict, Forbidden, NotFound

DEMO = "caravan-demo"
HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.gguf)")
HUB_HEADERS = {"User-Agent": "caravan"}


class LicenceDeclined(Forbidden):
    """The operator did not accept a model's licence."""


class NoSuchModel(NotFound):
    """The registry has no model of this name."""


class RegistryBroken(Conflict):
    """The registry's file cannot be read."""


class StoredModel(BaseModel):
    """One model on disk. `licence_accepted_at` is set where the model states a licence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    title: str
    file: str
    size_bytes: int
    sha256: str
    source: str
    architecture: str
    context: int
    licence: str = ""
    licence_link: str = ""
    licence_accepted_at: AwareDatetime | None = None
    added_at: AwareDatetime | None = None


class RegistryFile(BaseModel):
    """What `registry.json` holds; `chosen` is None for the built-in model."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    chosen: str | None = None
    models: tuple[StoredModel, ...] = ()


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence a model states, for a person to accept."""

    model: str
    name: str
    link: str


def _ignore_progress(_done: int, _total: int | None) -> None:
    """Progress nobody watches."""


class Registry:
    """The models of one store.

    Args:
        folder: `<data>/models`; made when the first model is added.
        demo_model: the built-in GGUF, served when none is chosen.
    """

    def __init__(self, folder: Path, demo_model: Path | None) -> None:
        self._folder = folder
        self._demo_model = demo_model

    def models(self) -> tuple[StoredModel, ...]:
        """All models, the built-in one first."""
        return (*self._demo(), *self._read().models)

    def chosen(self) -> StoredModel | None:
        """The model that is to be served, or None when there is none at all."""
        name = self._read().chosen or DEMO
        return next((model for model in self.models() if model.name == name), None)

    def chosen_file(self) -> Path | None:
        """The GGUF that is to be served."""
        chosen = self.chosen()
        if chosen is None:
            return None
        return self._demo_model if chosen.name == DEMO else self._folder / chosen.file

    def use(self, name: str) -> StoredModel:
        """Choose the model to serve from the engine's next start. Raises: NoSuchModel."""
        with self._locked():
            found = next((model for model in self.models() if model.name == name), None)
            if found is None:
                names = ", ".join(model.name for model in self.models()) or "none yet"
                raise NoSuchModel(f"There is no model {name}. There are: {names}.")
            chosen = None if name == DEMO else name
            self._write(self._read().model_copy(update={"chosen": chosen}))
        return found

    def add(
        self,
        source: str,
        *,
        now: datetime,
        accept: Callable[[Licence], bool],
        progress: type_progress = _ignore_progress,
        sha256: str | None = None,
    ) -> StoredModel:
        """Add a model from a local file, an https address, or `hf:owner/repo/file.gguf`.

        Args:
            now: aware UTC instant, recorded as the time it was added and its licence accepted.
            accept: asked with the licence where the model states one.
            progress: called with the bytes done and all bytes, if known.
            sha256: what the file must have, in hex.
        Raises: NotAModel, WrongContent, DiskFull, NoSuchFile, DownloadFailed, BadAddress, or
            LicenceDeclined; the registry is then as it was.
        Effects: a file in the folder and a row in `registry.json`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        stamp = hashlib.sha256(source.encode()).hexdigest()[:16]
        part = self._folder / f"{stamp}.part"
        licence = self._obtain(source, part, progress)
        try:
            digest = check_sha256(part, sha256)
            facts = read_facts(part)
            stated = Licence(_file_name(source), facts.licence or licence, facts.licence_link)
            _ask(stated, accept)
        except Exception:
            part.unlink(missing_ok=True)
            raise
        with self._locked():
            registry = self._read()
            name = _free_name(_slug(_file_name(source)), {m.name for m in registry.models})
            model = StoredModel(
                name=name,
                title=facts.name if facts.name != part.stem else name,
                file=f"{name}.gguf",
                size_bytes=part.stat().st_size,
                sha256=digest,
                source=source,
                architecture=facts.architecture,
                context=facts.context,
                licence=stated.name,
                licence_link=stated.link,
                licence_accepted_at=now if stated.name else None,
                added_at=now,
            )
            part.replace(self._folder / model.file)
            self._write(registry.model_copy(update={"models": (*registry.models, model)}))
        return model

    def _obtain(self, source: str, part: Path, progress: type_progress) -> str:
        """Bring the file into `part`. Returns the licence its page states, if any."""
        if hub := HUB.fullmatch(source):
            return _fetch_from_hub(hub["repo"], hub["file"], part, progress)
        if source.startswith("hf:"):
            raise BadAddress(f"{source} is not of the form hf:owner/repository/file.gguf.")
        if "://" in source:
            fetch(source, part, progress)
            return ""
        _take_local(Path(source).expanduser(), part, progress)
        return ""

    def _demo(self) -> tuple[StoredModel, ...]:
        if self._demo_model is None or not self._demo_model.is_file():
            return ()
        return (
            StoredModel(
                name=DEMO,
                title="Caravan demo",
                file=str(self._demo_model),
                size_bytes=self._demo_model.stat().st_size,
                sha256="",
                source="built in",
                architecture="llama",
                context=0,
            ),
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "registry.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> RegistryFile:
        file = self._folder / "registry.json"
        if not file.exists():
            return RegistryFile()
        try:
            return RegistryFile.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise RegistryBroken(
                f"{file} cannot be read: {error.errors()[0]['msg']}. "
                "Repair it, or remove it and add the models again."
            ) from error

    def _write(self, registry: RegistryFile) -> None:
        file = self._folder / "registry.json"
        temporary = file.with_suffix(".new")
        with temporary.open("w") as out:
            out.write(registry.model_dump_json(indent=2))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)


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
    except (huggingface_hub.errors.HfHubHTTPError, OSError) as error:
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


def _free_name(wanted: str, taken: set[str]) -> str:
    names = (wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken | {DEMO})
