"""Texts of strangers beside ours: none turns what stands around it. Pure.

The directional formatting characters of https://www.unicode.org/reports/tr9/: a text that opens
an embedding without closing it, or closes what it has not opened, reorders its neighbours.
"""

import re
import unicodedata

EMBEDDINGS = frozenset("\u202a\u202b\u202d\u202e")
ISOLATES = frozenset("\u2066\u2067\u2068")
END_OF_EMBEDDING = "\u202c"
END_OF_ISOLATE = "\u2069"
FIRST_STRONG = "\u2068"
# What ends a paragraph ends everything that was opened in it.
PARAGRAPH_ENDS = frozenset("\n\r\x1c\x1d\x1e\x85")
# These break a line wherever they stand; a line feed does so only where lines are kept.
SEPARATORS = str.maketrans("\u2028\u2029", "\n\n")
CONTROLS = re.compile("[\u2028-\u202e\u2066-\u2069]")
LETTERS_AGAINST = {"ltr": frozenset({"R", "AL", "AN"}), "rtl": frozenset({"L"})}


def contained(text: str) -> str:
    """The text with every direction it opens closed again, and none closed that it did not open.

    `abc` stays; RLO + `abc` gets a PDF at its end; PDI + `abc` loses its PDI.
    """
    if text.isascii() or not CONTROLS.search(text):
        return text
    kept: list[str] = []
    ends: list[str] = []
    for char in text.translate(SEPARATORS):
        if char in PARAGRAPH_ENDS:
            kept += reversed(ends)
            ends.clear()
        elif char in EMBEDDINGS:
            ends.append(END_OF_EMBEDDING)
        elif char in ISOLATES:
            ends.append(END_OF_ISOLATE)
        elif char == END_OF_EMBEDDING:
            if not ends or ends[-1] != END_OF_EMBEDDING:
                continue
            ends.pop()
        elif char == END_OF_ISOLATE:
            if END_OF_ISOLATE not in ends:
                continue
            while (end := ends.pop()) != END_OF_ISOLATE:
                kept.append(end)
        kept.append(char)
    return "".join(kept + ends[::-1])


def isolated(text: str, direction: str) -> str:
    """The text as a part of a sentence in this direction: set apart where it runs against it.

    Args:
        direction: `ltr` or `rtl`, that of the sentence.

    A Latin name in an English sentence stays as it is; in an Arabic one it is put between FSI and
    PDI, so that `C++` does not become `++C`.
    """
    against = LETTERS_AGAINST[direction]
    if direction == "ltr" and text.isascii():
        return text
    if CONTROLS.search(text) or any(unicodedata.bidirectional(char) in against for char in text):
        return f"{FIRST_STRONG}{contained(text)}{END_OF_ISOLATE}"
    return text
