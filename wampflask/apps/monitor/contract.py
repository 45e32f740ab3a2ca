"""URIs, payloads and permissions between hub, agents and pages.

The agent (``agent/wampflask_agent``) imports nothing of the site; ``tests/agent/test_contract.py`` compares it with
this module.

*A host* is an id of 32 hex digits, made by its agent at the first start and kept in a file. Names, addresses, mount
points and the like are untrusted: text, never HTML, never identity.

*The course of a connection*::

    agent                                             hub
    POST /clients/ (host, key, token the first time) ─►  creates the host, or knows its key
                    ◄─ the config (flat), ticket, url, realm
    joins the router with the ticket (role agent, authid agent:<host>, claim host=<host>)
    registers configure, watch, processes
    call monitor.agent.ready(hello)  ─►  it can be configured from now on
                    ◄─ welcome: the config again (an edit may have come in between), stored, watch
    publish monitor.clientstats.<host> every frequency seconds: for pages
    call monitor.history.append(samples)  ─►  for the database, each sample exactly once
                    ◄─ {"stored": seq}

*Each sample exactly once.* A sample gets its ``seq`` (1, 2, 3 … for the life of the host) when the agent first uploads
it, and keeps it when it is uploaded again; one upload is under way at a time. The hub stores for each host the highest
``seq`` it has, and in the transaction that stores an upload ignores what is not above it. The answer, like
``welcome["stored"]``, is that mark; the agent forgets what it covers and continues to number from it. An upload that
the hub refuses with ``invalid`` is dropped and counted by the agent; after any other error it is repeated.

*Presence* is decided by the hub: from the router's session events (``authid`` is ``agent:<host>``; after a cut the old
session may end after the new one began, so it counts them) and from missing reports (each has its ``interval``).
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from wampflask import Permission

ROLE = "agent"
"""Of an agent's ticket; ``tickets.mint(ROLE, authid(host), host=host)``."""

WATCHERS = ("user", "admin")
"""Whose pages see hosts."""

# On the agent. Called by the hub; processes by pages, straight through the router.
CONFIGURE = "monitor.host.{host}.configure"
"""Procedure ``(config: Config)`` → :class:`Configured`. Applied, and on the pages, when it answers."""
WATCH = "monitor.host.{host}.watch"
"""Procedure ``(seconds)`` → :class:`Watched`: report at least each second for that long. The hub calls it when a page
subscribes, and again before the time is over for as long as someone watches; 0 ends it."""
PROCESSES = "monitor.host.{host}.processes"
"""Procedure ``(limit)`` → :class:`Processes`: the first ``limit`` (1 to 100) by CPU and by memory, measured now."""

# On the hub, called by agents. The caller's authid names the host.
READY = "monitor.agent.ready"
"""Procedure ``(hello: Hello)`` → :class:`Welcome`."""
APPEND = "monitor.history.append"
"""Procedure ``(samples: list[Sample], dropped=int, clock=float)`` → :class:`Appended`. ``dropped``: samples that this
run of the agent has lost since it started, because its buffer was full; ``clock``: its time of sending (seconds since
the epoch), by which the hub finds how wrong its clock is."""

# Topics.
CLIENTSTATS = "monitor.clientstats.<host>"
"""One :class:`Sample`, from the agent. ``monitor.clientstats.`` with match=wildcard hears all hosts."""

# Live things of the hub: events bring the state and its number, and so does a call.
HOSTS = "monitor.hosts"
"""Rows: a :class:`ShownHost` for each host."""
CLIENTCONFIG = "monitor.clientconfig.<host>"
"""One :class:`ShownConfig`: it was changed, or an agent applied or refused it. :class:`Removed`: there is no such
host."""
PRESENCE = "monitor.presence.<host>"
"""One :class:`Presence`; None when there is no such host."""


PERMISSIONS = (
    Permission(CONFIGURE, register=(ROLE,)),
    Permission(WATCH, register=(ROLE,)),
    Permission(PROCESSES, register=(ROLE,)),
    Permission("monitor.host.<host>.processes", call=WATCHERS),
    Permission(READY, call=(ROLE,)),
    Permission(APPEND, call=(ROLE,)),
    Permission("monitor.clientstats.{host}", publish=(ROLE,)),
    Permission(CLIENTSTATS, subscribe=WATCHERS),
    *(Permission(uri, call=WATCHERS, subscribe=WATCHERS) for uri in (HOSTS, CLIENTCONFIG, PRESENCE)),
)


