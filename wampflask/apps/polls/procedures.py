"""What pages call over WAMP."""

from __future__ import annotations

from wampflask import numbered
from wampflask.apps import wire
from wampflask.apps.access import current_actor
from wampflask.apps.answering import procedure
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import contract, service

wamp.permit(*contract.PERMISSIONS)


@procedure(contract.RESULTS)
@numbered
def results(question_id: object, as_voter: object = True) -> contract.Snapshot:
    """Return the question as the caller may see it now: see the contract.

    :raises Invalid: an argument.
    :raises NotFound: no such question.
    """
    wanted, own = wire.whole(question_id, "question_id", 1), wire.flag(as_voter, "as_voter")
    with reading():
        question = service.get_question(db.session(), wanted)
        return service.snapshot(db.session(), question, current_actor(), as_voter=own)
