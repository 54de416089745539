#!/bin/sh
# Every check of this repository, in its own environment. `./test.sh tests/unit` runs a part of the
# tests. With CONDUIT_BIN naming a Conduit, the end-to-end tests run against that server.
set -eu
cd "$(dirname "$0")"

# A few tests want PostgreSQL; without it they are skipped, saying so.
install_postgresql() {
    if ! command -v initdb && ! ls /usr/lib/postgresql/*/bin/initdb; then
        if [ "$(id -u)" = 0 ] && command -v apt-get; then
            apt-get update && DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends postgresql
        fi
    fi
}

install_postgresql >/dev/null 2>&1 &
python="$(python3 lab/environment.py)"
wait

# Beside the tests, because these leave time to spare.
static_checks() {
    "$python" -m ruff check . && "$python" -m ruff format --check . &&
        "$python" -m mypy && "$python" -m lab.mbp
}
static_checks &
checks=$!

# 2,000 random games of approvals, other ones each time; a game that breaks something is printed
# with its seed.
play() {
    [ $# != 0 ] || PYTHONPATH=plugin "$python" -m tests.machine.requests 2000 --jobs 1
}
play "$@" &
games=$!

# Four at once, also on two cores: most of an end-to-end test is waiting. One that fails is run
# again, and that is shown: on a busy machine its time limits can be too short. Files in the order
# of their names: the long ones of e2e/ come first, and the many short ones fill what is left.
status=0
"$python" -m pytest -n 4 --dist loadfile --no-loadscope-reorder --reruns 2 -rR "$@" || status=$?
wait "$checks" || status=1
wait "$games" || status=1
exit "$status"
