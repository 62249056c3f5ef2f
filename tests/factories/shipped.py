"""The apps that the store ships, as their makers' own tests would load them."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from caravan import App

PLUGINS = Path(__file__).parents[2] / "plugins"


def app_of(name: str) -> App:
    """A shipped app, freshly loaded."""
    spec = spec_from_file_location(f"shipped_{name}", PLUGINS / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    app: App = module.app
    return app
