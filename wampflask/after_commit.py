"""``wamp.after_commit(session)``: what is sent when a transaction commits, and dropped when it rolls back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._current import current_client
from .live import LiveThing
from .options import DEFAULT_PUBLISH, PublishOptions
from .publication import Publication

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

    from .tasks import Queue, Task


class AfterCommit:
    """What :meth:`WAMP.after_commit` returns. A payload that is not JSON is refused at once, before the commit."""

    def __init__(self, session: Session | scoped_session[Any]) -> None:
        self._session = session

    def publish(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """:meth:`WAMP.publish` when the transaction commits; what it raises then is logged."""
        self._when_committed(current_client().publish, Publication.of("publish", topic, args, kwargs, options))

    def publish_later(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """:meth:`WAMP.publish_later` when the transaction commits."""
        self._when_committed(
            current_client().publish_later, Publication.of("publish_later", topic, args, kwargs, options)
        )

    def publish_latest(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """:meth:`WAMP.publish_latest` when the transaction commits: the topic's last value of the transaction."""
        queued = Publication.of("publish_latest", topic, args, kwargs, options)
        self._when_committed(current_client().publish_latest, queued, subject=queued.subject)

    def changed(self, thing: LiveThing[..., Any], *keys: str | int, **args: Any) -> None:
        """What the thing's own ``changed`` does, when the transaction commits."""
        from .transactions import when_committed

        client, topic = current_client(), thing.topic(args)
        names = tuple(map(str, keys))
        client.expect_change()
        when_committed(self._session, lambda: client.changed(thing, topic, args, names))

    def append(self, queue: Queue, name: str, *args: Any, **kwargs: Any) -> Task:
        """What the queue's own ``append`` does, when the transaction commits.

        The task is returned at once; it is there to be asked about, and to be begun, from the commit on.
        """
        from .transactions import when_committed

        task, append = queue.prepare(name, args, kwargs)
        when_committed(self._session, append)
        return task

    def _when_committed(
        self, send: Callable[[Publication], object], queued: Publication, subject: object = None
    ) -> None:
        from .transactions import when_committed  # SQLAlchemy is there only where this is used

        current_client().check_size(queued)
        when_committed(self._session, lambda: send(queued), subject=subject)
