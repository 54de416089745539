#!/bin/sh
# Writes dist/sluice-VERSION.mbp: reproducible, checked, and nothing in it but what runs.
set -eu
cd "$(dirname "$0")"
exec "$(python3 lab/environment.py)" -m lab.mbp
