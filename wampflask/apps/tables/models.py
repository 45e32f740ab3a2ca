"""The rows of the live table."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, validates

from wampflask.apps.db import Base
from wampflask.apps.errors import Invalid
from wampflask.apps.text import required_line
from wampflask.apps.wire import INTEGER_MAX

NAME_MAX = 100
VALUE_MAX = INTEGER_MAX


class IntegerValue(Base):
    """A named whole number. ``version`` rises with each change; a primary key is never used twice."""

    __tablename__ = "integer_value"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX), unique=True)
    value: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"

    @validates("name")
    def _check_name(self, _key: str, value: str | None) -> str:
        return required_line(value, "A name", NAME_MAX)

    @validates("value")
    def _check_value(self, _key: str, value: int | None) -> int:
        if value is None or abs(value) > VALUE_MAX:
            raise Invalid(f"A value must be a whole number between -{VALUE_MAX:,} and {VALUE_MAX:,}.")
        return value
