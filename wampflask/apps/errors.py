"""What a person sees when something went wrong: one page, plain words, and never what is inside.

Templates: ``errors/error.html`` (code, title, message, error_id).
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from . import resend
from .extensions import db

WORDS = {
    400: ("That did not work", "The request was not complete or not valid."),
    401: ("Please log in", "This page is for people who are logged in."),
    403: ("Not for you", "You may not see or do this. Log in with another account if you have one."),
    404: ("Nothing here", "There is no such page. It may have been deleted, or the address has a slip."),
    405: ("That did not work", "This address does not take that kind of request."),
    409: ("That is not possible now", "Somebody else changed it in the meantime. Reload the page."),
    413: ("Too large", "You sent more than is allowed here. Make it shorter and try again."),
    422: ("That did not work", "A value is not allowed here."),
    429: ("Too many attempts", "Wait a minute, then try again."),
    500: ("Our mistake", "Something went wrong on our side; it has been written down."),
    503: ("Not ready", "The site is not ready. Try again in a moment."),
    504: ("Not ready", "This took too long. Try again in a moment."),
}


def init_app(app: Flask) -> None:
    """Answer every error with our page, or with JSON to those who ask for that."""
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unknown)


def _csrf(_error: Exception) -> Response:
    answer = resend.expired()
    if isinstance(answer, Response) and not _wants_json():
        return answer
    return error_page(400, answer if isinstance(answer, str) else resend.OPEN_AGAIN)


def _http(error: HTTPException) -> Response:
    code = error.code or 500
    if code < HTTPStatus.BAD_REQUEST:  # a redirect is raised too, and is none of ours
        return make_response(error.get_response())
    response = error_page(code, _own_words(error))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "www-authenticate"):
            response.headers[name] = value
    return response


def _unknown(error: Exception) -> Response:
    """The boundary for what nobody expected: the log gets it all, the stranger gets its number."""
    if current_app.testing and current_app.config["PROPAGATE_EXCEPTIONS"]:
        raise error
    db.session.rollback()
    number = secrets.token_hex(4)
    current_app.logger.error("Error %s at %s %s", number, request.method, request.path, exc_info=error)
    return error_page(500, error_id=number)


def _own_words(error: HTTPException) -> str:
    """The message that the code gave to abort(); Werkzeug's stock phrases are not shown."""
    stock = isinstance(error, InternalServerError | RateLimitExceeded) or error.description == type(error).description
    if stock:
        return ""
    return error.description or ""


def error_page(code: int, message: str = "", error_id: str = "") -> Response:
    """The page for an HTTP status.

    :param message: our own words for what happened and what to do; by default those of the status.
    """
    title, words = WORDS.get(code, WORDS[400 if code < HTTPStatus.INTERNAL_SERVER_ERROR else 500])
    message = message or words
    if _wants_json():
        body = {"error": title, "message": message, **({"id": error_id} if error_id else {})}
        return make_response(jsonify(body), code)
    return make_response(_page(code=code, title=title, message=message, error_id=error_id), code)


def _page(**values: Any) -> str | Response:
    """The page; its words alone when even that cannot be shown, as without a database."""
    try:
        return render_template("errors/error.html", **values)
    except Exception:
        current_app.logger.exception("The error page could not be shown")
        words = f"{values['code']} {values['title']}\n\n{values['message']} {values['error_id']}\n"
        return Response(words, mimetype="text/plain")


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return request.path.endswith(".json") or best == "application/json"
