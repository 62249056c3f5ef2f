"""What an annotation may add to a parameter: limits for the schema, hints for the form."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Field:
    """Put it beside a type: `Annotated[str, Field(multiline=True, max_length=8000)]`.

    Args:
        label: the form's caption; the parameter's name otherwise.
        description: a sentence under the caption.
        placeholder: a pale example inside an empty text field.
        multiline: a text area in place of one line.
        min_length, max_length: of a text, in characters.
        pattern: a regular expression a text must contain a match of.
        min_items, max_items: how many rows a list may have.
        accept: what files may be picked, such as `(".txt", "image/png")`; any without it.
        max_bytes: the largest file.
        ge, le: the smallest and the largest number; with both the form shows a slider.
        step: how far one move of the slider or the arrows goes; other numbers stay allowed.
        examples: values that work; the first fills the form's “try it”.
    """

    label: str | None = None
    description: str | None = None
    placeholder: str | None = None
    multiline: bool = False
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    accept: tuple[str, ...] = ()
    max_bytes: int | None = None
    ge: float | None = None
    le: float | None = None
    step: float | None = None
    examples: tuple[str | int | float | bool, ...] = ()
