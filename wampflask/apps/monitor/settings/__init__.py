"""Hosts' settings: delivers them to agents, and asks agents to report each second while someone watches."""
