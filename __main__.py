"""Lets Python run the package as a file: `python sluice-VERSION.mbp check FILE`."""

import sys

from sluice.__main__ import main

sys.exit(main(sys.argv[1:]))
