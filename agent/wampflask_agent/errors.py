"""What ends the program with one line for the person who started it."""

from __future__ import annotations


class AgentError(Exception):
    """Something that a person must mend; the text says what and how."""
