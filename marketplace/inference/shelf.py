"""The models an engine may serve, as the registry has them at the moment."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marketplace.inference.choice import DEFAULT
from marketplace.inference.gguf_file import NotAModel, read_facts
from marketplace.inference.registry import Registry

type_shelf = Callable[[], tuple["ModelFile", ...]]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that has a role.

    Args:
        context: what it was trained on, 0 when its file is broken.
        projector: the file that lets it see pictures, if it has one.
    """

    name: str
    title: str
    path: Path
    roles: tuple[str, ...]
    context: int
    projector: Path | None = None


def one_model(path: Path) -> type_shelf:
    """A shelf with one model, which is the default."""
    files = (ModelFile(path.stem, path.stem, path, (DEFAULT,), _context(path)),)
    return lambda: files


class RegistryShelf:
    """The models of a registry that have a role; read again only after a change.

    Calling it raises RegistryBroken.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._stamp: tuple[int, int] | None = None
        self._files: tuple[ModelFile, ...] = ()

    def __call__(self) -> tuple[ModelFile, ...]:
        """The models as they are now, the default first."""
        stamp = self._registry.stamp()
        if stamp != self._stamp:
            self._files, self._stamp = self._read(), stamp
        return self._files

    def _read(self) -> tuple[ModelFile, ...]:
        roles = self._registry.roles()
        stored = {model.name: model for model in self._registry.models()}
        files = []
        for name in dict.fromkeys(roles.values()):
            if model := stored.get(name):
                path = self._registry.file_of(model)
                its = tuple(role for role, holder in roles.items() if holder == name)
                context = model.context or _context(path)
                seeing = self._registry.projector_of(model)
                files.append(ModelFile(name, model.title, path, its, context, seeing))
        return tuple(files)


def _context(path: Path) -> int:
    try:
        return read_facts(path).context
    except (NotAModel, OSError):
        return 0  # loading it will say what is wrong
