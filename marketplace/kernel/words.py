"""Sentences that are written where no reader is known, and translated where one is."""


def noted(message: str) -> str:
    """The message as it is; marks a text for translation that is shown elsewhere later."""
    return message
