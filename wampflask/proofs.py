"""Proofs: what lets one page have claims of its own in its tickets, and no other page of the same person."""

from __future__ import annotations

from flask import request
from itsdangerous import BadData, URLSafeSerializer

from .identity import Identity
from .plugin.tickets import Claim, read_claims
from .tickets import issuer_of

__all__ = ["PROOF_HEADER", "prove", "proven"]

PROOF_HEADER = "X-Wamp-Proof"

_PROOF = "wampflask.proof"
_PROOFS_MAX = 8  # in one request


def prove(**claims: object) -> str:
    """Return a proof that gives one page ``claims`` in its tickets: for what belongs to a page, not to a person.

    Hand it to the page, which keeps it in its memory and shows it with each request for a ticket (header
    ``X-Wamp-Proof``; ``connection.proofs`` of the browser's wrapper). To anybody but who asks now it is worthless.

    :raises ValueError: a claim is not one component of a URI, or a list of them.
    """
    found = read_claims(claims)
    return str(_proof_signer().dumps({"authid": issuer_of().current_identity().authid, "claims": found}))


def _proof_signer() -> URLSafeSerializer:
    return URLSafeSerializer(issuer_of().tickets.derive(_PROOF), salt=_PROOF)


def proven(who: Identity) -> dict[str, Claim]:
    """Return the claims that the current request has proofs for; forged ones and other people's are left out."""
    claims: dict[str, Claim] = {}
    for text in request.headers.get(PROOF_HEADER, "").split(",")[:_PROOFS_MAX]:
        try:
            proof = _proof_signer().loads(text.strip())
        except BadData:
            continue
        if proof["authid"] == who.authid:
            claims |= proof["claims"]
    return claims
