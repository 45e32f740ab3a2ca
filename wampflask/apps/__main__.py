"""``wampflask-site``, or ``python -m wampflask.apps``: Flask's commands with the site's, wherever it is installed."""

from flask.cli import FlaskGroup

from . import create_app

main = FlaskGroup(name="wampflask-site", create_app=create_app, help="The site of wampflask.")

if __name__ == "__main__":
    main()
