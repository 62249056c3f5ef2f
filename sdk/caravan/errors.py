"""What can go wrong inside an app, each with a sentence for the person who ran it."""

from collections.abc import Mapping


class CaravanError(Exception):
    """The family of everything the SDK raises; `code` names the rule in one word."""

    code = "app.error"


class HostError(CaravanError):
    """The store declined a host call.

    Args:
        code: the rule, such as `permission.llm.generate` or `limit.output`.
        message: a full sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class InvalidAction(CaravanError):
    """An action is declared in a way that cannot become a form."""

    code = "app.action"


class InvalidInput(CaravanError):
    """The values sent do not fit the action's schema; `fields` says what is wrong with each."""

    code = "input.invalid"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = dict(fields)


class UnknownAction(CaravanError):
    """The app has no action of this name."""

    code = "input.action"


class PaymentRequired(CaravanError):
    """The person has not bought what this part of the app needs; the store offers it to them."""

    code = "payment.required"

    def __init__(self, product: str) -> None:
        super().__init__(f"This needs “{product}”. Buy it on the app's page, then run it again.")
        self.product = product
