"""Real time for ordinary, synchronous Flask, over WAMP: publish, call, and handlers by decorator."""

from .caller import Caller, caller, user_authid
from .errors import (
    AlreadyDeclared,
    CallFailed,
    Cancelled,
    ConfigError,
    InvalidPayload,
    InvalidURI,
    LockTaken,
    NoSuchProcedure,
    NotAuthorized,
    NotConnected,
    QueueFull,
    RateLimited,
    UnsafeProcess,
    WampError,
    WampTimeout,
    WrongThread,
)
from .extension import WAMP
from .identity import Identity
from .live_calls import numbered
from .options import CallOptions, CallResult, OptionAsPayload, PublishOptions
from .permissions import Permission
from .progress import progress
from .proofs import prove
from .status import State, Status

__all__ = [
    "WAMP",
    "AlreadyDeclared",
    "CallFailed",
    "CallOptions",
    "CallResult",
    "Caller",
    "Cancelled",
    "ConfigError",
    "Identity",
    "InvalidPayload",
    "InvalidURI",
    "LockTaken",
    "NoSuchProcedure",
    "NotAuthorized",
    "NotConnected",
    "OptionAsPayload",
    "Permission",
    "PublishOptions",
    "QueueFull",
    "RateLimited",
    "State",
    "Status",
    "UnsafeProcess",
    "WampError",
    "WampTimeout",
    "WrongThread",
    "caller",
    "numbered",
    "progress",
    "prove",
    "user_authid",
]
