"""What servers load: ``gunicorn wsgi:app``, ``flask --app wsgi …``."""

from wampflask.apps import create_app

app = create_app()
