"""One publication: checked as it is made, and passed whole from there to the session that sends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from . import options as _options
from . import payload, uris
from .options import DEFAULT_PUBLISH, PublishOptions

Subject = tuple[str, PublishOptions]


@dataclass(slots=True, eq=False)
class Publication:
    """An event that is ready to be sent: its payload is strict JSON, and nobody else's."""

    topic: str
    args: list[Any]
    kwargs: dict[str, Any] = field(default_factory=dict)
    options: PublishOptions = DEFAULT_PUBLISH

    @classmethod
    def of(cls, verb: str, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: PublishOptions) -> Self:
        """Return what ``wamp.<verb>(topic, *args, options=…, **kwargs)`` sends.

        :raises InvalidPayload: a value is not JSON.
        :raises InvalidURI: ``topic`` is not strict.
        :raises TypeError: ``options`` are not :class:`PublishOptions`.
        """
        uris.check_own(topic)
        checked = _options.check(options, PublishOptions)
        _options.warn_of_options(verb, kwargs, PublishOptions, 3)
        return cls(topic, *payload.clean(args, kwargs), checked)

    @property
    def subject(self) -> Subject:
        """What this is the newest value of: each audience of a topic has a value of its own."""
        return self.topic, self.options
