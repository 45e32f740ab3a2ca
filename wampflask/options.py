"""What may be said beside a call or a publication, and a call's result when it is more than one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CallOptions", "CallResult", "PublishOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Options of :meth:`WAMP.call`.

    :param timeout: seconds to wait for the result (default ``WAMP_CALL_TIMEOUT``); then the call is cancelled.
    """

    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """Options of the three publish functions.

    :param timeout: seconds to wait for the router's acknowledgement (default ``WAMP_PUBLISH_TIMEOUT``);
        only :meth:`WAMP.publish` waits.
    :param exclude_me: do not deliver to this process's own subscriptions. WAMP's default is true; ours is false,
        because one Flask worker's handlers should hear what another's would.
    :param eligible_authid: deliver only to sessions of these authids.
    :param exclude_authid: do not deliver to sessions of these authids.
    :param eligible_authrole: deliver only to sessions of these roles.
    """

    timeout: float | None = None
    exclude_me: bool = False
    eligible_authid: Sequence[str] | None = None
    exclude_authid: Sequence[str] | None = None
    eligible_authrole: Sequence[str] | None = None


DEFAULT_CALL = CallOptions()
DEFAULT_PUBLISH = PublishOptions()


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result of several values: a handler may return one, and so may callees in other languages."""

    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
