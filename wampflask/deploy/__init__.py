"""What stands around an app on a server: configurations of nginx, Caddy, systemd and Docker Compose.

``flask wamp deploy`` renders them with the app's own parameters. Loaded by that command alone.

``deployment``  the parameters, and where they come from
``procfile``    the programs that an app consists of
``rendering``   the files
"""
