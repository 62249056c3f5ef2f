"""The engine beside llama-server, on a store's own loads.

Run alone: python benchmarks/inference.py [--quick] [--pairs N] [--model PATH]. The first run
builds llama-server and writes its models into the user's cache. Both sides take turns in one
run. The last line is one JSON object; docs/performance.md says what each figure means.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.support import engine_figures, loads, peer, random_llama  # noqa: E402
from benchmarks.support.loads import QUICK, Scale, Texts  # noqa: E402
from benchmarks.support.sides import Ours, Shape, Side, Theirs  # noqa: E402
from tools import prepare  # noqa: E402

DEMO = ROOT / "models" / "caravan-demo.gguf"
PARTS = ("unrelated", "store", "fair", "alone", "growth")


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, and with what."""

    scale: Scale
    texts: Texts
    threads: int
    has_peer: bool
    peer_options: tuple[str, ...] = ()

    @contextmanager
    def sides(self, shape: Shape) -> Iterator[tuple[Ours, Side | None]]:
        """Both servers, started alike; no peer where it was not built."""
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory())
            ours = Ours(shape, Path(folder))
            stack.callback(ours.close)
            theirs = None
            if self.has_peer:
                theirs = Theirs(shape, *self.peer_options)
                stack.callback(theirs.close)
            yield ours, theirs

    def unrelated(self, model: Path) -> dict[str, Any]:
        """Prompts that share nothing, at each concurrency; and our overhead at the largest."""
        figures: dict[str, Any] = {}
        scale = self.scale
        for concurrency in scale.concurrencies:
            shape = Shape.holding(model, scale.prompt + scale.out, concurrency, self.threads)
            with self.sides(shape) as (ours, theirs):
                before = ours.client.status()
                figures |= self._compared(
                    f"unrelated_{{}}_{concurrency}",
                    ours,
                    theirs,
                    lambda n=concurrency: (loads.unrelated(self.texts, scale, n), n),
                )
                after = ours.client.status()
            figures["outside_decode_share"] = engine_figures.outside_share(before, after)
        return figures

    def store(self, model: Path) -> dict[str, Any]:
        """Few apps with long instructions, many people."""
        figures: dict[str, Any] = {}
        scale = self.scale
        for concurrency in scale.store_concurrencies:
            tokens = scale.system + scale.said + scale.out
            shape = Shape.holding(model, tokens, concurrency, self.threads)
            with self.sides(shape) as (ours, theirs):
                figures |= self._compared(
                    f"store_{{}}_{concurrency}",
                    ours,
                    theirs,
                    lambda n=concurrency: (loads.store(self.texts, scale), n),
                )
        ratios = [value for name, value in figures.items() if "ttft_p95_ratio" in name]
        return {**figures, "store_ttft_p95_ratio": max(ratios, default=None)}

    def fair(self, model: Path) -> dict[str, Any]:
        """One app that floods, beside others; both sides in turn, the waits of all pairs pooled."""
        figures: dict[str, Any] = {}
        scale = self.scale
        shape = Shape.holding(model, scale.system + scale.out, scale.slots, self.threads)
        with self.sides(shape) as (ours, theirs):
            sides = [side for side in (ours, theirs) if side is not None]
            alone: dict[str, list[float]] = {side.name: [] for side in sides}
            beside: dict[str, list[float]] = {side.name: [] for side in sides}
            shares: dict[str, list[float]] = {side.name: [] for side in sides}
            for pair in range(scale.pairs):
                for side in sides if pair % 2 else reversed(sides):
                    quiet, loud = loads.light_beside_hog(side, self.texts, scale)
                    alone[side.name] += quiet
                    beside[side.name] += loud
                    served = loads.shares_of_busy_apps(side, self.texts, scale)
                    shares[side.name].append(loads.jain(served))
                    waits = f"p95 {loads.p95(quiet):.2f} s alone, {loads.p95(loud):.2f} s beside"
                    progress(f"fair {pair + 1}: {side.name}, {waits}, {served}")
            for side in sides:
                tail = "" if side is ours else "_llama_server"
                without, within = loads.p95(alone[side.name]), loads.p95(beside[side.name])
                figures[f"hog_light_ttft_ratio{tail}"] = within / without
                figures[f"hog_light_ttft_p95_s{tail}"] = within
                figures[f"jain{tail}"] = median(shares[side.name])
            figures["cancel_ms_p95"] = engine_figures.cancel_ms(ours, self.texts, scale)
        figures["reject_ms_p95"] = engine_figures.reject_ms(shape, self.texts, scale)
        return figures

    def _compared(
        self, name: str, ours: Ours, theirs: Side | None, load: loads.type_load
    ) -> dict[str, Any]:
        if theirs is None:
            for requests, workers in (load() for _ in range(self.scale.pairs)):
                loads.carry_out(ours, requests, workers)
            return {name.format("ratio"): None}
        pairs = []
        for pair in loads.alternate(ours, theirs, self.scale.pairs, load):
            pairs.append(pair)
            speeds = " / ".join(f"{run.tokens_per_s:.1f}" for run in pair)
            progress(f"{name.format('pair')} {len(pairs)}: {speeds} tokens/s")
        return {name.format(key): value for key, value in loads.compare(pairs).items()}


