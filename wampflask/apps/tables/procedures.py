"""Binds the table: whoever commits a change of it, every page shows it."""

from __future__ import annotations

from wampflask import Caller
from wampflask.apps.extensions import db, wamp

from . import contract, service
from .models import IntegerValue


def may_write(caller: Caller, action: str, _row: IntegerValue) -> bool:
    """Everybody may add and change; deleting is for those who are logged in."""
    return service.may(db.session(), action, logged_in=caller.role in ("user", "admin"))


values = wamp.bind(IntegerValue, fields=contract.FIELDS, can_write=may_write, table=contract.TABLE)
