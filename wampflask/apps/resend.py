"""A form that came too late loses nothing: it is shown as it was sent, to be sent again.

One page for every form: when its token is of a session that has ended, and when its sender must log in first.
Template: ``errors/resend.html`` (code, title, message, fields, action, log_in).
"""

from __future__ import annotations

from flask import Response, current_app, make_response, render_template, request

from .headers import mark_private

EXPIRED = "Your session has expired. Your text is still here: send it again."
EXPIRED_BUTTON = "Your session has expired. Send it again."
LOG_IN = "You have been logged out. Your text is still here: log in, then send it again."
NO_COOKIES = (
    "This site's forms need cookies, but your browser blocks them. Allow cookies for this site, then send it again."
)
OPEN_AGAIN = "Your session has expired. Open the page again, then send the form."
NOT_OURS = "This form was open for too long, or came from another site. Reload the page and send it again."

MARK = "sent_again"
"""A field that such a page adds, to know its own."""


def expired() -> Response | str:
    """Return the answer to a form whose token is not valid: a page, or the words for one."""
    if not _is_ours():
        return NOT_OURS
    if _cannot_be_shown():
        return OPEN_AGAIN
    cookie = current_app.session_interface.get_cookie_name(current_app)
    if MARK in request.form and cookie not in request.cookies:
        return _page(400, "That didn't work", NO_COOKIES)
    return _page(400, "That didn't work", EXPIRED if fields() else EXPIRED_BUTTON)


def log_in_first() -> Response | None:
    """Return a page for a form whose sender must log in; None when nothing was typed."""
    is_written = any(not value.isdigit() for _, value in fields() if value)
    if request.method != "POST" or not is_written or _cannot_be_shown():
        return None
    return _page(401, "Log in first", LOG_IN, log_in=True)


def fields() -> list[tuple[str, str]]:
    """Return what was entered, as pairs of name and value."""
    own = (MARK, current_app.config["WTF_CSRF_FIELD_NAME"])
    return [(name, value) for name, value in request.form.items(multi=True) if name not in own]


def _page(code: int, title: str, message: str, *, log_in: bool = False) -> Response:
    mark_private()
    page = render_template(
        "errors/resend.html",
        code=code,
        title=title,
        message=message,
        fields=fields(),
        own_field=MARK,
        action=request.full_path.rstrip("?"),
        log_in=log_in,
    )
    return make_response(page, code)


def _is_ours() -> bool:
    """Return whether a page of this site sent the form, as the browser says: other sites' forms are not shown here."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") == request.host_url.rstrip("/")


def _cannot_be_shown() -> bool:
    """Return whether the request cannot be shown again: passwords must not be in pages, and files cannot."""
    return any("password" in name for name in request.form) or any(file.filename for file in request.files.values())
