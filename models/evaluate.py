"""Examines the GGUF file on held-out combinations, greedily, with the prompts the apps send."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import llama_cpp

from models.grammar import helpdesk, phrasebook, smalltalk
from models.grammar.curriculum import LANGUAGES, examination
from models.grammar.example import Example
from models.grammar.goods import ALL_PRODUCTS, AUDIENCES, BENEFITS, MATERIALS

MODEL = Path(__file__).parent / "caravan-demo.gguf"
GRADED = ("phrasebook", "helpdesk", "copywriter")


class DemoModel:
    """The GGUF file under llama.cpp, one conversation at a time."""

    def __init__(self, path: Path = MODEL) -> None:
        self.llama = llama_cpp.Llama(str(path), n_ctx=1024, n_threads=1, verbose=False)

    def answer(self, system: str, user: str, schema: dict[str, Any] | None = None) -> str:
        """Give the likeliest answer; with a schema, one JSON text that fits it."""
        messages: list[Any] = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": user})
        made: Any = self.llama.create_chat_completion(
            messages,
            temperature=0.0,
            repeat_penalty=1.0,
            max_tokens=400,
            response_format={"type": "json_object", "schema": schema} if schema else None,
        )
        text: str = made["choices"][0]["message"]["content"]
        return text

    def answers(self, example: Example) -> str:
        """Give the answer to an example as its app would ask for it."""
        schema = helpdesk.SCHEMA if example.system == helpdesk.SORT_SYSTEM else None
        return self.answer(example.system, example.user, schema)


def facts_of(prompt: str) -> dict[str, str]:
    """Read the facts out of a copywriter prompt, by their names in it."""
    return dict(line.split(": ", 1) for line in prompt.split("\n"))


def is_true_advert(prompt: str, advert: str) -> bool:
    """Tell whether an advert has its three parts, every fact, and no fact of another product."""
    parts = advert.split("\n\n")
    if len(parts) != 3 or not parts[0].startswith("## ") or not parts[2].startswith("**"):
        return False
    facts = facts_of(prompt)
    del facts["Tone"]
    said = advert.lower()
    for fact in facts.values():
        if fact.lower() not in said:
            return False
        said = said.replace(fact.lower(), "")
    lexicon = (*ALL_PRODUCTS, *MATERIALS, *BENEFITS, *AUDIENCES)
    return not any(f" {other.lower()}" in said for other in lexicon)


def is_right(example: Example, answer: str) -> bool:
    """Judge one answer: adverts by their facts, everything else word for word."""
    if example.app == "copywriter":
        return is_true_advert(example.user, answer)
    if example.app == "helpdesk":
        return bool(json.loads(answer) == json.loads(example.answer))
    return answer.strip() == example.answer


def share_right(model: DemoModel, examples: Iterable[Example], *, shows: bool = False) -> float:
    """Give the share of right answers, from 0 to 1. Effects: prints the wrong ones if asked."""
    verdicts = []
    for example in examples:
        answer = model.answers(example)
        verdicts.append(is_right(example, answer))
        if shows and not verdicts[-1]:
            print(
                f"[{example.app}] {example.user!r}\n   got  {answer!r}\n   want {example.answer!r}"
            )
    return round(sum(verdicts) / len(verdicts), 4)


def held_out(app: str, count: int, seed: int) -> list[Example]:
    """Draw held-out examples of one app."""
    rng = Random(f"{app}:{seed}")
    return [examination(app, rng) for _ in range(count)]


def outside(count: int, seed: int) -> list[Example]:
    """Draw prompts from outside the grammar, whose only right answer is the fallback."""
    rng = Random(seed)
    drawn = []
    for _ in range(count):
        if rng.random() < 0.5:
            drawn.append(phrasebook.unknown(rng, rng.choice(LANGUAGES)))
        else:
            drawn.append(smalltalk.unknown(rng))
    return drawn


def main() -> None:
    """Read the command line, examine, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--limit", type=int, default=200, help="examples of each kind")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--show", action="store_true", help="print the wrong answers")
    given = parser.parse_args()
    model = DemoModel(given.model)
    rng = Random(given.seed)
    others = {
        "reply": held_out("reply", given.limit, given.seed),
        "smalltalk": [smalltalk.talk(rng) for _ in range(given.limit)],
        "outside": outside(given.limit, given.seed),
    }
    for name, examples in others.items():
        print(f"{name}: {share_right(model, examples, shows=given.show)}")
    shares = {
        app: share_right(model, held_out(app, given.limit, given.seed), shows=given.show)
        for app in GRADED
    }
    print(json.dumps(shares))


if __name__ == "__main__":
    main()
