"""Shows one page in plain words when something goes wrong, without internal details.

Templates: ``errors/error.html`` (code, title, message, error_id).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from . import resend
from .errors import SiteError
from .extensions import db, wamp

WORDS = {
    400: ("That didn't work", "The request was incomplete or invalid."),
    401: ("Log in first", "Log in to open this page."),
    403: ("You don't have access", "Ask an admin for access, or log in with another account."),
    404: ("Page not found", "It may have been deleted. Check the address for typos."),
    405: ("That didn't work", "This address doesn't accept that kind of request."),
    409: ("Not possible right now", "Someone else changed this in the meantime. Reload the page."),
    413: ("Too large", "This is larger than the site accepts. Make it smaller and try again."),
    422: ("That didn't work", "One of the values is not allowed here."),
    429: ("Too many attempts", "Wait a minute, then try again."),
    500: ("Something went wrong", "The error has been logged. Try again later."),
    503: ("Not ready", "The site is not ready. Try again in a moment."),
    504: ("Not ready", "This took too long. Try again in a moment."),
}


def init_app(app: Flask) -> None:
    """Answer every error with the site's page, or with JSON to clients that ask for it."""
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(SiteError, refusal)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unknown)


def _csrf(_error: Exception) -> Response:
    answer = resend.expired()
    if isinstance(answer, Response) and not _wants_json():
        return answer
    return error_page(400, answer if isinstance(answer, str) else resend.OPEN_AGAIN)


def refusal(error: SiteError) -> Response:
    """Roll the transaction back, and show why the site refuses."""
    db.session.rollback()
    response = error_page(error.status, str(error))
    if "seconds" in error.details:
        response.headers["Retry-After"] = str(error.details["seconds"])
    return response


def _http(error: HTTPException) -> Response:
    code = error.code or 500
    if code < HTTPStatus.BAD_REQUEST:  # redirects are raised, too
        return make_response(error.get_response())
    response = error_page(code, _own_words(error))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "www-authenticate"):
            response.headers[name] = value
    return response


def _unknown(error: Exception) -> Response:
    """Log an unexpected error, and show the client nothing but its number."""
    if current_app.testing and current_app.config["PROPAGATE_EXCEPTIONS"]:
        raise error
    db.session.rollback()
    return error_page(500, error_id=wamp.log_error(f"at {request.method} {request.path}", error))


def _own_words(error: HTTPException) -> str:
    """Return the message that was given to abort(); Werkzeug's stock phrases are not shown."""
    stock = isinstance(error, InternalServerError | RateLimitExceeded) or error.description == type(error).description
    if stock:
        return ""
    return error.description or ""


def error_page(code: int, message: str = "", error_id: str = "") -> Response:
    """Return the page for an HTTP status.

    :param message: what happened and what to do; by default the words of the status.
    """
    title, words = WORDS.get(code, WORDS[400 if code < HTTPStatus.INTERNAL_SERVER_ERROR else 500])
    message = message or words
    if _wants_json():
        body = {"error": title, "message": message, **({"id": error_id} if error_id else {})}
        return make_response(jsonify(body), code)
    return make_response(_page(code=code, title=title, message=message, error_id=error_id), code)


def _page(**values: Any) -> str | Response:
    """Return the page, or its words alone when it cannot be rendered, as without a database."""
    try:
        return render_template("errors/error.html", **values)
    except Exception:
        current_app.logger.exception("The error page could not be shown")
        words = f"{values['code']} {values['title']}\n\n{values['message']} {values['error_id']}\n"
        return Response(words, mimetype="text/plain")


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return request.path.endswith(".json") or best == "application/json"
