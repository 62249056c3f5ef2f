"""What the store does not give yet is told before an app is published."""

import pytest

from marketplace.review.checks.awaited import RULE, check_awaited


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"schedule": [{"action": "digest", "every": "1h"}]}, "runs by the clock"),
    ],
)
def test_each_part_without_effect_is_one_warning(part: dict[str, object], told: str) -> None:
    [finding] = check_awaited({"permission": [], **part})
    assert (finding.rule, finding.level) == (RULE, "warning")
    assert told in finding.message


def test_an_app_that_asks_for_none_of_it_hears_nothing() -> None:
    permission = {"name": "llm.generate", "reason": "To answer."}
    assert list(check_awaited({"permission": [permission], "setting": [{"name": "tone"}]})) == []
