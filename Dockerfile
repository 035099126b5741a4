# syntax=docker/dockerfile:1
# One image for every role: `docker run IMAGE serve --roles …`; without arguments the whole of it
# in one process, with the embedded engines in the volume /data.

FROM node:22-bookworm-slim AS page
WORKDIR /frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
RUN NEXT_TELEMETRY_DISABLED=1 npm run build

FROM python:3.13-slim-bookworm AS packages
COPY requirements.lock /
RUN python -m venv --without-pip /opt/pipewatcher \
    && pip --python /opt/pipewatcher/bin/python install --no-cache-dir --no-compile --require-hashes -r /requirements.lock
WORKDIR /opt/pipewatcher/lib/python3.13/site-packages
# A fifth of it is headers, tests and Arrow's clients of servers that nobody asks here.
RUN rm -rf pyarrow/include pyarrow/src pyarrow/tests numpy/tests numpy/*/tests \
    && rm -f pyarrow/libarrow_flight.so* pyarrow/libarrow_python_flight.so* pyarrow/_flight.* \
        pyarrow/libarrow_s3.so* pyarrow/_s3fs.*
COPY src/pipewatcher pipewatcher
COPY --from=page /frontend/out pipewatcher/page
# Compiled now: the user that it runs as may not write, and every start would compile anew.
RUN python -m compileall -q -j 0 . && /opt/pipewatcher/bin/python -c "import pipewatcher.wiring"

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin pipewatcher \
    && install -d -m 0700 -o pipewatcher -g pipewatcher /data
COPY --from=packages /opt/pipewatcher /opt/pipewatcher
ENV PATH=/opt/pipewatcher/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PIPEWATCHER_DATA_DIR=/data \
    PIPEWATCHER_HTTP_HOST=0.0.0.0
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 1883
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-I", "-c", "\
import http.client, os; \
door = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PIPEWATCHER_HTTP_PORT', '8000')), timeout=4); \
door.request('GET', '/readyz'); \
raise SystemExit(door.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "pipewatcher"]
CMD ["serve"]
