"""The gallery of components: whole in both reading directions, and not there in production."""

from pathlib import Path

import pytest

from marketplace.app import create_app
from marketplace.settings import Settings, Stage


@pytest.mark.parametrize(("stage", "status"), [("development", 200), ("production", 404)])
def test_the_gallery_is_only_there_where_the_store_is_built(
    tmp_path: Path, stage: str, status: int
) -> None:
    settings = Settings(data_dir=tmp_path, stage=Stage(stage), secret_key="k" * 64)
    app = create_app(settings)
    app.extensions["executor"].close()
    client = app.test_client()
    answer = client.get("/_gallery")
    assert answer.status_code == status
    if status == 200:
        for name in ("apps", "buttons", "data", "feedback", "forms", "layout", "reviews", "run"):
            assert f'id="{name}"' in answer.text
        arabic = client.get("/_gallery?lang=ar").text
        assert '<html lang="ar" dir="rtl"' in arabic
        assert "المكتب الهادئ" in arabic
