"""Labels of rooms, names of people and texts of messages: what is allowed. All of it is text, never markup."""

from __future__ import annotations

import re
import secrets
import unicodedata

from wampflask.apps import wire
from wampflask.apps.errors import Invalid
from wampflask.apps.text import one_line

LABEL_MAX = 50
NAME_MAX = 30
TEXT_MAX = 2000
LINES_MAX = 60
TOKEN_MAX = 64

LABEL = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_TOKEN = re.compile(r"[0-9A-Za-z_-]{8,64}")

_KINDS = (
    "amber", "brave", "brisk", "calm", "clever", "cosy", "dapper", "eager", "fair", "fond", "gentle", "glad",
    "golden", "happy", "jolly", "keen", "kind", "light", "lively", "lucky", "mellow", "merry", "mild", "neat",
    "nimble", "noble", "patient", "plucky", "proud", "quick", "quiet", "rapid", "silver", "sleepy", "sunny",
    "swift", "tidy", "warm", "wise", "witty",
)  # fmt: skip
_THINGS = (
    "badger", "beaver", "bison", "comet", "crane", "dolphin", "falcon", "ferret", "finch", "forest", "garden",
    "harbour", "hare", "heron", "island", "ibis", "lagoon", "lantern", "lemur", "lynx", "magpie", "marmot",
    "meadow", "moth", "newt", "orchard", "osprey", "otter", "owl", "panda", "pebble", "puffin", "quail", "raven",
    "reef", "river", "robin", "seal", "sparrow", "stork", "swan", "thrush", "tiger", "turtle", "valley", "walrus",
    "willow", "wren",
)  # fmt: skip

# Letters that look alike count as the same when names are compared.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһкмтвнгαβεικνορτυχıłløđ0135",
    "aeopcyxijsdhkmtbhrabeikvoptuxiiiodoies",
)
_RESERVED = ("admin", "administrator", "moderator", "mod", "system", "wampflask", "deleted", "you")
_TURNS_TEXT = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def new_label() -> str:
    """Return a readable random label, one of some 17 million."""
    return f"{secrets.choice(_KINDS)}-{secrets.choice(_THINGS)}-{secrets.randbelow(9000) + 1000}"


def new_guest_name() -> str:
    """Return a name for a visitor who has not chosen one."""
    return f"{secrets.choice(_KINDS).title()} {secrets.choice(_THINGS).title()} {secrets.randbelow(900) + 100}"


def label_of(text: str) -> str:
    """Return the label that someone may have meant; "" when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LABEL_MAX].rstrip("-")


def clean_label(label: object) -> str:
    """Return a room's label.

    :raises Invalid: not a label.
    """
    if not isinstance(label, str) or len(label) > LABEL_MAX or not LABEL.fullmatch(label):
        raise Invalid(f"A room name has up to {LABEL_MAX} lower-case letters, digits and single hyphens.")
    return label


def clean_token(token: object) -> str | None:
    """Return a message's token, or None.

    :raises Invalid: not a token.
    """
    if token is None:
        return None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise Invalid(f"A token has 8 to {TOKEN_MAX} letters, digits, _ and -.")
    return token


def clean_name(name: object) -> str:
    """Return a person's name on one line, trimmed.

    :raises Invalid: what is wrong with it.
    """
    text = one_line(unicodedata.normalize("NFKC", wire.text(name, "name")[: NAME_MAX * 8]))
    if not fold(text):
        raise Invalid("Choose a name with at least one letter.")
    if len(text) > NAME_MAX:
        raise Invalid(f"This name is too long: {len(text)} characters, at most {NAME_MAX}.")
    if fold(text) in map(fold, _RESERVED):
        raise Invalid("This name is reserved. Choose another one.")
    if sum(1 for c in unicodedata.normalize("NFD", text) if unicodedata.combining(c)) > len(text) // 2 + 1:
        raise Invalid("This name has too many accents. Choose a plainer one.")
    return text


def fold(name: str) -> str:
    """Return a name in the form in which names are compared, without case, accents, blanks and look-alike letters."""
    plain = unicodedata.normalize("NFKD", name.casefold()).casefold()
    return "".join(c for c in plain if c.isalnum()).translate(_LOOKALIKES)


def clean_text(text: object) -> str:
    """Return a message's text: lines are kept, characters that control or reverse text are not.

    :raises Invalid: nothing is left, or it is too long.
    """
    lines = wire.text(text, "text").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    cleaned = "\n".join("".join(filter(_is_text, line)).rstrip() for line in lines)
    cleaned = re.sub(r"\n{3,}", "\n\n", cleaned).strip()
    if not cleaned or not any(c.isprintable() and not c.isspace() for c in cleaned):
        raise Invalid("Write something first.")
    if len(cleaned) > TEXT_MAX:
        raise Invalid(f"This message is too long: {len(cleaned)} characters, at most {TEXT_MAX}.")
    if cleaned.count("\n") >= LINES_MAX:
        raise Invalid(f"This message has too many lines: at most {LINES_MAX}.")
    return cleaned


def _is_text(character: str) -> bool:
    return character == "\t" or (
        character not in _TURNS_TEXT and unicodedata.category(character) not in ("Cc", "Cs", "Co")
    )
