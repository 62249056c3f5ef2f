"""Trains the demo model from a seed on the processor and writes its GGUF file."""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from models.ggufile import write_gguf
from models.grammar.curriculum import BROAD, TRAVEL, lesson
from models.muon import Muon
from models.network import Network, Shape
from models.vocabulary import Vocabulary, train_vocabulary

HERE = Path(__file__).parent
POOL_SIZE = 2048
PAD = 0


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; the same plan and seed give the same lessons."""

    steps: int
    batch_tokens: int
    peak_rate: float
    seed: int
    warmup_steps: int = 100
    broad_steps: int = 800

    def rate(self, step: int) -> float:
        """The learning rate: up linearly, level, then down linearly over the last 40 %."""
        rise = min(1.0, (step + 1) / self.warmup_steps)
        fall = min(1.0, (self.steps - step) / (0.4 * self.steps))
        return self.peak_rate * min(rise, fall)


def batches(vocabulary: Vocabulary, plan: Plan, context: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Lessons of like length together: tokens [batch, length] and where answers are learned.

    Args:
        context: the longest lesson in tokens; a strange text may be longer and is left out.
    """
    rng = Random(plan.seed)
    step = 0
    while True:
        shares = BROAD if step < plan.broad_steps else TRAVEL
        drawn = [vocabulary.encode(lesson(rng, shares)) for _ in range(POOL_SIZE)]
        pool = sorted(
            (item for item in drawn if len(item[0]) <= context), key=lambda item: len(item[0])
        )
        groups: list[list[tuple[list[int], int]]] = [[]]
        for item in pool:
            if (len(groups[-1]) + 1) * len(item[0]) > plan.batch_tokens:
                groups.append([])
            groups[-1].append(item)
        rng.shuffle(groups)
        for group in groups:
            length = max(len(tokens) for tokens, _ in group)
            batch = torch.full((len(group), length), PAD)
            learned = torch.zeros((len(group), length), dtype=torch.bool)
            for row, (tokens, start) in enumerate(group):
                batch[row, : len(tokens)] = torch.tensor(tokens)
                # Position i predicts i + 1, so learning begins one before the answer.
                learned[row, start - 1 : len(tokens) - 1] = True
            yield batch, learned
            step += 1


def optimizers(network: Network, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the embedding and the norms."""
    matrices = [
        w for name, w in network.named_parameters() if name.startswith("blk") and w.dim() == 2
    ]
    others = [w for name, w in network.named_parameters() if w.dim() == 1 or "embd" in name]
    return [
        Muon(matrices, lr=rate),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def save(
    checkpoint: Path, step: int, network: Network, steppers: list[torch.optim.Optimizer]
) -> None:
    """Write everything that a later run needs to go on after `step` steps."""
    states = [stepper.state_dict() for stepper in steppers]
    torch.save({"step": step, "network": network.state_dict(), "steppers": states}, checkpoint)


def restore(checkpoint: Path, network: Network, steppers: list[torch.optim.Optimizer]) -> int:
    """Load what `save` wrote. Returns: the number of steps already taken."""
    saved = torch.load(checkpoint)
    network.load_state_dict(saved["network"])
    for stepper, state in zip(steppers, saved["steppers"], strict=True):
        stepper.load_state_dict(state)
    return int(saved["step"])


def train(plan: Plan, vocabulary: Vocabulary, shape: Shape, checkpoint: Path) -> Network:
    """Train a network, going on from `checkpoint` where there is one.

    Effects: prints the loss, and writes the checkpoint every 100 steps.
    """
    torch.manual_seed(plan.seed)
    network = Network(shape)
    print(f"{sum(w.numel() for w in network.parameters()):,} parameters", flush=True)
    steppers = optimizers(network, plan.peak_rate)
    lessons = batches(vocabulary, plan, shape.context)
    first = restore(checkpoint, network, steppers) if checkpoint.exists() else 0
    for _ in range(first):
        next(lessons)
    hidden = torch.compile(network.hidden, dynamic=True)
    started, tokens_seen, smooth = time.monotonic(), 0, math.nan
    for step in range(first, plan.steps):
        batch, learned = next(lessons)
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = plan.rate(step)
        known = hidden(batch[:, :-1])[learned[:, :-1]]
        logits = functional.linear(known, network.token_embd.weight)
        loss = functional.cross_entropy(logits, batch[:, 1:][learned[:, :-1]])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        tokens_seen += batch.numel()
        smooth = loss.item() if math.isnan(smooth) else 0.97 * smooth + 0.03 * loss.item()
        if step % 50 == 49:
            pace = tokens_seen / (time.monotonic() - started)
            print(
                f"step {step + 1}/{plan.steps} loss {smooth:.4f} {pace:,.0f} tokens/s", flush=True
            )
        if step % 100 == 99:
            save(checkpoint, step + 1, network, steppers)
    return network


def main() -> None:
    """Read the command line, train, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--batch-tokens", type=int, default=3072)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--out", type=Path, default=HERE / "caravan-demo.gguf")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    pieces = given.work / "vocabulary.model"
    if not pieces.exists():
        train_vocabulary(pieces, given.seed)
    vocabulary = Vocabulary(pieces)
    plan = Plan(given.steps, given.batch_tokens, given.rate, given.seed)
    started = time.monotonic()
    network = train(plan, vocabulary, Shape(), given.work / "checkpoint.pt")
    write_gguf(given.out, network, vocabulary)
    print(
        json.dumps(
            {
                "file": given.out.name,
                "file_bytes": given.out.stat().st_size,
                "steps": plan.steps,
                "wall_s": round(time.monotonic() - started),
            }
        )
    )


if __name__ == "__main__":
    main()
