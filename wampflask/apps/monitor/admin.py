"""Hosts, tokens, rules and channels in the admin. Edits of hosts are delivered to agents at once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.actions import action
from flask_admin.helpers import get_redirect_target
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, SubmitField
from wtforms.validators import Length, Optional

from wampflask.apps.admin_views import ReadOnlyView, SiteModelView
from wampflask.apps.errors import Invalid, NotFound
from wampflask.apps.extensions import db as database
from wampflask.apps.extensions import wamp
from wampflask.apps.fields import NumberField

from . import contract
from .alerts import notifications
from .alerts.models import Alert, AlertRule, Channel, Notice
from .forms import LABELS, seconds_between
from .intake.models import EnrolToken
from .metrics import SWITCHES
from .models import Host
from .settings import delivery, service

SAID_ONE_BY_ONE = 10
"""Hosts of a bulk edit up to which each one's result is shown."""
ID_DIGITS = 18
"""Digits of an id that every database can look for."""
_LEAVE = {"": "No change", "1": "On", "0": "Off"}


class BulkForm(FlaskForm):  # type: ignore[misc]
    """New values for several hosts; empty fields change nothing."""

    frequency = NumberField(LABELS["frequency"], validators=[Optional(), seconds_between(*contract.FREQUENCY)])
    disabled = SelectField(LABELS["disabled"], choices=_LEAVE)
    show_cpus = SelectField(LABELS["show_cpus"], choices=_LEAVE)
    show_memory = SelectField(LABELS["show_memory"], choices=_LEAVE)
    show_disk = SelectField(LABELS["show_disk"], choices=_LEAVE)
    show_network = SelectField(LABELS["show_network"], choices=_LEAVE)
    show_temperatures = SelectField(LABELS["show_temperatures"], choices=_LEAVE)
    show_system = SelectField(LABELS["show_system"], choices=_LEAVE)
    labels = StringField("Labels (comma-separated; replace those they have)", validators=[Length(max=500)])
    submit = SubmitField("Save and apply")

    def values(self) -> dict[str, Any]:
        """Return what was filled in."""
        found: dict[str, Any] = {name: self[name].data == "1" for name in ("disabled", *SWITCHES) if self[name].data}
        if self.frequency.data is not None:
            found["frequency"] = self.frequency.data
        if (self.labels.data or "").strip():
            found["labels"] = self.labels.data
        return found


def show_results(results: dict[str, tuple[str, str]], titles: dict[str, str]) -> None:
    """Show the admin what each agent answered, by host or in sum."""
    if len(results) <= SAID_ONE_BY_ONE:
        for host, (state, text) in results.items():
            flash(f"{titles.get(host, host)}: {text}", "error" if state == "refused" else "success")
        return
    counts = Counter(state for state, _ in results.values())
    flash(f"{len(results)} hosts: " + ", ".join(f"{count} {state}" for state, count in counts.items()), "success")


def _row_numbers(text: str) -> list[int]:
    """Return the rows' ids in a page's address, without those that cannot be one."""
    return [int(one) for one in text.split(",") if one.isascii() and one.isdigit() and len(one) <= ID_DIGITS]


def _application(_view: Any, _context: Any, model: Host, _name: str) -> str:
    return service.application(model)[1]


def _title(_view: Any, _context: Any, model: Host, _name: str) -> str:
    return model.title


class HostView(SiteModelView):
    """Hosts; they are added by enrolling."""

    can_create = False
    column_list = ("name", "settings", "online", "last_seen", "frequency", "disabled", *SWITCHES, "labels", "ip")
    column_formatters = {"settings": _application, "name": _title}  # noqa: RUF012 - Flask-Admin's way of declaring
    column_searchable_list = ("name", "reported_name", "ip", "labels", "host")
    column_filters = ("online", "disabled", "revoked", "labels")
    column_editable_list = ()
    form_columns = ("name", "labels", "notes", "disabled", "frequency", "handover", *SWITCHES, "revoked")
    column_labels = {**LABELS, "ip": "IP", "settings": "Settings"}  # noqa: RUF012 - same
    page_size = 100

    def after_model_change(self, form: Any, model: Host, is_created: bool) -> None:  # noqa: ARG002 - Flask-Admin's
        """Deliver the settings to the agent."""
        if model.revoked:
            wamp.revoke(contract.authid(model.host))
        titles = {model.host: model.title}
        show_results(delivery.deliver([model.host]), titles)

    def after_model_delete(self, model: Host) -> None:
        """End the agent's session."""
        delivery.cut_off(model.host)

    @action("edit", "Edit…")  # type: ignore[untyped-decorator]
    def edit_many(self, ids: list[str]) -> ResponseReturnValue:
        """Open the form for all of them."""
        return redirect(url_for(".bulk", ids=",".join(ids)))

    @expose("/bulk", methods=("GET", "POST"))  # type: ignore[untyped-decorator]
    def bulk(self) -> ResponseReturnValue:
        """Show ``admin/bulk.html`` (form: BulkForm, hosts)."""
        session = database.session()
        numbers = _row_numbers(request.args.get("ids", ""))[:1000]
        hosts = [host for number in numbers if (host := session.get(Host, number))]
        if not hosts:
            raise NotFound("These hosts do not exist. They may have been removed.")
        form = BulkForm()
        if form.validate_on_submit():
            titles = {host.host: host.title for host in hosts}
            try:
                service.edit_many(session, hosts, form.values())
                session.commit()
            except Invalid as error:
                session.rollback()
                flash(str(error), "error")
            else:
                show_results(delivery.deliver(list(titles)), titles)
                return redirect(url_for(".index_view"))
        page: ResponseReturnValue = self.render("admin/bulk.html", form=form, hosts=hosts)
        return page


