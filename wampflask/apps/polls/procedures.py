"""What pages call over WAMP."""

from __future__ import annotations

from wampflask import numbered
from wampflask.apps import wire
from wampflask.apps.access import current_actor
from wampflask.apps.answering import procedure
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import contract, live, service, voting
from .models import CHOICES_MAX

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


@procedure(contract.VOTE)
def vote(question_id: object, choice_ids: object) -> contract.Snapshot:
    """Vote, or change a vote, as the caller: see the contract.

    :raises Invalid: an argument, no choice, or a wrong one.
    :raises Conflict: voting has closed, or the vote may not be changed.
    :raises NotFound: no such question.
    """
    actor, session, wanted = current_actor(), db.session(), wire.whole(question_id, "question_id", 1)
    picked = [wire.whole(one, "choice_ids", 1) for one in wire.items(choice_ids, "choice_ids", CHOICES_MAX)]
    key = voting.vote(session, wanted, actor.authid, picked)
    if key is not None:
        live.voted(wanted, key)
    session.commit()
    return service.snapshot(session, service.get_question(session, wanted), actor)
