"""Makes Flask-Security accept the e-mail addresses that accounts are created with. No mail is ever sent."""

from __future__ import annotations

from flask_security import EmailValidateException, MailUtil

from wampflask.apps.errors import Invalid

from .service import normal_email


class EmailPolicy(MailUtil):
    """The one check of e-mail addresses."""

    def normalize(self, email: str) -> str:
        """Return the address in the form that is stored.

        :raises EmailValidateException: not an address.
        """
        try:
            return normal_email(email)
        except Invalid as error:
            raise EmailValidateException(str(error)) from None

    def validate(self, email: str) -> str:
        """Return the address in the form that is stored.

        :raises EmailValidateException: not an address.
        """
        return self.normalize(email)
