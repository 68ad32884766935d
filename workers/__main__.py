"""`python -m workers`: the command line; without a command, the worker process."""

import sys

from workers.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["worker"]))
