"""Binds the table to its procedures and topics: pages show every committed change."""

from __future__ import annotations

from wampflask import Caller
from wampflask.apps.access import current_actor
from wampflask.apps.extensions import db, wamp

from . import contract, service
from .models import IntegerValue


def may_write(_caller: Caller, action: str, _row: IntegerValue) -> bool:
    """Return whether who asks may add, change or delete a row."""
    return service.may(db.session(), action, is_user=current_actor().is_user)


values = wamp.bind(IntegerValue, fields=contract.FIELDS, can_write=may_write, table=contract.TABLE)
