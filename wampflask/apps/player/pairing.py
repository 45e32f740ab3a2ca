"""Makes a player's id, and the code that hands it to a phone."""

from __future__ import annotations

import io
from typing import TypedDict

import segno
from flask import url_for

from wampflask import prove
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
    """A new id for the page that asks. Nothing of it is kept here.

    :raises NotConnected: and the other errors of ``wamp.call``: id and address come over WAMP.
    """
    player = wamp.call(demo.UUID)
    url = f"{public_base(lambda: wamp.call(demo.IP))}{url_for('player.control')}#{player}"
    return Pairing(player=player, proof=prove(**{CLAIM: player}), url=url, qr=_draw(url))


def _draw(url: str) -> str:
    drawing = io.BytesIO()
    code = segno.make(url, error="m", micro=False)
    code.save(drawing, kind="svg", border=3, dark="#000", light="#fff", omitsize=True, xmldecl=False)
    return drawing.getvalue().decode()
