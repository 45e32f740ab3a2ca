"""What Crossbar loads into its router worker (``pythonpath`` of the rendered configuration).

It runs in Crossbar's own virtual environment: standard library, itsdangerous and autobahn only, and
relative imports, because there it is the top-level package ``plugin``.

``tickets``   mint and verify tickets (also used by ``wampflask.tickets``)
``revocations``, ``blocks`` the files that say whose tickets are refused
``authenticators`` Crossbar's ``function`` authenticators: who may join as whom
``rules``     the declared permissions, compiled: who may do what
``worker_rules``  whose rules are in force
``authorizer`` the component that answers Crossbar's questions with ``rules``
``rate_limit`` how many actions and bytes a second a session may take
``backlog``   how much a connection may leave unread
``meta``      what is in the realm now, for operators
``heap``      the router's memory, kept small
``patches``    what makes the router faster, and closes connections that never log in
``strict_json``    JSON as every peer can read it
``guard``     what happens to messages that are refused
``redaction`` details that Crossbar's messages should not carry
``file_cache``   a file that is read again when it changes
"""
