"""Makes a player's id, and the QR code that passes it to a phone."""

from __future__ import annotations

from typing import TypedDict

from flask import url_for

from wampflask import prove
from wampflask.apps import qr
from wampflask.apps.demo import contract as demo
from wampflask.apps.extensions import wamp
from wampflask.apps.network import public_base

from .contract import CLAIM


class Pairing(TypedDict):
    """``proof``: for the page alone, to show when it asks for tickets. ``url``: for remotes, in ``qr`` as SVG."""

    player: str
    proof: str
    url: str
    qr: str


def make_pairing() -> Pairing:
    """Return a new id for the page that asks; nothing of it is stored.

    :raises NotConnected: and the other errors of ``wamp.call``: id and address come over WAMP.
    """
    player = wamp.call(demo.UUID)
    url = f"{public_base(lambda: wamp.call(demo.IP))}{url_for('player.control')}#{player}"
    return Pairing(player=player, proof=prove(**{CLAIM: player}), url=url, qr=qr.draw(url))