class TokenView(SiteModelView):
    """Enrolment tokens; new ones are created on “Add a host”, where they are shown."""

    can_create = False
    column_list = ("hint", "note", "reusable", "uses", "created_at", "expires_at", "revoked")
    form_columns = ("note", "revoked", "expires_at")


class RuleView(SiteModelView):
    """When to alert."""

    column_list = ("name", "metric", "threshold", "seconds", "labels", "hosts", "enabled")
    form_columns = ("name", "metric", "threshold", "seconds", "labels", "hosts", "enabled")
    column_descriptions = {  # noqa: RUF012 - Flask-Admin's way of declaring
        "threshold": "Percent for CPU, memory, swap and disk; °C for temperature. Offline needs none.",
        "seconds": "Alert after the value has been above the threshold, or the host offline, for this many seconds.",
    }


class ChannelView(SiteModelView):
    """Where notifications are sent."""

    column_list = ("name", "enabled", "quiet_from", "quiet_to", "time_zone")
    form_columns = ("name", "address", "enabled", "quiet_from", "quiet_to", "time_zone")
    list_template = "admin/channels.html"
    edit_template = "admin/channel.html"
    column_descriptions = {  # noqa: RUF012 - Flask-Admin's way of declaring
        "address": "An address of apprise: mailto://user:password@mail.example?to=me@example.org, json://host/path, "
        "slack://…; room://name for a chat room of this site.",
        "quiet_from": "Nothing is sent in the quiet hours (such as 22:00 to 07:00); alerts open at their end are.",
    }

    def on_model_change(self, form: Any, model: Channel, is_created: bool) -> None:  # noqa: ARG002 - Flask-Admin's
        """Refuse values that could not be used."""
        model.address = notifications.check_address(model.address)
        notifications.parse_time(model.quiet_from or "")
        notifications.parse_time(model.quiet_to or "")
        notifications.zone(model.time_zone)
        model.quiet_from, model.quiet_to = model.quiet_from or "", model.quiet_to or ""

    @expose("/test", methods=("POST",))  # type: ignore[untyped-decorator]
    def test(self) -> ResponseReturnValue:
        """Send a test notification to the channel ``?id=``, and show whether it was sent."""
        session = database.session()
        channel = next((session.get(Channel, one) for one in _row_numbers(request.args.get("id", ""))), None)
        if channel is None:
            raise NotFound("There is no such channel. It may have been deleted.")
        name, address = channel.name, channel.address
        session.commit()  # no transaction is open while a remote server is asked
        if error := notifications.send_test(name, address):
            flash(f"{name}: the test notification was not sent. {error}", "error")
        else:
            flash(f"{name}: the test notification was sent.", "success")
        return redirect(get_redirect_target() or self.get_url(".index_view"))


class AlertView(SiteModelView):
    """Alerts, present and past."""

    column_list = ("text", "host", "state", "opened_at", "acknowledged_by", "resolved_at")
    column_filters = ("state",)
    column_default_sort = ("id", True)
    can_create = False
    can_edit = False


class NoticeView(ReadOnlyView):
    """Notifications that were sent, or will be."""

    column_list = ("alert", "channel", "resolved", "state", "attempts", "due_at", "sent_at", "error")
    column_filters = ("state",)
    column_default_sort = ("id", True)


def monitor_views(db: SQLAlchemy) -> list[SiteModelView]:
    """Return the pages of this feature."""
    return [
        HostView(Host, db, name="Hosts", category="Monitoring", endpoint="hosts"),
        TokenView(EnrolToken, db, name="Enrolment tokens", category="Monitoring", endpoint="tokens"),
        RuleView(AlertRule, db, name="Alert rules", category="Monitoring", endpoint="alert_rules"),
        ChannelView(Channel, db, name="Notification channels", category="Monitoring", endpoint="alert_channels"),
        AlertView(Alert, db, name="Alerts", category="Monitoring", endpoint="alerts"),
        NoticeView(Notice, db, name="Sent notifications", category="Monitoring", endpoint="alert_notices"),
    ]