class Config(TypedDict):
    """What an agent does. A group that is switched off is not measured.

    ``disabled``: no reports and no processes; the agent stays joined, so that it can be enabled.
    """

    version: int
    """Grows with each edit; an agent refuses one that is older than what it has."""
    disabled: bool
    frequency: float
    """Seconds between two samples, 0.5 to 3600."""
    handover: float
    """Seconds that an agent collects samples before it uploads them, 1 to 300."""
    show_cpus: bool
    """``cpu``, ``cpus``, ``load``."""
    show_memory: bool
    """``memory``, ``swap``."""
    show_disk: bool
    """``disks``, ``disk_io``."""
    show_network: bool
    """``network``."""
    show_temperatures: bool
    """``temperatures``."""
    show_system: bool
    """``uptime``, ``processes``."""


class ShownConfig(Config):
    """A host's settings for pages."""

    host: str
    title: str
    labels: list[str]
    state: Literal["applied", "refused", "applying", "offline"]
    text: str
    """``state`` for people: ``Applied 12:03:04 UTC``."""


class ShownHost(TypedDict):
    """What a dashboard shows of a host besides its samples."""

    host: str
    title: str
    ip: str
    labels: list[str]
    version: int
    """Of the config: samples that were taken by an older one are not shown."""
    disabled: bool
    show_cpus: bool
    show_memory: bool
    show_disk: bool
    show_network: bool
    show_temperatures: bool
    show_system: bool
    online: bool
    last_seen: float | None


class Removed(TypedDict):
    """A host that an admin removed."""

    host: str
    removed: Literal[True]


DEFAULT_CONFIG = Config(
    version=1,
    disabled=False,
    frequency=5.0,
    handover=10.0,
    show_cpus=True,
    show_memory=True,
    show_disk=True,
    show_network=True,
    show_temperatures=True,
    show_system=True,
)
# Errors of the agent's procedures and of the hub's.
INVALID = "monitor.error.invalid"
"""An argument that is not allowed; the text names it. Of ``append``: samples that can never be stored."""
DISABLED = "monitor.error.disabled"
"""Of ``processes``: the host is disabled."""

FREQUENCY = (0.5, 3600.0)
HANDOVER = (1.0, 300.0)
WATCHED_INTERVAL = 1.0
"""Seconds between two samples while someone watches."""
MAX_WATCH = 120.0
"""Seconds that one call of ``watch`` is for, at most."""
MISSED = 3
"""A host is offline after this many intervals without a report."""


class Enrolment(TypedDict):
    """The JSON body of ``POST /clients/``. Errors: 4xx with :class:`Refusal`, and nothing is created."""

    host: str
    key: str
    """64 hex digits, made by the agent and kept in a file that only its user can read. From the first enrolment on it
    proves that the agent is this host; the hub stores a hash. The same key with a used token is not a second use."""
    token: NotRequired[str]
    """Created by an admin; needed for a host that the hub does not know, ignored for one with the right key."""
    name: str
    ip: str
    """The address by which the agent reaches the hub, "" when it has none; to be shown."""
    agent: str
    """Version of the program."""
    python: str
    system: str
    """Such as ``Linux 6.1.0 x86_64``."""


class Enrolled(Config):
    """The JSON answer of ``POST /clients/``: 200, or 201 for a new host. The config stands flat in it.

    The agent ignores further fields (``id``, ``labels``, …).
    """

    host: str
    ticket: str
    """Good for one connect; the agent asks again before each."""
    url: str
    """The router as agents see it, ``ws://…`` or ``wss://…``."""
    realm: str


class Refusal(TypedDict):
    """The JSON answer when an enrolment is refused. The agent logs ``reason`` and tries again each minute.

    =====================  ====  =============================================================================
    ``error``              HTTP  when
    =====================  ====  =============================================================================
    ``invalid``            400   not JSON, or a field that is missing or not allowed; ``reason`` names it
    ``token_missing``      401   an unknown host without a token
    ``token_invalid``      403   no such token; ``token_expired``, ``token_used``, ``token_revoked`` alike
    ``key_wrong``          403   a known host with another key: a copied id, or an impostor
    ``host_revoked``       403   an admin blocked this host
    ``too_many``           429   with ``Retry-After``
    =====================  ====  =============================================================================
    """

    error: str
    reason: str
    """What is wrong and what to do, for people who read the agent's log."""


