"""Icons for apps that bring none: drawn from the ident, the same every time, each its own."""

import hashlib

GROUNDS = ("#252a5c", "#94391d", "#1d574c", "#7a4a12", "#7c2a45", "#2c4c6e")
FIGURES = ("#f1d9b5", "#f4bf5f", "#f6ead7", "#e58157")
SQUARE = "M-1-1H1V1H-1Z"
DIAMOND = "M0-1.4 1.4 0 0 1.4-1.4 0Z"
HEARTS = (f'<path d="{SQUARE}"/>', '<circle r="1.1"/>', f'<path d="{DIAMOND}"/>')


def generated(ident: str) -> str:
    """A star of two squares over dunes, as SVG of 128 by 128.

    The sha256 of the ident chooses the ground, two colours, the star's size and turn, and what
    is in its heart. There is no letter in it, so it speaks every language.
    """
    number = int.from_bytes(hashlib.sha256(ident.encode()).digest()[:8])
    ground = GROUNDS[number % len(GROUNDS)]
    first = number // 6 % len(FIGURES)
    second = (first + 1 + number // 24 % (len(FIGURES) - 1)) % len(FIGURES)
    turn = number // 72 % 4 * 22.5
    heart = HEARTS[number // 288 % len(HEARTS)]
    radius = 30 + number // 864 % 9
    slope = 84 + number // 7776 % 24
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">'
        f'<rect width="128" height="128" fill="{ground}"/>'
        f'<path d="M-20 128 {slope - 52} 86 {slope + 30} 128Z" fill="#0000002e"/>'
        f'<path d="M{slope - 40} 128 {slope + 12} 94 150 128Z" fill="#0000002e"/>'
        f'<g transform="translate(64 60) rotate({turn})">'
        f'<g transform="scale({radius})" fill="{FIGURES[first]}">'
        f'<path d="{SQUARE}"/><path d="{DIAMOND}"/></g>'
        f'<g transform="scale({radius * 0.45:.1f})" fill="{ground}">{heart}</g>'
        f'<circle r="{radius * 0.18:.1f}" fill="{FIGURES[second]}"/></g></svg>'
    )
