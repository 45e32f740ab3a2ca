"""What chat refuses, besides the errors of every app."""

from __future__ import annotations

from wampflask.apps.errors import SiteError


class NotYours(SiteError):
    """Only the author or a moderator may do this."""

    status = 403
    code = "not_yours"


class Banned(SiteError):
    """This person may not enter the room."""

    status = 403
    code = "banned"


class Moved(SiteError):
    """The room's topics have a new key: enter again."""

    status = 409
    code = "moved"


class Muted(SiteError):
    """This person may read, but not write."""

    status = 403
    code = "muted"


class NameTaken(SiteError):
    """Someone else has this name."""

    status = 409
    code = "name_taken"


class TooFast(SiteError):
    """More messages than the rate limit allows.

    :param seconds: until the next message is accepted.
    """

    status = 429
    code = "too_fast"

    def __init__(self, seconds: float) -> None:
        whole = max(1, round(seconds + 0.5))
        super().__init__(f"You are writing too fast. Wait {whole} second{'s' * (whole != 1)}.")
        self.details = {"seconds": whole}
