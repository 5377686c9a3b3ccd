#!/usr/bin/env bash
# Builds stand-ins, under the official names, for the images that docker-compose.yml and TEST_SERVICES=containers
# need: for an engine that reaches Debian, PyPI and Maven Central but no image registry. Needs root, debootstrap and
# docker; takes about three minutes. CA_BUNDLE=FILE is trusted inside too, for those behind a proxy that signs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../.. && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # NAME FOLDER: `--network host` also where the engine's own network leads nowhere
  echo "$1" >&2
  docker build --quiet --network host --tag "$1" "$2" >/dev/null
}

if ! docker image inspect debian:bookworm-slim >/dev/null 2>&1; then
  echo debian:bookworm-slim >&2
  debootstrap --variant=minbase bookworm "$work/debian" >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
  rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/apt/lists/*
  if [ -n "${CA_BUNDLE:-}" ]; then
    install -D -m 644 "$CA_BUNDLE" "$work/debian/etc/ssl/of-the-engine.crt"
    printf '[global]\ncert = /etc/ssl/of-the-engine.crt\n' >"$work/debian/etc/pip.conf"
  fi
  tar -C "$work/debian" -c . | docker import - debian:bookworm-slim >/dev/null
fi

image_of() { awk -v name="$1" '$1 == "image:" && index($2, name ":") == 1 {print $2}' "$root/docker-compose.yml"; }

build python:3.11-slim python
build "$(image_of redis)" redis
build "$(image_of prom/prometheus)" prometheus
build "$(image_of postgres)" postgres
cp -r kafka "$work/kafka"
jars=$(cd "$root" && "$root/.venv/bin/python" -c '
import pathlib, sys
from config.embedded import jars
print(jars.resolve(pathlib.Path(".session-relay/cache"), lambda line: print(line, file=sys.stderr)))')
cp -rL "$root/$jars" "$work/kafka/jars"
build "$(image_of apache/kafka)" "$work/kafka"
