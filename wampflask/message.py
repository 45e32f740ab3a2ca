"""One publication, checked as it is made."""

from __future__ import annotations

from typing import Any

from . import options as _options
from . import payload, uris
from .options import PublishOptions
from .outbox import Message


def message(verb: str, topic: str, args: tuple[Any, ...], kwargs: dict[str, Any], options: PublishOptions) -> Message:
    """What ``wamp.<verb>(topic, *args, options=…, **kwargs)`` is to send.

    :raises InvalidPayload: a value is not JSON. :raises InvalidURI: ``topic`` is not strict.
    :raises TypeError: ``options`` are no :class:`PublishOptions`.
    """
    uris.check_own(topic)
    checked = _options.check(options, PublishOptions)
    _options.warn_of_options(verb, kwargs, PublishOptions, 3)
    return Message(topic, *payload.clean(args, kwargs), checked)