class Hello(TypedDict):
    """What an agent sends when it can be called."""

    agent: str
    run: str
    """Random, one for each start of the program."""
    version: int
    """Of the config that is applied."""
    metrics: list[Metric]
    """What its samples can contain."""
    pending: int
    """Samples that it has still to upload."""
    dropped: int
    clock: float


class Welcome(TypedDict):
    """The hub's answer to :class:`Hello`."""

    config: Config
    stored: int
    """The highest ``seq`` of this host in the database, 0 for none."""
    watch: float
    """Seconds, as in ``watch``; 0 when nobody watches."""


class Metric(TypedDict):
    """One declared metric: ``memory.used``, ``disks.*.used``; ``*`` is a mount point, an interface, a core's number."""

    name: str
    unit: Literal["ratio", "bytes", "bytes/s", "operations/s", "errors/s", "celsius", "seconds", "count"]
    kind: Literal["instant", "rate"]
    """``rate``: the mean since the sample before; missing in the first one."""
    group: str
    """The switch of :class:`Config` it belongs to."""


class Memory(TypedDict):
    """Bytes; ``ratio`` is the part of ``total`` that is in use, 0 to 1."""

    total: int
    used: int
    available: int
    ratio: float


class Swap(TypedDict):
    total: int
    used: int
    ratio: float


class Disk(TypedDict):
    """A mounted file system."""

    total: int
    used: int
    free: int
    ratio: float


class DiskRates(TypedDict):
    """A drive, per second."""

    read: float
    written: float
    reads: float
    writes: float


class NetworkRates(TypedDict):
    """An interface, per second: bytes, and packets that were faulty or dropped."""

    received: float
    sent: float
    errors: float


class Sample(TypedDict):
    """What an agent measured at one moment, without groups that are switched off or that the machine does not have.

    Ratios are 0 to 1, sizes bytes.
    """

    host: str
    name: str
    ip: str
    time: float
    """Seconds since the epoch by the host's clock, to the millisecond; each later than the one before, unless the clock
    was set back by seconds. ``seq`` gives the order.
    """
    interval: float
    """Seconds until the next sample is due."""
    seq: NotRequired[int]
    """Only in ``monitor.history.append``."""
    version: int
    """Of the config that it was taken with: a page ignores samples of a config older than the one it shows."""
    cpu: NotRequired[float]
    cpus: NotRequired[list[float]]
    load: NotRequired[list[float]]
    """Mean number of processes that could run, over 1, 5 and 15 minutes."""
    memory: NotRequired[Memory]
    swap: NotRequired[Swap]
    disks: NotRequired[dict[str, Disk]]
    """By mount point."""
    disk_io: NotRequired[dict[str, DiskRates]]
    network: NotRequired[dict[str, NetworkRates]]
    temperatures: NotRequired[dict[str, float]]
    """By sensor, degrees Celsius."""
    uptime: NotRequired[float]
    processes: NotRequired[int]
    failed: NotRequired[dict[str, str]]
    """Samplers that could not measure, and why; the others did."""


class Appended(TypedDict):
    stored: int
    """The highest ``seq`` of this host in the database now."""


class Configured(TypedDict):
    """``reason``, when not accepted: which field is wrong, and what is allowed. The config before stays applied."""

    accepted: bool
    version: int
    """Of the config that is applied."""
    reason: NotRequired[str]


class Watched(TypedDict):
    interval: float
    """Seconds between two samples now."""


class Process(TypedDict):
    pid: int
    name: str
    user: str
    cpu: float
    """Of one core: 2.0 is two cores in full use."""
    memory: int
    """Resident bytes."""
    ratio: float
    """Of the machine's memory."""
    started: float


class Processes(TypedDict):
    """``monitor.error.disabled`` when the host is disabled, ``monitor.error.invalid`` for a wrong limit."""

    time: float
    count: int
    by_cpu: list[Process]
    by_memory: list[Process]


class Presence(TypedDict):
    """``last_seen`` is in seconds since the epoch by the hub's clock, None before the first report; ``version`` grows
    with each change.
    """

    host: str
    online: bool
    last_seen: float | None
    since: float
    version: int


def authid(host: str) -> str:
    """Return the authid of a host's agent."""
    return f"agent:{host}"


def host_of(authid: str) -> str:
    """Return the host of an agent's authid; "" for any other authid."""
    return authid.removeprefix("agent:") if authid.startswith("agent:") else ""


def for_host(uri: str, host: str) -> str:
    """Return one of the agent's procedures, or a host's topic, with ``host`` in its place."""
    return uri.replace("{host}", host).replace("<host>", host)
