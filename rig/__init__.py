"""What measurements and tests both run: the whole site, people, a browser, agents and their hub, swarms, voters, hosts.

Imports ``wampflask`` only, neither ``bench`` nor ``tests``.
"""
