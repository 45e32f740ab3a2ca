"""The database's history, for Flask-Migrate: ``flask db upgrade``, ``flask db migrate -m "what changed"``."""
