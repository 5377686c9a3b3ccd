# One image for every role: `docker run session-relay sink`. amd64 and arm64: every locked package has wheels
# for both, so nothing is compiled and no compiler is needed.

ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements-image.txt ./
# without pip of its own: what installs stays behind in this stage
RUN python -m venv --without-pip /opt/session-relay \
 && pip --python /opt/session-relay install --require-hashes --only-binary :all: \
      --requirement requirements-image.txt
COPY . .
# setuptools, locked among the requirements, builds the project and is not needed after that
RUN pip --python /opt/session-relay install --no-deps --no-build-isolation . \
 && pip --python /opt/session-relay uninstall --yes setuptools \
 && find /opt/session-relay/bin -type f ! -name session-relay -delete \
 && /opt/session-relay/bin/session-relay --help >/dev/null

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Session Relay" \
      org.opencontainers.image.description="Signed sleep and wearable webhooks, each one exactly once in Postgres, by way of Kafka" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="python:3.11-slim"
# The base's own pip goes: whoever gets in finds nothing to install with. The spool's directory is for any
# user id, as platforms choose their own; like /tmp, only what is one's own can be removed from it.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore setuptools wheel pip \
 && mkdir --mode=1777 /var/lib/session-relay
COPY --from=build /opt/session-relay /opt/session-relay
ENV PATH=/opt/session-relay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    API_HOST=0.0.0.0 \
    METRICS__HOST=0.0.0.0 \
    RELAY__SPOOL_DIR=/var/lib/session-relay/spool
WORKDIR /var/lib/session-relay
VOLUME /var/lib/session-relay
USER 65532:65532
EXPOSE 8080 9101 9102 9105
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-m", "config.healthcheck"]
ENTRYPOINT ["session-relay"]
CMD ["relay"]
