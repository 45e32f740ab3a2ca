"""The site's extensions, one object each, bound to an app by ``create_app``."""

from __future__ import annotations

from flask_limiter import Limiter
from flask_migrate import Migrate
from flask_security import Security
from flask_sqlalchemy import SQLAlchemy

from wampflask import WAMP

from .accounts.email_policy import EmailPolicy
from .db import Base
from .incoming import Forms
from .network import client_network

__all__ = ["csrf", "db", "limiter", "migrate", "security", "wamp"]

db = SQLAlchemy(metadata=Base.metadata)
migrate = Migrate()
wamp = WAMP()
security = Security(mail_util_cls=EmailPolicy)
csrf = Forms()
limiter = Limiter(client_network)
