#!/bin/sh
# Every check of this repository, in its own environment. `./test.sh tests/unit` runs a part.
# With CONDUIT_BIN naming a Conduit, the end-to-end tests run against it.
set -eu
cd "$(dirname "$0")"
python="$(python3 lab/environment.py)"
"$python" -m ruff check .
"$python" -m ruff format --check .
"$python" -m mypy
"$python" -m lab.mbp
exec "$python" -m pytest "$@"
