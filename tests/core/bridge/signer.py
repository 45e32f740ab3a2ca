"""Signs requests as Crossbar.io documents it for its HTTP bridge, with none of our code.

"The signature is HMAC[SHA256]_{secret}(key | timestamp | seq | nonce | body), as URL-safe Base64."
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import itertools
import json
import random
from typing import Any

_numbers = itertools.count(1)


def signed(key: str, secret: str, body: bytes, *, late: float = 0) -> dict[str, str]:
    """The query parameters of a request.

    :param late: seconds by which its timestamp is older than now.
    """
    sent = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=late)
    query = {
        "key": key,
        "timestamp": sent.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "seq": str(next(_numbers)),
        "nonce": str(random.randint(0, 2**53)),
    }
    mac = hmac.new(secret.encode("utf8"), None, hashlib.sha256)
    for name in ("key", "timestamp", "seq", "nonce"):
        mac.update(query[name].encode("utf8"))
    mac.update(body)
    query["signature"] = base64.urlsafe_b64encode(mac.digest()).decode()
    return query


def body_of(**said: Any) -> bytes:
    """A request's body."""
    return json.dumps(said).encode("utf8")
