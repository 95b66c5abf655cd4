"""The command line: `python -m backups.remote --help`."""

import sys

from backups.remote.command import main

if __name__ == "__main__":
    sys.exit(main())
