"""Form fields that WTForms has not."""

from __future__ import annotations

import math
from typing import Any

from wtforms import FloatField

NO_NUMBER = "Enter a number."


class NumberField(FloatField):
    """A finite number, shown without a useless ``.0``."""

    def _value(self) -> str:
        if self.raw_data or self.data is None:
            return str(super()._value())  # type: ignore[misc]  # missing in its types
        return repr(self.data).removesuffix(".0")

    def process_formdata(self, valuelist: Any) -> None:
        """Read a number.

        :raises ValueError: not a number; also for ``nan`` and ``inf``, which cannot be compared.
        """
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(NO_NUMBER) from None
        if self.data is not None and not math.isfinite(self.data):
            self.data = None
            raise ValueError(NO_NUMBER)
