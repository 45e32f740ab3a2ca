"""Labels of rooms, names of people, and what may stand in a text. All of it is text for people, never markup."""

from __future__ import annotations

import re
import secrets
import unicodedata

from .errors import Invalid

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

# Written alike, so taken for each other: they count as the same letter when names are compared.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһкмтвнгαβεικνορτυχıłløđ0135",
    "aeopcyxijsdhkmtbhrabeikvoptuxiiiodoies",
)
_RESERVED = ("admin", "administrator", "moderator", "mod", "system", "wampflask", "deleted", "you")
_TURNS_TEXT = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def new_label() -> str:
    """A readable random name for a room, one of some 17 million."""
    return f"{secrets.choice(_KINDS)}-{secrets.choice(_THINGS)}-{secrets.randbelow(9000) + 1000}"


def new_guest_name() -> str:
    """A name for somebody who has not chosen one."""
    return f"{secrets.choice(_KINDS).title()} {secrets.choice(_THINGS).title()} {secrets.randbelow(900) + 100}"


def label_of(text: str) -> str:
    """The label that somebody may have meant; "" when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LABEL_MAX].rstrip("-")


def clean_label(label: object) -> str:
    """:raises Invalid: it is no room's name."""
    if not isinstance(label, str) or len(label) > LABEL_MAX or not LABEL.fullmatch(label):
        raise Invalid(f"A room's name has lower-case letters, digits and single hyphens, at most {LABEL_MAX}.")
    return label


def clean_token(token: object) -> str | None:
    """:raises Invalid: it is no token."""
    if token is None:
        return None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise Invalid(f"A token has 8 to {TOKEN_MAX} letters, digits, _ and -.")
    return token


def clean_name(name: object) -> str:
    """One line, trimmed, with something to read in it.

    :raises Invalid: saying what is wrong.
    """
    if not isinstance(name, str):
        raise Invalid("A name is text.")
    plain = unicodedata.normalize("NFKC", name[: NAME_MAX * 8])
    text = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    if not fold(text):
        raise Invalid("Choose a name with some letters in it.")
    if len(text) > NAME_MAX:
        raise Invalid(f"That name is too long: {len(text)} characters, at most {NAME_MAX}.")
    if fold(text) in map(fold, _RESERVED):
        raise Invalid("That name is reserved. Choose another one.")
    if sum(1 for c in unicodedata.normalize("NFD", text) if unicodedata.combining(c)) > len(text) // 2 + 1:
        raise Invalid("This name has too many accents. Choose a plainer one.")
    return text


def fold(name: str) -> str:
    """What names have in common that people take for the same: case, accents, blanks, look-alikes do not count."""
    plain = unicodedata.normalize("NFKD", name.casefold()).casefold()
    return "".join(c for c in plain if c.isalnum()).translate(_LOOKALIKES)


def clean_text(text: object) -> str:
    """A message: lines are kept, invisible characters that control or turn text are not.

    :raises Invalid: nothing is left, or it is too long.
    """
    if not isinstance(text, str):
        raise Invalid("A message is text.")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    cleaned = "\n".join("".join(filter(_is_text, line)).rstrip() for line in lines)
    cleaned = re.sub(r"\n{3,}", "\n\n", cleaned).strip()
    if not cleaned or not any(c.isprintable() and not c.isspace() for c in cleaned):
        raise Invalid("Write something first.")
    if len(cleaned) > TEXT_MAX:
        raise Invalid(f"That message is too long: {len(cleaned)} characters, at most {TEXT_MAX}.")
    if cleaned.count("\n") >= LINES_MAX:
        raise Invalid(f"That message has too many lines: at most {LINES_MAX}.")
    return cleaned


def _is_text(character: str) -> bool:
    return character == "\t" or (
        character not in _TURNS_TEXT and unicodedata.category(character) not in ("Cc", "Cs", "Co")
    )
