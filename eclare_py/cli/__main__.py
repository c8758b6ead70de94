"""`python -m eclare_py.cli` is `eclare`."""

from __future__ import annotations

from eclare_py.cli import main

if __name__ == "__main__":
    main()
