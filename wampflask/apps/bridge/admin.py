"""Keys of programs, and the URLs that are called back, in the admin."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import flash, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField, StringField, SubmitField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from wampflask import WampError
from wampflask.apps.admin_views import ForAdmins
from wampflask.apps.extensions import wamp
from wampflask.apps.headers import no_store
from wampflask.bridge import bridge_of
from wampflask.tickets import issuer_of

DAYS_MAX = 3650
DAY = 86_400


class KeyForm(FlaskForm):  # type: ignore[misc]
    """A new key."""

    name = StringField("Name (lower-case letters, digits and _)", validators=[InputRequired(), Length(max=60)])
    role = SelectField("Role: what it may do")
    uris = StringField(
        "Only these URIs, and those below them (with blanks between them)", validators=[Length(max=2000)]
    )
    days = IntegerField("Days until it expires (empty: never)", validators=[Optional(), NumberRange(1, DAYS_MAX)])
    submit = SubmitField("Make the key")


class KeyView(ForAdmins, BaseView):  # type: ignore[misc]
    """Keys and callbacks. A key is shown once, when it is made."""

    @expose("/", methods=("GET", "POST"))  # type: ignore[untyped-decorator]
    def index(self) -> ResponseReturnValue:
        """Show ``admin/keys.html`` (form, keys, used: moments by name, callbacks, made: a new key); make a key."""
        issuer, form = issuer_of(), KeyForm()
        form.role.choices = [(role, role) for role in issuer.tickets.roles]
        made = None
        if form.validate_on_submit():
            expires = datetime.now(UTC).timestamp() + form.days.data * DAY if form.days.data else None
            below = (form.uris.data or "").split()
            try:
                made = issuer.keys.create(
                    form.name.data or "", form.role.data, below, roles=issuer.tickets.roles, expires=expires
                )
            except WampError as error:
                flash(str(error), "error")
        bridge = bridge_of()
        page = self.render(
            "admin/keys.html",
            form=form,
            made=made,
            keys=issuer.keys.all(),
            used=bridge.requests.last_used(),
            callbacks=bridge.callbacks.all(),
            moment=_moment,
        )
        return no_store(make_response(page))

    @expose("/revoke", methods=("POST",))  # type: ignore[untyped-decorator]
    def revoke(self) -> ResponseReturnValue:
        """Forget the key ``?name=``: its requests are refused from now on, its sessions and callbacks end."""
        name = request.args.get("name", "")
        try:
            authid = issuer_of().keys.revoke(name).authid
        except WampError as error:
            flash(str(error), "error")
        else:
            wamp.revoke(authid)
            bridge_of().callbacks.refresh()
            flash(f"The key {name} is revoked.", "success")
        return redirect(self.get_url(".index"))

    @expose("/forget", methods=("POST",))  # type: ignore[untyped-decorator]
    def forget(self) -> ResponseReturnValue:
        """Forget the callback ``?id=``, and what waits for it."""
        if bridge_of().callbacks.remove(request.args.get("id", "")):
            flash("The callback is taken back.", "success")
        else:
            flash("There is no such callback. It may have been taken back.", "error")
        return redirect(self.get_url(".index"))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def bridge_views() -> list[KeyView]:
    """Return the pages of this feature."""
    return [KeyView(name="Keys", endpoint="keys", url="/admin/keys", category="Bridge")]
