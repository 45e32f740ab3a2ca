"""Declaring live things: the decorators of :class:`wampflask.WAMP` that say what pages show true."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from . import live_calls, uris
from ._declarations import Declarations, Procedure, Subscription
from ._live_protocol import WORKER_LOST, Per
from .errors import AlreadyDeclared, ConfigError, InvalidURI
from .fragments import FETCH, Fragment, ListFragment
from .live import Addressed, LiveThing, Log, P, R, Rows, Value
from .patterns import Pattern
from .permissions import EVERYONE, Permission
from .plugin.roster import CHANGED as PEOPLE_CHANGED
from .plugin.roster import LAST
from .presence import Describe, Person, Presence, online

if TYPE_CHECKING:
    from .changes import Of


class LiveDeclarations:
    """A part of :class:`wampflask.WAMP`."""

    _declarations: Declarations

    def __init__(self) -> None:
        self._live: list[LiveThing[..., Any]] = []
        self._asks_again = False
        self._listens_to_people = False
        self._fragments: dict[str, Fragment[..., Any]] = {}

    def permit(self, *permissions: Permission) -> None:
        """Declare who may use which URI."""
        raise NotImplementedError

    def _declare(self, declaration: Procedure | Subscription) -> None:
        raise NotImplementedError

    def declare_procedure(self, procedure: Procedure) -> None:
        """Declare a procedure of the library's own."""
        self._declare(procedure)

    def value(
        self,
        uri: str,
        *,
        allow: Iterable[str] | str,
        of: Of | None = None,
        per: Per = "all",
        every: float | None = None,
        procedure: str | None = None,
    ) -> Callable[[Callable[P, R]], Value[P, R]]:
        """Decorator: make a function's result live: pages that show it are right, and become right again.

        :param uri: such as ``shop.stock.<item>``; the names are the function's arguments.
        :param allow: the roles that may see it, or ``"everyone"``.
        :param per: ``all``, ``role`` or ``person``: see :class:`wampflask.live.LiveThing`.
        :param every: seconds between readings while somebody listens; for what changes without ``changed``.
        :param procedure: another procedure that answers with the state, taking the names as positional arguments.
        :raises ConfigError: when the function cannot be called with these names, or nobody may see it.
        :raises InvalidURI: for a URI that is not strict.
        """

        def declare(read: Callable[P, R]) -> Value[P, R]:
            thing = Value(_pattern(uri), read, allow=self._roles(allow), per=per, every=every)
            self._declare_live(thing, procedure)
            self._follow(thing, of)
            return thing

        return declare

    def rows(
        self,
        uri: str,
        *,
        allow: Iterable[str] | str,
        of: Of | None = None,
        key: str = "id",
        per: Per = "all",
        every: float | None = None,
    ) -> Callable[[Callable[P, R]], Rows[P, R]]:
        """Decorator: like :meth:`value`, for a keyed set of rows that appear, change and go.

        :param of: as for :meth:`value`; a model alone has the key as an attribute, and the URI no names. What the
            functions of a mapping return may have the key beside the names; without it, any row may have changed.
        :param key: the name of a row's key in it.
        """

        def declare(read: Callable[P, R]) -> Rows[P, R]:
            thing = Rows(_pattern(uri), read, key=key, allow=self._roles(allow), per=per, every=every)
            self._declare_live(thing, None)
            self._follow(thing, of)
            return thing

        return declare

    def log(self, uri: str, *, allow: Iterable[str] | str) -> Callable[[Callable[P, R]], Log[P, R]]:
        """Decorator: make what is numbered and only grows live: each item once, in order, also after an outage.

        The function returns the stored items after ``since``; the result's ``append(item)`` sends a new one.

        :param uri: such as ``chat.room.<label>.message``.
        :param allow: the roles that may see it, or ``"everyone"``.
        """

        def declare(read: Callable[P, R]) -> Log[P, R]:
            thing = Log(_pattern(uri), read, allow=self._roles(allow))
            self._announce_live(thing)
            self._declare(live_calls.history(thing))
            return thing

        return declare

    def fragment(
        self,
        template: str,
        *,
        allow: Iterable[str] | str,
        of: Of | None = None,
        per: Per = "all",
        row: str | None = None,
        key: str = "id",
        name: str | None = None,
        every: float | None = None,
    ) -> Callable[[Callable[P, R]], Fragment[P, R]]:
        """Decorator: make a template a piece of a page that stays true.

        Templates show it by ``{{ fragment(name, …) }}``. The function returns the template's variables; its arguments
        are the fragment's.

        :param allow: the roles that may see it, or ``"everyone"``.
        :param of: models whose rows it shows, with Flask-SQLAlchemy: a model, whose primary key is the only argument,
            or a mapping from models to functions from a row to the arguments. Without it: ``changed()``.
        :param per: ``all``, ``role`` or ``person``: see :class:`wampflask.live.LiveThing`.
        :param row: the fragment is a list: the function returns rows, and the template renders one, by this name.
        :param key: a row's attribute that identifies it.
        :param name: what templates call it; by default the function's name.
        :raises ConfigError: when nobody may see it, or the function cannot be called so.
        """

        def declare(read: Callable[P, R]) -> Fragment[P, R]:
            options: dict[str, Any] = {"allow": self._roles(allow), "per": per, "every": every}
            options["name"] = name or getattr(read, "__name__", "")
            made: Fragment[P, R] = (
                Fragment(template, read, **options)
                if row is None
                else ListFragment(template, read, row=row, key=key, **options)
            )
            self._declare_fragment(made)
            self._follow(made, of)
            return made

        return declare

    def _declare_fragment(self, fragment: Fragment[..., Any]) -> None:
        self._add_fragment(fragment)
        self._announce_live(fragment)

    def _add_fragment(self, fragment: Fragment[..., Any]) -> None:
        if fragment.name in self._fragments:
            raise AlreadyDeclared(f"Two fragments are called {fragment.name!r}: give one of them another name=.")
        if not self._fragments:
            self._declare(live_calls.fetch_procedure(self._fragments))
            self.permit(Permission.of_library(FETCH, call=EVERYONE))
        self._fragments[fragment.name] = fragment

    def render_fragment(self, name: str, /, **args: Any) -> Markup:
        """Render ``{{ fragment(name, …) }}`` in templates.

        :raises ConfigError: when there is no such fragment.
        """
        found = self._fragments.get(name)
        if found is None:
            known = ", ".join(sorted(self._fragments)) or "none"
            raise ConfigError(f"There is no fragment {name!r}; declared are: {known}.")
        return found.render(**args)

    def presence(self, uri: str, *, allow: Iterable[str] | str) -> Callable[[Describe], Presence]:
        """Decorator: make known who is here; the function describes a person to the others, or all ``people`` at once.

        :param uri: what pages follow, such as ``todo.team.{team}``.
        :param allow: the roles that may be here, and see who is.
        :raises InvalidURI: for a URI that is not strict.
        """

        def declare(describe: Describe) -> Presence:
            _pattern(uri)
            presence = Presence(uri, describe, allow=self._roles(allow))
            self._listen_to_people()
            self._declare_live(presence, None)
            return presence

        return declare

    def _listen_to_people(self) -> None:
        if not self._listens_to_people:
            self._listens_to_people = True
            self._declare(Procedure(PEOPLE_CHANGED, self._people_changed))

    def _people_changed(self, news: list[tuple[str, list[str], list[str]]]) -> None:
        """Handle who came and who left. Pages are notified first, since an app's handlers may be slow."""
        rooms = [thing for thing in self._live if isinstance(thing, Presence)]
        for topic, came, left in news:
            for room in rooms:
                room.mark_people(topic, [*came, *left])
        for topic, came, left in news:
            for room in rooms:
                room.people_changed(topic, came, left)

    def online(self, uri: str, *, timeout: float | None = None) -> list[Person]:
        """Return who is here, such as in ``todo.team.7``; needs an app context.

        :param timeout: seconds for the router's answer; default ``WAMP_CALL_TIMEOUT``.
        :raises NotConnected: there is no session.
        :raises WampTimeout: the router did not answer.
        """
        return online(f"{uris.check(uri)}.{LAST}", timeout)

    def _announce_live(self, thing: LiveThing[..., Any]) -> None:
        self._permit_asking_again()
        self._live.append(thing)
        self.permit(*thing.permissions())

    def _include_live(self, other: LiveDeclarations) -> None:
        """Take over the live things of another ``WAMP``; what they declare and permit comes with the rest."""
        for fragment in other._fragments.values():
            self._add_fragment(fragment)
        if other._live:
            self._permit_asking_again()
        if other._listens_to_people:
            self._listen_to_people()
        self._live += other._live

    def _permit_asking_again(self) -> None:
        """Let pages hear that a worker was lost."""
        if not self._asks_again:
            self._asks_again = True
            self.permit(Permission.of_library(WORKER_LOST, subscribe=EVERYONE))

    def _declare_live(self, thing: Addressed[..., Any], procedure: str | None) -> None:
        self._announce_live(thing)
        for declaration in live_calls.procedures(thing, procedure):
            self._declare(declaration)
        if procedure is not None:
            self.permit(Permission(procedure, call=thing.allow))

    def _forget_live(self, uri: str) -> None:
        self._live = [thing for thing in self._live if not (isinstance(thing, Addressed) and thing.pattern.text == uri)]

    def _follow(self, thing: LiveThing[..., Any], of: Of | None) -> None:
        if of is not None:
            from .changes import follow  # SQLAlchemy is there only where this is used

            follow(self._declarations, thing, of)

    def _roles(self, allow: Iterable[str] | str) -> tuple[str, ...]:
        return self._declarations.roles.read("A live thing", allow)

    def changed(self, uri: str, *keys: str | int) -> None:
        """Say that a live thing has changed: it is read and sent soon; in a transaction, after its end.

        Costs nothing while nobody listens. Any thread but the reactor's; needs an app context.

        :param uri: the full URI, such as ``shop.stock.tea``.
        :param keys: of rows that have changed; none means any.
        :raises InvalidURI: when no live thing has this URI.
        """
        for thing in self._live:
            if isinstance(thing, Addressed) and (args := thing.pattern.read(uri)) is not None:
                thing.mark(args, keys)
                return
        raise InvalidURI(f"No live thing has the URI {uri!r}: declare it with @wamp.value or @wamp.rows.")


def _pattern(uri: str) -> Pattern:
    pattern = Pattern.parse(uri)
    uris.check_own(pattern.uri, pattern.match)
    return pattern
