# The site of wampflask. Targets: site (the pages; MIT), router (and Crossbar.io; MIT and EUPL-1.2), and by default both
# in one container:  docker build -t wampflask . && docker run --rm -p 8080:8080 -p 8081:8081 -v wampflask:/instance wampflask

FROM python:3.12-slim AS packages
WORKDIR /build
COPY requirements/ requirements/
RUN python -m venv /opt/site && \
    /opt/site/bin/pip install --no-cache-dir --prefer-binary -r requirements/site.txt -r requirements/postgres.txt

FROM node:22-slim AS browser
WORKDIR /build
COPY package.json ./
RUN npm install --no-audit --no-fund --no-package-lock --ignore-scripts --omit=dev
COPY .ci/assets.js .ci/
COPY static/ static/
COPY wampflask/browser/ wampflask/browser/
COPY --from=packages /opt/site/ /opt/site/
RUN npm run --silent vendor && npm run --silent assets -- /opt/site/lib/python3*/site-packages/flask_admin

FROM python:3.12-slim AS crossbar
WORKDIR /build
COPY wampflask/router/requirements.txt ./
# Two serializers that nothing uses come as source, and need no compiler in plain Python.
RUN python -m venv /opt/crossbar && \
    PYBJDATA_NO_EXTENSION=1 PYUBJSON_NO_EXTENSION=1 \
    /opt/crossbar/bin/pip install --no-cache-dir --prefer-binary -r requirements.txt && \
    /opt/crossbar/bin/pip uninstall --quiet --yes bjdata

FROM python:3.12-slim AS site
LABEL org.opencontainers.image.licenses="MIT"
RUN useradd --uid 10001 --home-dir /instance --no-create-home wampflask && \
    install --directory --mode 700 --owner wampflask /instance
COPY --from=packages /opt/site /opt/site
WORKDIR /srv/wampflask
COPY LICENSE VERSION Procfile wsgi.py ./
COPY agent/ agent/
COPY templates/ templates/
COPY static/ static/
COPY wampflask/ wampflask/
COPY --from=browser /build/static/ static/
ENV PATH=/opt/site/bin:$PATH FLASK_APP=wsgi INSTANCE=/instance PYTHONPATH=/srv/wampflask PYTHONUNBUFFERED=1
RUN python -m compileall -q wampflask agent
USER wampflask
VOLUME /instance
EXPOSE 8080
HEALTHCHECK --start-period=60s CMD python -c "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8080') + '/healthz')"
CMD ["gunicorn", "--bind", "0.0.0.0:8080", "--workers", "2", "--worker-class", "wampflask.apps.worker.Worker", "--threads", "8", "--no-control-socket", "wsgi:app"]

FROM site AS router
# Crossbar.io is a program of its own, by typedef int GmbH, under the EUPL-1.2: https://github.com/crossbario/crossbar
LABEL org.opencontainers.image.licenses="MIT AND EUPL-1.2"
COPY --from=crossbar /opt/crossbar /opt/crossbar
ENV WAMPFLASK_CROSSBAR=/opt/crossbar/bin/crossbar WAMP_INTERFACE=0.0.0.0
EXPOSE 8081
HEALTHCHECK NONE
STOPSIGNAL SIGINT
CMD ["flask", "wamp", "router", "run"]

FROM router AS whole
HEALTHCHECK --start-period=60s CMD python -c "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8080') + '/healthz')"
CMD ["flask", "site", "serve"]
