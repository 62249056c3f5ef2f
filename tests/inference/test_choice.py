"""The model that answers is one that can, and the first in the order of the app's wishes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference import choice
from marketplace.inference.choice import ROLES, Unmet
from marketplace.inference.ports import BadGeneration, ModelUnavailable, ServedModel, Wants

LARGE = ServedModel("large", "Large", ("default",), 4096)
QUICK = ServedModel("quick", "Quick", ("small",), 2048)
VECTORS = ServedModel("vectors", "Vectors", ("embed",), 512)
EYES = ServedModel("eyes", "Eyes", ("vision",), 8192)
ALL = (LARGE, QUICK, VECTORS, EYES)

MODELS = st.lists(
    st.builds(
        ServedModel,
        st.text("abc", min_size=1, max_size=3),
        st.just("Title"),
        st.sets(st.sampled_from(ROLES), min_size=1).map(lambda roles: tuple(sorted(roles))),
        st.integers(1, 100_000),
    ),
    max_size=5,
)


@pytest.mark.parametrize(
    ("wants", "models", "chosen"),
    [
        (Wants(), ALL, LARGE),
        (Wants(small=True), ALL, QUICK),
        (Wants(small=True), (LARGE, VECTORS), LARGE),
        (Wants(small=True, context=3000), ALL, LARGE),
        (Wants(context=8000), ALL, EYES),
        (Wants(vision=True), ALL, EYES),
        (Wants(vision=True, small=True), ALL, EYES),
        (Wants(vision=True), (LARGE,), Unmet("vision")),
        (Wants(context=9000), ALL, Unmet("context", 9000, 8192)),
        (Wants(context=9000, vision=True), ALL, Unmet("context", 9000, 8192)),
    ],
)
def test_the_first_that_meets_every_wish_answers(
    wants: Wants, models: tuple[ServedModel, ...], chosen: ServedModel | Unmet
) -> None:
    assert choice.for_answer(wants, models) == chosen


def test_vectors_come_from_the_model_for_them_else_the_default() -> None:
    assert choice.for_vectors(ALL) is VECTORS
    assert choice.for_vectors((QUICK, LARGE)) is LARGE


def test_a_name_is_one_that_answers_or_refused_with_the_names_there_are() -> None:
    assert choice.by_name("quick", ALL) is QUICK
    with pytest.raises(BadGeneration, match=r"no model vectors\. There are: large, quick, eyes\."):
        choice.by_name("vectors", ALL)
    with pytest.raises(BadGeneration, match=r"There are: none\."):
        choice.by_name("large", ())


@pytest.mark.parametrize("models", [(), (VECTORS,)])
def test_without_a_model_that_answers_none_is_chosen(models: tuple[ServedModel, ...]) -> None:
    with pytest.raises(ModelUnavailable, match="has no model"):
        choice.for_answer(Wants(), models)
    with pytest.raises(ModelUnavailable, match="has no model"):
        choice.for_vectors(())


def test_a_model_whose_file_cannot_be_read_is_left_to_say_so_itself() -> None:
    broken = ServedModel("broken", "Broken", ("default",), 0)
    assert choice.for_answer(Wants(context=500), (broken,)) is broken


def test_each_wish_that_is_not_met_is_a_sentence_with_its_figures() -> None:
    assert "holds 9000 tokens, and the largest of this store holds 512." in (
        Unmet("context", 9000, 512).sentence
    )
    assert "sees pictures" in Unmet("vision").sentence


@pytest.mark.fuzz
@given(wants=st.builds(Wants, st.integers(0, 120_000), st.booleans(), st.booleans()), models=MODELS)
def test_whoever_is_chosen_can_and_a_refusal_is_true(
    wants: Wants, models: list[ServedModel]
) -> None:
    able = [
        model
        for model in models
        if model.answers and model.context >= wants.context and (model.sees or not wants.vision)
    ]
    try:
        chosen = choice.for_answer(wants, models)
    except ModelUnavailable:
        assert not any(model.answers for model in models)
        return
    assert (chosen in able) if isinstance(chosen, ServedModel) else not able
