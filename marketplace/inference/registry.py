"""The models a store has: files under its data folder and one registry beside them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from marketplace.inference.choice import DEFAULT, VISION
from marketplace.kernel.errors import Conflict, NotFound

DEMO = "caravan-demo"


class NoSuchModel(NotFound):
    """The registry has no model of this name."""


class RegistryBroken(Conflict):
    """The registry's file cannot be read."""


class NoProjector(Conflict):
    """A model without a projector cannot see."""


class StoredModel(BaseModel):
    """One model on disk. `licence_accepted_at` is set where the model states a licence.

    `projector` is the file that lets it see pictures, empty without one.
    """

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
    projector: str = ""


class RegistryFile(BaseModel):
    """What `registry.json` holds; `chosen` is None for the built-in model.

    `roles` are those besides the default, role → name of a model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    chosen: str | None = None
    roles: dict[str, str] = {}
    models: tuple[StoredModel, ...] = ()


class Registry:
    """The models of one store.

    Args:
        folder: `<data>/models`; made when the first model is added.
        demo_model: the built-in GGUF, served when none is chosen.
    """

    def __init__(self, folder: Path, demo_model: Path | None) -> None:
        self.folder = folder
        self._demo_model = demo_model

    def models(self) -> tuple[StoredModel, ...]:
        """All models, the built-in one first."""
        return (*self._demo(), *self._read().models)

    def chosen(self) -> StoredModel | None:
        """The model that is to be served, or None when there is none at all."""
        name = self._read().chosen or DEMO
        return next((model for model in self.models() if model.name == name), None)

    def chosen_file(self) -> Path | None:
        """The GGUF of the default model."""
        chosen = self.chosen()
        return None if chosen is None else self.file_of(chosen)

    def file_of(self, model: StoredModel) -> Path:
        """Where a model's GGUF lies."""
        return Path(model.file) if model.name == DEMO else self.folder / model.file

    def projector_of(self, model: StoredModel) -> Path | None:
        """Where a model's projector lies, if it has one."""
        return self.folder / model.projector if model.projector else None

    def roles(self) -> dict[str, str]:
        """Role → the name of the model that has it, the default first."""
        chosen = self.chosen()
        return {**({DEFAULT: chosen.name} if chosen else {}), **self._read().roles}

    def use(self, name: str, role: str = DEFAULT) -> StoredModel:
        """Give a model a role; whichever had it loses it. Raises: NoSuchModel, NoProjector."""
        with self._locked():
            found = next((model for model in self.models() if model.name == name), None)
            if found is None:
                names = ", ".join(model.name for model in self.models()) or "none yet"
                raise NoSuchModel(f"There is no model {name}. There are: {names}.")
            if role == VISION and not found.projector:
                raise NoProjector(
                    f"{name} has no projector, so it cannot see pictures. Add it again with "
                    f"`marketplace models add {found.source} --projector FILE`."
                )
            registry = self._read()
            if role == DEFAULT:
                changed = registry.model_copy(update={"chosen": None if name == DEMO else name})
            else:
                changed = registry.model_copy(update={"roles": {**registry.roles, role: name}})
            self._write(changed)
        return found

    def clear(self, role: str) -> None:
        """Take a role away from whichever model has it; the default's falls to the built-in one."""
        with self._locked():
            registry = self._read()
            others = {key: name for key, name in registry.roles.items() if key != role}
            update = {"chosen": None} if role == DEFAULT else {"roles": others}
            self._write(registry.model_copy(update=update))

    def stamp(self) -> tuple[int, int]:
        """Differs whenever the registry has been changed."""
        try:
            found = (self.folder / "registry.json").stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def keep(self, file: Path, model: StoredModel, projector: Path | None = None) -> StoredModel:
        """Take checked files in under a free name near the model's own.

        Returns: the model with the name and files it got.
        Effects: the files are moved into the folder; a row in `registry.json`.
        """
        with self._locked():
            registry = self._read()
            name = _free_name(model.name, {each.name for each in registry.models})
            seeing = f"{name}.mmproj.gguf" if projector is not None else ""
            update = {"name": name, "file": f"{name}.gguf", "projector": seeing}
            kept = model.model_copy(update=update)
            if projector is not None:
                projector.replace(self.folder / kept.projector)
            file.replace(self.folder / kept.file)
            self._write(registry.model_copy(update={"models": (*registry.models, kept)}))
        return kept

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
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "registry.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> RegistryFile:
        file = self.folder / "registry.json"
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
        file = self.folder / "registry.json"
        temporary = file.with_suffix(".new")
        with temporary.open("w") as out:
            out.write(registry.model_dump_json(indent=2))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)


def _free_name(wanted: str, taken: set[str]) -> str:
    names = (wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 4)))
    return next(name for name in names if name not in taken | {DEMO})
