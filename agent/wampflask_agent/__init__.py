"""The monitoring agent of wampflask."""

__version__ = "1.0.0"
