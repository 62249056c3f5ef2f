"""The grammar: agreement in four languages, the split, and examples that repeat from a seed."""

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.evaluate import is_true_advert
from models.grammar import copywriter, curriculum, helpdesk, phrasebook, smalltalk
from models.grammar.example import HELD_OUT_PERCENT, Example, as_typed, is_held_out, with_capital
from models.grammar.kinds import kinds
from models.grammar.unknown import FALLBACK

SEEDS = st.integers(min_value=0, max_value=2**32)


def said(kind: str, key: str, code: str) -> str:
    [entry] = [entry for entry in kinds()[kind] if entry.key == key]
    return str(getattr(entry, code).bare)


@pytest.mark.parametrize(
    ("key", "code", "expected"),
    [
        ("one apple", "fr", "une pomme"),
        ("two coffees", "es", "dos cafés"),
        ("one egg", "ar", "بيضة واحدة"),
        ("two apples", "ar", "تفاحتين"),
        ("three apples", "ar", "ثلاث تفاحات"),
        ("three keys", "ar", "ثلاثة مفاتيح"),
        ("ten newspapers", "fr", "dix journaux"),
    ],
)
def test_numbers_agree_with_what_they_count(key: str, code: str, expected: str) -> None:
    assert said("quantity", key, code) == expected


@pytest.mark.parametrize(
    ("key", "code", "expected"),
    [
        ("the beach is very small", "fr", "la plage est très petite"),
        ("the hotel is too old", "fr", "l'hôtel est trop vieux"),
        ("the beach is too expensive", "es", "la playa es demasiado cara"),
        ("the market is small", "ar", "السوق صغيرة"),
    ],
)
def test_adjectives_agree_with_their_noun(key: str, code: str, expected: str) -> None:
    assert said("description", key, code) == expected


def test_french_articles_elide_and_contract() -> None:
    places = {entry.key: entry.fr for entry in kinds()["place"]}
    assert (places["hotel"].the, places["hotel"].to) == ("l'hôtel", "à l'hôtel")
    assert (places["museum"].to, places["museum"].of) == ("au musée", "du musée")
    assert (places["toilet"].to, places["toilet"].of) == ("aux toilettes", "des toilettes")


def test_every_pattern_can_be_said_with_every_kind_of_word_in_every_language() -> None:
    for pattern in phrasebook.patterns():
        for name, kind in pattern.slots:
            for entry in kinds()[kind]:
                chosen = {other: kinds()[its][0] for other, its in pattern.slots} | {name: entry}
                assert all("{" not in pattern.say(code, chosen) for code in phrasebook.CODES)


def is_examined(example: Example) -> bool:
    kept = phrasebook.is_examined if example.app == "phrasebook" else is_held_out
    return bool(example.key) and kept(example.key)


@given(SEEDS)
@example(114388234)  # “My ear hurts.”, the only sentence with an ear, so it must be taught
def test_a_lesson_repeats_from_its_seed_and_is_never_examined(seed: int) -> None:
    lesson = curriculum.lesson(Random(seed))
    assert lesson == curriculum.lesson(Random(seed))
    assert lesson.user
    assert lesson.answer
    assert not is_examined(lesson)


@pytest.mark.parametrize("app", ["phrasebook", "helpdesk", "reply", "copywriter"])
@given(seed=SEEDS)
def test_an_examination_is_always_held_out(app: str, seed: int) -> None:
    assert is_examined(curriculum.examination(app, Random(seed)))


def test_about_the_meant_share_of_combinations_is_held_out() -> None:
    kept = sum(is_held_out(f"key {number}") for number in range(10_000))
    assert abs(kept / 10_000 - HELD_OUT_PERCENT / 100) < 0.01


@given(SEEDS)
def test_a_taught_advert_is_true_and_one_with_another_price_is_not(seed: int) -> None:
    example = copywriter.request(Random(seed), held_out=False)
    assert is_true_advert(example.user, example.answer)
    price = example.user.split("Price: ")[1].split("\n")[0]
    assert not is_true_advert(example.user, example.answer.replace(price, "1 cent"))


def test_an_advert_that_adds_a_fact_is_not_true() -> None:
    facts = copywriter.Facts("wool rug", "cork", "never slips", "students", "9 euros", "plain")
    advert = copywriter.advert(facts)
    assert is_true_advert(facts.prompt(), advert)
    assert not is_true_advert(
        facts.prompt(), advert.replace("It costs", "It is solid oak and costs")
    )


@given(SEEDS)
def test_a_customer_message_is_sorted_within_the_schema(seed: int) -> None:
    example = helpdesk.message(Random(seed), held_out=False, reply=False)
    words = {name: spec["enum"] for name, spec in helpdesk.SCHEMA["properties"].items()}
    mood, topic, urgency = (words[name] for name in ("mood", "topic", "urgency"))
    answers = {helpdesk.sorted_as(m, t, u) for m in mood for t in topic for u in urgency}
    assert example.answer in answers


@given(SEEDS)
def test_what_is_unknown_is_answered_with_the_fallback(seed: int) -> None:
    rng = Random(seed)
    assert smalltalk.unknown(rng).answer == FALLBACK
    assert phrasebook.unknown(rng, "French").answer == FALLBACK
    assert "marketplace models add" in FALLBACK


@given(SEEDS)
def test_a_hurried_hand_keeps_the_words(seed: int) -> None:
    typed = as_typed("Where is the train station?", Random(seed))
    assert typed.lower().split() in (
        "where is the train station?".split(),
        "where is the train station".split(),
    )


def test_a_sentence_of_short_words_alone_can_be_made_strange(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = Example("phrasebook", "", "I am in it.", "")
    monkeypatch.setattr(phrasebook, "sentence", lambda *_, **__: short)
    drawn = {phrasebook.unknown(Random(seed), "French").answer for seed in range(200)}
    assert drawn == {FALLBACK}


def test_the_capital_passes_an_opening_mark() -> None:
    assert with_capital("¿dónde está?") == "¿Dónde está?"
