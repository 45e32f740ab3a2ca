"""Options of calls and publications, and a call's result when it has more than one value."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any, TypeVar

__all__ = ["CallOptions", "CallResult", "OptionAsPayload", "PublishOptions"]

_NOBODY = ("-",)
"""No ticket has this authid. The router takes an empty list of receivers for "everybody"."""


_NO_SESSION = (0,)


class OptionAsPayload(UserWarning):
    """A keyword that reads like an option was sent as payload: options go into ``options=``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Options of :meth:`WAMP.call`.

    :param timeout: seconds to wait for the result (default ``WAMP_CALL_TIMEOUT``); then the call is cancelled.
    :param on_progress: called with the values of each progressive result, in the thread that calls; the timeout counts
        from the last one. What it raises cancels the call.
    :raises TypeError: for a value of another type.
    :raises ValueError: for a time that is not above 0.
    """

    timeout: float | None = None
    on_progress: Callable[..., object] | None = None

    def __post_init__(self) -> None:
        _check_timeout("CallOptions", self.timeout)
        if self.on_progress is not None and not callable(self.on_progress):
            raise TypeError(f"CallOptions(on_progress={self.on_progress!r}): use a function.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """Options of the three publish functions.

    :param timeout: seconds to wait for the router's acknowledgement (default ``WAMP_PUBLISH_TIMEOUT``);
        only :meth:`WAMP.publish` waits.
    :param exclude_me: do not deliver to this process's own subscriptions. WAMP's default is true; ours is false,
        because one Flask worker's handlers should hear what another's would.
    :param eligible_authid: deliver only to sessions of these authids; to nobody when there are none.
    :param exclude_authid: do not deliver to sessions of these authids.
    :param eligible_session: deliver only to these sessions; to nobody when there are none.
    :param exclude_session: do not deliver to these sessions.
    :param eligible_authrole: deliver only to sessions of these roles; to nobody when there are none.
    :raises TypeError: for a value of another type, such as one authid that is not in a list.
    :raises ValueError: for a time that is not above 0.
    """

    timeout: float | None = None
    exclude_me: bool = False
    eligible_authid: Iterable[str] | None = None
    exclude_authid: Iterable[str] | None = None
    eligible_authrole: Iterable[str] | None = None
    eligible_session: Iterable[int] | None = None
    exclude_session: Iterable[int] | None = None

    def __post_init__(self) -> None:
        _check_timeout("PublishOptions", self.timeout)
        if not isinstance(self.exclude_me, bool):
            raise TypeError(f"PublishOptions(exclude_me={self.exclude_me!r}): use True or False.")
        for name in ("eligible_authid", "exclude_authid", "eligible_authrole"):
            object.__setattr__(self, name, _words(name, getattr(self, name)))
        for name in ("eligible_session", "exclude_session"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))

    @property
    def receivers(self) -> list[str] | None:
        """``eligible_authid`` as the router reads it."""
        return None if self.eligible_authid is None else list(self.eligible_authid) or list(_NOBODY)

    @property
    def roles(self) -> list[str] | None:
        """``eligible_authrole`` as the router reads it."""
        return None if self.eligible_authrole is None else list(self.eligible_authrole) or list(_NOBODY)

    @property
    def others(self) -> list[str] | None:
        """``exclude_authid`` as the router reads it."""
        return None if self.exclude_authid is None else list(self.exclude_authid)

    @property
    def sessions(self) -> list[int] | None:
        """``eligible_session`` as the router reads it."""
        return None if self.eligible_session is None else list(self.eligible_session) or list(_NO_SESSION)

    @property
    def other_sessions(self) -> list[int] | None:
        """``exclude_session`` as the router reads it."""
        return None if self.exclude_session is None else list(self.exclude_session)


_EXAMPLES = {"eligible_authid": "user:17", "exclude_authid": "user:17", "eligible_authrole": "admin"}


def _check_timeout(owner: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{owner}(timeout={value!r}): use a number of seconds, or None for the configured one.")
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{owner}(timeout={value!r}): use a number of seconds above 0.")


def _words(name: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        raise TypeError(f"PublishOptions({name}={value!r}) is one text where a list is meant: write [{value!r}].")
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise TypeError(f"PublishOptions({name}={value!r}): use a list such as [{_EXAMPLES[name]!r}].")
    words = tuple(value)
    for word in words:
        if not isinstance(word, str) or not word:
            raise TypeError(f"PublishOptions({name}=…) has {word!r}: use text such as {_EXAMPLES[name]!r}.")
    return words


def _numbers(name: str, value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise TypeError(f"PublishOptions({name}={value!r}): use a list of session ids, such as [caller.session].")
    numbers = tuple(value)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"PublishOptions({name}=…) has {number!r}: use session ids, such as caller.session.")
    return numbers


DEFAULT_CALL = CallOptions()
DEFAULT_PUBLISH = PublishOptions()

Options = TypeVar("Options", CallOptions, PublishOptions)


def check(options: object, kind: type[Options]) -> Options:
    """Return ``options`` if they are of their ``kind``.

    :raises TypeError: naming what was meant.
    """
    if isinstance(options, kind):
        return options
    named = ", ".join(f"{name}=…" for name in options) if isinstance(options, Mapping) else "…"
    raise TypeError(f"options={options!r} is {_article(type(options))}: write options={kind.__name__}({named}).")


def _article(kind: type) -> str:
    name = kind.__name__
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


_NAMES = {kind: frozenset(item.name for item in fields(kind)) for kind in (CallOptions, PublishOptions)}
_LIKE_OPTIONS = frozenset().union(*_NAMES.values()) | {"acknowledge", "eligible", "exclude", "retain"}


def warn_of_options(verb: str, kwargs: Mapping[str, Any], kind: type[Any], stacklevel: int) -> None:
    """Warn of keywords of a payload that read like options; Python shows a warning once a place.

    :param verb: the function that was called.
    :param stacklevel: of its caller, counted from here.
    """
    if not kwargs or _LIKE_OPTIONS.isdisjoint(kwargs):
        return
    for name in sorted(_LIKE_OPTIONS.intersection(kwargs)):
        remedy = f"options={kind.__name__}({name}=…)" if name in _NAMES[kind] else f"see {kind.__name__}"
        warnings.warn(
            f"wamp.{verb}(…, {name}=…) sends {name} as part of the payload. If an option is meant: {remedy}.",
            OptionAsPayload,
            stacklevel=stacklevel + 1,
        )


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result of several values: a handler may return one, and so may callees in other languages."""

    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
