"""Measurements that the README quotes: ``make bench``. Every program bounds its load and runs on loopback."""
