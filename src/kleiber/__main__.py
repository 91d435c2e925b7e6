"""``python -m kleiber``: the command line."""

from __future__ import annotations

from kleiber.cli import main

if __name__ == "__main__":
    main()
