"""Checks samples against rules, opens and resolves alerts, and notifies people of them."""
