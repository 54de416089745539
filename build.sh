#!/bin/sh
# Writes dist/sluice-VERSION.mbp and its checksum: the same bytes every time, checked, and nothing in
# it but what runs. Needs Python 3.10 or newer, nothing else.
set -eu
cd "$(dirname "$0")"
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "build.sh needs Python 3.10 or newer as python3" >&2
    exit 1
fi
exec python3 -m lab.mbp
