"""Flask-Security's view of e-mail addresses: ours. No mail is ever sent."""

from __future__ import annotations

from flask_security import EmailValidateException, MailUtil

from wampflask.apps.errors import Invalid

from .service import normal_email


class Addresses(MailUtil):
    """Checks addresses by the rule that accounts are made with."""

    def normalize(self, email: str) -> str:
        """:raises EmailValidateException: it is no address."""
        try:
            return normal_email(email)
        except Invalid as error:
            raise EmailValidateException(str(error)) from None

    def validate(self, email: str) -> str:
        """:raises EmailValidateException: it is no address."""
        return self.normalize(email)
