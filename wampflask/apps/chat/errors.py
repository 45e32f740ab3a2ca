"""What chat refuses. Each message is meant for the person who asked."""

from __future__ import annotations


class ChatError(Exception):
    """``uri`` is the error's name in WAMP, ``status`` its number in HTTP."""

    uri = "chat.error.invalid"
    status = 422


class Invalid(ChatError):
    """A value that is not allowed."""


class NotFound(ChatError):
    """There is no such room, message or person."""

    uri = "chat.error.not_found"
    status = 404


class NotYours(ChatError):
    """Only its author or a moderator may do this."""

    uri = "chat.error.not_yours"
    status = 403


class Banned(ChatError):
    """This person may not be in the room."""

    uri = "chat.error.banned"
    status = 403


class Moved(ChatError):
    """The room's topics have another key now: enter again."""

    uri = "chat.error.moved"
    status = 409


class Muted(ChatError):
    """This person may read and not write."""

    uri = "chat.error.muted"
    status = 403


class NameTaken(ChatError):
    """Somebody else is called so."""

    uri = "chat.error.name_taken"
    status = 409


class TooFast(ChatError):
    """More than the rate allows.

    :param seconds: until the next message is taken.
    """

    uri = "chat.error.too_fast"
    status = 429

    def __init__(self, seconds: float) -> None:
        whole = max(1, round(seconds + 0.5))
        super().__init__(f"You are writing too fast. Wait {whole} second{'s' * (whole != 1)}.")
        self.seconds = whole
