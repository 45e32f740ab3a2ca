"""What the hub wants of this host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .fields import FieldError, boolean, integer, seconds
from .metrics import GROUPS
from .sampler import Values

FREQUENCY = (0.5, 3600.0)
HANDOVER = (1.0, 300.0)


class Config(NamedTuple):
    """What the hub wants of this host."""

    version: int = 0
    disabled: bool = False
    frequency: float = 5.0
    handover: float = 10.0
    groups: frozenset[str] = frozenset(GROUPS)

    @classmethod
    def parse(cls, data: object) -> Config:
        """Return the configuration in JSON; missing fields have their defaults, unknown ones are ignored.

        :raises FieldError: naming the first wrong field.
        """
        if not isinstance(data, dict):
            raise FieldError("the configuration is not an object")
        return cls(
            version=integer(data, "version", 0),
            disabled=boolean(data, "disabled", default=False),
            frequency=seconds(data, "frequency", 5.0, FREQUENCY),
            handover=seconds(data, "handover", 10.0, HANDOVER),
            groups=frozenset(group for group in GROUPS if boolean(data, group, default=True)),
        )

    def as_json(self) -> Values:
        return {**{name: value for name, value in self._asdict().items() if name != "groups"}, **dict(self._switches())}

    def _switches(self) -> Iterator[tuple[str, bool]]:
        return ((group, group in self.groups) for group in GROUPS)

    def shows(self, group: str) -> bool:
        """Return whether a group of metrics is switched on."""
        return group in self.groups