def progress(line: str) -> None:
    """Tell whoever waits how far it is."""
    print(line, file=sys.stderr, flush=True)


def models(given: Path | None, *, is_quick: bool) -> dict[str, Path]:
    """Figure prefix → model. Random weights and the demo model, unless one is given."""
    if given is not None:
        return {"": given}
    folder = prepare.CACHE / "bench-models"
    name = "tiny" if is_quick else "m110"
    shape = random_llama.SHAPES[name]
    return {
        "": random_llama.kept(folder, name, lambda at: random_llama.write_random(at, shape, DEMO)),
        "demo_": random_llama.kept(
            folder, "demo-endless", lambda at: random_llama.write_endless(at, DEMO)
        ),
    }


@click.command()
@click.option("--quick", is_flag=True, help="A smoke test: tiny counts and a tiny model.")
@click.option("--pairs", type=int, default=5, show_default=True, help="Pairs a median is of.")
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="A GGUF of your own.")
@click.option("--threads", type=int, help="Threads of each side; default: as the store's.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
@click.option("--peer-option", multiple=True, help="An option of llama-server's own, or its value.")
@click.option("--build/--no-build", default=True, help="Build llama-server when it is missing.")
def main(
    *,
    quick: bool,
    pairs: int,
    model: Path | None,
    threads: int | None,
    only: tuple[str, ...],
    peer_option: tuple[str, ...],
    build: bool,
) -> None:
    """Measure our engine beside llama-server."""
    # Ended from outside, it still ends the servers it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if build and not quick:
        peer.build()
    scale = QUICK if quick else replace(Scale(), pairs=pairs)
    bench = Bench(
        scale=scale,
        texts=Texts(random_llama.words_of(DEMO)),
        threads=threads or max(1, (os.cpu_count() or 2) - 1),
        has_peer=peer.built() is not None,
        peer_options=peer_option,
    )
    parts = only or PARTS
    chosen = models(model, is_quick=quick)
    main_model = chosen[""]
    figures: dict[str, Any] = {"threads": bench.threads, "pairs": scale.pairs}

    def add(more: dict[str, Any], prefix: str = "") -> None:
        figures.update({f"{prefix}{name}": value for name, value in more.items()})
        progress(json.dumps(loads.rounded(more)))

    if "unrelated" in parts:
        for prefix, path in chosen.items():
            add(bench.unrelated(path), prefix)
    if "store" in parts:
        add(bench.store(main_model))
    if "fair" in parts:
        add(bench.fair(main_model))
    if "alone" in parts:
        add({"restart_s": engine_figures.restart_s(DEMO, bench.threads)})
    if "growth" in parts:
        for prefix, path in chosen.items():
            add(
                {
                    "growth_sequences": engine_figures.growth_by_sequences(
                        path, bench.threads, bench.texts, scale
                    )
                },
                prefix,
            )
        last = list(chosen.values())[-1]
        add(
            {
                "growth_waiting": engine_figures.growth_by_waiting(
                    last, bench.threads, bench.texts, scale
                )
            }
        )
    print(json.dumps(loads.rounded(figures)))


if __name__ == "__main__":
    main()
