"""Which texts are computed together: whoever was given least is next, every text once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.embedding_queue import EmbeddingQueue, Job
from marketplace.inference.ports import QueueFull


def make_queue(**given: int) -> EmbeddingQueue:
    wanted = {
        "batch_tokens": 10,
        "batch_texts": 4,
        "queue_per_app": 100,
        "queue_total": 1000,
        **given,
    }
    return EmbeddingQueue(**wanted)


def make_job(key: object, app: str = "a", *sizes: int, person: str = "p") -> Job:
    return Job(key, app, person, tuple(range(size) for size in sizes or (1,)), submitted_at=0.0)


def drain(queue: EmbeddingQueue) -> list[list[tuple[object, int]]]:
    batches = []
    while batch := queue.take():
        batches.append([(job.key, index) for job, index in batch])
    return batches


def test_apps_take_turns_text_by_text() -> None:
    queue = make_queue(batch_texts=3)
    queue.submit(make_job(1, "a", 1, 1, 1))
    queue.submit(make_job(2, "b", 1))
    queue.submit(make_job(3, "a"))
    assert drain(queue) == [[(1, 0), (2, 0), (1, 1)], [(1, 2), (3, 0)]]


def test_apps_and_then_people_are_given_the_same_tokens_not_the_same_number_of_texts() -> None:
    queue = make_queue(batch_texts=1)
    queue.submit(make_job("long", "a", *(5,) * 4))
    queue.submit(make_job("short", "b", *(1,) * 12))
    queue.submit(make_job("other", "b", *(1,) * 12, person="q"))
    order = [key for [(key, _index)] in drain(queue)]
    upto = order[: order.index("long", order.index("long") + 1)]
    assert len(upto) - 1 == 5  # five tokens of b's beside five of a's
    assert abs(upto.count("short") - upto.count("other")) <= 1


def test_a_text_that_does_not_fit_begins_the_next_batch() -> None:
    queue = make_queue()
    queue.submit(make_job(1, "a", 6))
    queue.submit(make_job(2, "b", 6))
    queue.submit(make_job(3, "c", 1))
    assert drain(queue) == [[(1, 0)], [(2, 0), (3, 0)]]


def test_too_many_waiting_are_turned_away_by_app_and_in_all() -> None:
    queue = make_queue(queue_per_app=2, queue_total=3)
    queue.submit(make_job(1))
    queue.submit(make_job(2))
    with pytest.raises(QueueFull, match="2 requests for vectors") as refused:
        queue.submit(make_job(3))
    assert refused.value.retry_after_s > 0
    queue.submit(make_job(4, "b"))
    with pytest.raises(QueueFull, match="3 requests for vectors"):
        queue.submit(make_job(5, "c"))


def test_who_is_turned_away_is_told_when_all_that_waits_will_be_done() -> None:
    queue = make_queue(queue_per_app=1)
    for _ in range(50):
        queue.computed(texts=4, took_s=2.0)
    queue.submit(make_job(1, "a", *(1,) * 20))
    assert queue.retry_after_s() == 10
    queue.take()
    assert queue.retry_after_s() == 8
    queue.computed(texts=1, took_s=1e6)
    with pytest.raises(QueueFull, match="Try again in 60 s"):
        queue.submit(make_job(2))
    while queue.take():
        continue
    assert queue.retry_after_s() == 1


def test_a_withdrawn_request_is_not_computed_and_an_unknown_one_is_none() -> None:
    queue = make_queue()
    queue.submit(make_job(1, "a", 1, 1))
    queue.submit(make_job(2, "a"))
    queue.submit(make_job(3, "b"))
    assert queue.withdraw("unknown") is None
    for key in (1, 3):
        withdrawn = queue.withdraw(key)
        assert withdrawn is not None
        assert withdrawn.key == key
    assert drain(queue) == [[(2, 0)]]
    assert queue.waiting == 0


def test_a_job_is_done_when_its_last_vector_is_there() -> None:
    job = make_job(1, "a", 2, 3)
    assert job.tokens == 5
    job.vectors[1] = (1.0,)
    assert not job.is_done
    job.vectors[0] = (0.0, 1.0)
    assert job.is_done


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(1, 10), min_size=1, max_size=6)),
        max_size=12,
    )
)
def test_every_text_is_computed_once_in_batches_that_fit(jobs: list[tuple[str, list[int]]]) -> None:
    queue = make_queue()
    for key, (app, sizes) in enumerate(jobs):
        queue.submit(make_job(key, app, *sizes))
    seen = []
    while batch := queue.take():
        assert len(batch) <= 4
        assert sum(len(job.texts[index]) for job, index in batch) <= 10
        seen += [(job.key, index) for job, index in batch]
    wanted = [(key, index) for key, (_, sizes) in enumerate(jobs) for index in range(len(sizes))]
    assert sorted(seen) == wanted
    assert queue.waiting == 0
