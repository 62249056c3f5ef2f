"""Muon: momentum whose matrix is made orthogonal before it is applied, in single precision.

Keller Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024). PyTorch has one,
which works in bfloat16: processors without that arithmetic emulate it ten times slower.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

# Each round maps a singular value s to a*s + b*s^3 + c*s^5; five bring any into about 0.7 to 1.2.
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all about 1, of the same shape."""
    x = matrix / (matrix.norm() + 1e-7)
    is_tall = x.shape[0] > x.shape[1]
    if is_tall:
        x = x.T
    for _ in range(ROUNDS):
        square = x @ x.T
        x = A * x + (B * square + C * square @ square) @ x
    return x.T if is_tall else x


class Muon(torch.optim.Optimizer):
    """Steps for matrices, with Nesterov momentum and decoupled weight decay.

    Args:
        lr: a rate as AdamW would take it; a step has the root mean square that AdamW's has
            (Liu et al., "Muon is scalable for LLM training", 2025: 0.2 * sqrt(longer side)).
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        lr: float,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.05,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Apply the gradients once."""
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                momentum = state["momentum"].lerp_(matrix.grad, 1 - group["momentum"])
                ahead = matrix.grad.lerp(momentum, group["momentum"])
                scale = 0.2 * max(matrix.shape) ** 0.5
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(orthogonal(ahead), alpha=-group["lr"] * scale)
