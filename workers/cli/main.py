"""Finds the command and runs it. Only that command's module is imported: `--help` answers at once."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from workers.errors import ConfigurationError, GatewayError

__all__ = ["COMMANDS", "main"]

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "show the whole service at work, start to finish, then exit",
    "up": "run the whole service on this machine until Ctrl-C",
    "worker": "run the production worker process",
    "db": "migrations: apply, write, check, generate types, run the linters",
    "keys": "the token keyring: make, rotate, show",
    "doctor": "check a deployment",
    "backup": "make a backup, list and purge them, prove that they can be restored",
    "restore": "bring a backup back into an empty project",
    "attest": "prove the promises of the privacy policy, and report",
    "bench": "the benchmarks: of the queue, beside its peers, and of privacy",
}
"""Name and one-line description of each command; its module is `workers.cli.<name>`."""

USAGE_ERROR: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; those of the process when None.

    Returns:
        Exit code: what the command answers; 2 for a wrong or missing variable; 1 when the database refused or
        could not be reached.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    wanted = next((argument for argument in arguments if argument in COMMANDS), None)
    parser = argparse.ArgumentParser(prog="nexora", description="Nexora OS, the service layer.")
    parser.add_argument(
        "--env-file",
        type=Path,
        metavar="FILE",
        help="read variables from FILE first; those of the environment win",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    run = None
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == wanted:
            module = importlib.import_module(f"workers.cli.{name}")
            module.add_arguments(command)
            run = module.run
    args = parser.parse_args(arguments)
    if run is None:  # argparse has already refused everything else
        return USAGE_ERROR
    from workers import logs

    logs.configure("warning")  # whatever a command calls, its log goes through the filter (P1.11)
    try:
        if args.env_file is not None:
            _read_env_file(args.env_file)
        code: int = run(args)
    except ConfigurationError as error:
        print(f"nexora: {error}", file=sys.stderr)
        return USAGE_ERROR
    except GatewayError as error:
        print(f"nexora: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _read_env_file(path: Path) -> None:
    """Put the variables of a file into the environment, where they are not set already."""
    from dotenv import dotenv_values

    if not path.is_file():
        raise ConfigurationError("--env-file", "there is no such file")
    for name, value in dotenv_values(path, interpolate=False).items():
        if value is not None:
            os.environ.setdefault(name, value)
