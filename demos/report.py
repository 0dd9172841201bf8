"""The whole laboratory as one self-contained HTML page."""

from __future__ import annotations

import sys

from microtensor.lab.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]], program="demos/report.py"))
