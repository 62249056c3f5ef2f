"""Icons for apps that bring none: drawn from the ident, the same every time, each its own."""

import hashlib
import math

PALETTE = (
    ("#1f2a5c", "#f4bf5f"),
    ("#8c3b22", "#f7e3bf"),
    ("#1f5a4c", "#f2c27b"),
    ("#5b3a6b", "#f3b08a"),
    ("#24496e", "#f5d7a1"),
    ("#7a5320", "#fbeed6"),
)


def generated(ident: str) -> str:
    """A woven star on a coloured ground, as SVG of 128 by 128.

    The sha256 of the ident chooses colours, the number of points and the turn.
    """
    digest = hashlib.sha256(ident.encode()).digest()
    ground, figure = PALETTE[digest[0] % len(PALETTE)]
    points, turn = 4 + digest[1] % 5, digest[2] / 256 * math.tau
    inner = 16 + digest[3] % 12
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">'
        f'<rect width="128" height="128" rx="28" fill="{ground}"/>'
        f'<path d="{_star(points, 46, inner, turn)}" fill="none" stroke="{figure}" '
        'stroke-width="5" stroke-linejoin="round"/>'
        f'<path d="{_star(points, 28, inner / 2, turn + math.pi / points)}" fill="{figure}"/>'
        "</svg>"
    )


def _star(points: int, outer: float, inner: float, turn: float) -> str:
    corners = []
    for step in range(points * 2):
        radius = inner if step % 2 else outer
        angle = turn + step * math.pi / points
        corners.append(f"{64 + radius * math.cos(angle):.1f} {64 + radius * math.sin(angle):.1f}")
    return "M" + "L".join(corners) + "Z"
