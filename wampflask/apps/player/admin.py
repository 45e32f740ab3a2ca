"""The media folder in the admin: list, upload and delete files."""

from __future__ import annotations

from typing import IO, Any

from flask import Flask, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField

from wampflask.apps.access import is_admin
from wampflask.apps.admin_views import ForAdmins
from wampflask.apps.assets import asset
from wampflask.apps.errors import SiteError

from . import conversion, media
from .views import media_folder

OVERHEAD = 1_048_576  # bytes of a request around its file
UPLOAD = "media.index"


class UploadForm(FlaskForm):  # type: ignore[misc]
    """A file."""

    file = FileField("Video or sound", validators=[FileRequired("Choose a file first.")])


class DeleteForm(FlaskForm):  # type: ignore[misc]
    """Which file."""

    name = HiddenField()


class MediaView(ForAdmins, BaseView):  # type: ignore[misc]
    """``/admin/media/``: ``player/admin_media.html`` (items, converted: task_rows.TaskStatus each, form, ….

    The others: delete_form, limit in bytes, megabytes().
    """

    @property
    def extra_js(self) -> list[str]:
        """Return the script that refuses a file that is too large before it is sent."""
        return [asset("js/player/upload.js")]

    @expose("/", methods=("GET", "POST"))  # type: ignore[untyped-decorator]
    def index(self) -> ResponseReturnValue:
        """List the files; POST adds one."""
        form = UploadForm()
        if form.validate_on_submit():
            sent = form.file.data
            try:
                flash(_add(sent.filename or "", sent.stream), "success")
            except SiteError as error:
                flash(str(error), "error")
            return redirect(url_for(UPLOAD))
        for problems in form.errors.values():
            for problem in problems:
                flash(str(problem), "error")
        page = self.render(
            "player/admin_media.html",
            items=media.list_media(media_folder()),
            form=form,
            delete_form=DeleteForm(formdata=None),
            converted=conversion.listed(),
            limit=_limit(),
            megabytes=media.megabytes,
        )
        return page, 422 if form.errors else 200

    @expose("/delete", methods=("POST",))  # type: ignore[untyped-decorator]
    def delete(self) -> ResponseReturnValue:
        """Delete the file ``name``."""
        try:
            media.delete(media_folder(), DeleteForm().name.data or "")
        except SiteError as error:
            flash(str(error), "error")
        else:
            flash("File deleted.", "success")
        return redirect(url_for(UPLOAD))


def init_app(app: Flask) -> None:
    """Let admins send more to the upload page than the limit for other requests."""
    app.url_value_preprocessor(_allow_upload)


def _allow_upload(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Raise the limit before anything reads the form."""
    if endpoint == UPLOAD and request.method == "POST" and is_admin():
        request.max_content_length = _limit() + OVERHEAD


def _add(name: str, source: IO[bytes]) -> str:
    """Add an uploaded file, or have it converted first; return the message for the page.

    :raises SiteError: it cannot be added.
    """
    item = media.check(name, source, _limit())
    if item.type in media.CONVERTED:
        conversion.add(media_folder(), item, source)
        return f"Browsers cannot play {media.CONVERTED[item.type]}: {item.name} is converted now."
    media.store(media_folder(), item.name, source)
    return f"Added {item.name}. Reload open players to see it."


def _limit() -> int:
    return int(current_app.extensions["site"].media_max)


def media_views() -> list[MediaView]:
    """Return the pages of this feature."""
    return [MediaView(name="Media", category="Player", endpoint="media", url="/admin/media")]
