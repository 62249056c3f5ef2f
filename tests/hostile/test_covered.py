"""Every line of what a hostile app may try has a case or a test, and all of them exist."""

import pytest

from marketplace.settings import ROOT
from tests.hostile.covered import COVERED
from tests.hostile.stage import RUNS
from tests.hostile.uploads import UPLOADS


@pytest.mark.parametrize(("line", "shown"), COVERED)
def test_what_shows_it_is_there(line: str, shown: tuple[str, ...]) -> None:
    assert shown, line
    for each in shown:
        file, _, test = each.partition("::")
        if test:
            assert f"def {test}(" in (ROOT / file).read_text()
        else:
            assert each in UPLOADS or each in RUNS
