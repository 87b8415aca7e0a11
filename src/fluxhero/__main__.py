"""python -m fluxhero."""

import sys

from fluxhero.cli import main

if __name__ == "__main__":
    sys.exit(main())
