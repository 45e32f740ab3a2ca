"""The error that ends the program with one line for the person who started it."""

from __future__ import annotations


class AgentError(Exception):
    """Something that somebody must fix; the text says what and how."""
