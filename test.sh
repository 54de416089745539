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

static_checks() {
    "$python" -m ruff check . && "$python" -m ruff format --check . &&
        "$python" -m mypy && "$python" -m lab.mbp
}

# 2,000 random games of approvals, other ones each time; a game that breaks something is printed
# with its seed.
play() {
    PYTHONPATH=plugin "$python" -m tests.machine.requests 2000 --jobs 2
}

# One that fails is run again, and that is shown: on a busy machine its time limits can be too
# short. The first argument is how much it lets others go first.
tests() {
    niceness="$1"
    shift
    nice -n "$niceness" "$python" -m pytest --reruns 2 -rR --dist loadfile "$@"
}

# Four at once, also on two cores: most of an end-to-end test is waiting.
four_at_once() {
    tests 0 -n 4 --no-loadscope-reorder "$@"
}

status=0
static_checks &
checks=$!
if [ $# = 0 ]; then
    # What needs no server computes beside the rest, where that waits.
    computed="$(mktemp)"
    tests 10 -n 2 tests/unit tests/machine >"$computed" 2>&1 &
    computing=$!
    play &
    games=$!
    # The files that take longest stand behind d; they come first, not last and alone.
    four_at_once tests/e2e/test_[!a-d]*.py tests/e2e/test_[a-d]*.py || status=1
    wait "$computing" || status=1
    cat "$computed"
    rm "$computed"
    wait "$games" || status=1
else
    four_at_once "$@" || status=1
fi
wait "$checks" || status=1
exit "$status"
