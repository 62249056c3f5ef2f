"""Which page of a list an address asks for.

A long list ends at a last page: nobody turns pages further, and a database would have to count its
way there. What everybody may open ends earlier than what is one person's or the operator's.
"""

from flask import request

LAST_PAGE = 10_000


def asked_page(last: int = LAST_PAGE) -> int:
    """The number of `?page=`, from 1 to `last`; 1 where it is no number."""
    return min(max(1, request.args.get("page", 1, type=int)), last)
