"""What pages call over WAMP."""

from __future__ import annotations

from flask_security import current_user

from wampflask import CallFailed, caller, numbered
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import contract, service

wamp.permit(*contract.PERMISSIONS)


@wamp.register(contract.RESULTS)
@numbered
def results(question_id: object, as_voter: object = True) -> contract.Snapshot:
    """The question as the caller may see it now.

    :param as_voter: whether the caller's own vote counts: it is in the answer, and may open results to them.
    :raises CallFailed: ``polls.error.not_found``, or ``polls.error.invalid`` for an invalid argument.
    """
    if not isinstance(question_id, int) or isinstance(question_id, bool) or not 0 < question_id < 2**31:
        raise CallFailed("polls.error.invalid", "A question's id is a positive whole number.")
    if not isinstance(as_voter, bool):
        raise CallFailed("polls.error.invalid", "as_voter is true or false.")
    voter = caller.authid if as_voter else None
    with reading():
        viewer = service.Viewer(voter, is_admin=current_user.is_authenticated and current_user.has_role("admin"))
        try:
            return service.snapshot(db.session(), service.get_question(db.session(), question_id), viewer)
        except service.PollError as error:
            raise CallFailed(error.uri, str(error)) from None
