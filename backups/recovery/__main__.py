"""`python -m backups.recovery`: see `backups.recovery.command`."""

import os
import sys

from backups.recovery.command import main

# What is written here holds other people's data: for this user only.
os.umask(0o077)
sys.exit(main(sys.argv[1:], prog="python -m backups.recovery", environment=os.environ))
