"""The live table's URIs and permissions: procedures and topics are those of ``wampflask.binding``.

``tables.integer_value.snapshot``, ``.row``, ``.create``, ``.update(pk, values, version)``, ``.delete(pk, version)``;
topics ``tables.integer_value.<pk>.changed``, ``.deleted``, and ``tables.integer_value.reset``.
"""

from __future__ import annotations

from wampflask.binding import permissions_for
from wampflask.permissions import PAGES

TABLE = "integer_value"
FIELDS = ("name", "value")

PERMISSIONS = permissions_for(TABLE, readers=PAGES, writers=PAGES)
