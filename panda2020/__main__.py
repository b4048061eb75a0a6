"""The command line: ``python -m panda2020 {list,show,plan,record,verify,import,claims,headline}``."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import re
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runs.choosing import Contents

PROGRAM = "python -m panda2020"

OVERVIEW = """\
The runs, records and verdicts of Panda, Aketi and Roy 2020. COMMAND --help has examples of each.
  claims [CLAIM ...]          the verdict on every claim, or some of them in full
  headline                    the verdicts in short, as README.md has them
  list                        all recorded runs with what made them
  show KEY                    one record
  plan --profile quick        which runs are missing, and how long they would take
  record --profile quick      make them, most informative first (--table 8, --minutes 60)
  verify --sample 3           run the first epoch of three records again and compare
  import FILES --commit SHA   take over records made on another machine
Many runs at once, on one machine or on a cluster: snakemake --cores 8 (book/cluster.md)."""


#: Examples of the commands that judge claims; see ``runs.commands.EXAMPLES``.
EXAMPLES = {
    "claims": ("claims", "claims agd-loss --profile paper", "claims --json > verdicts.json"),
    "headline": ("headline",),
}


def main(arguments: Sequence[str] | None = None, *, contents: Contents | None = None) -> int:
    """Run one command. 0 means success, 1 a run or record that fails, 2 a request that cannot be understood.

    Args:
        contents: table of contents to use in place of the paper's (``panda2020.contents``).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        print(OVERVIEW)
        return 0
    from .runs import commands

    options = _parser(words[0]).parse_args(words)
    # imported only if needed, because it imports every chapter
    options.contents = lambda: contents or importlib.import_module(f"{__package__}.contents")
    try:
        code: int = options.command(options)
        return code
    except KeyboardInterrupt:
        print("stopped; the next attempt goes on from the last checkpoint", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if options.debug or (error.name or __package__).split(".")[0] in ("snncore", __package__):
            raise
        print(f"error: {error.name} is not installed: {_install_line(error.name or 'it')}", file=sys.stderr)
        return 1
    except (*commands.REQUESTS, *commands.FAILURES) as error:
        if options.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, commands.REQUESTS) else 1


def _install_line(module: str) -> str:
    """The command that installs the package of a module, with the extra that requires it, if there is one."""
    package = module.split(".")[0]
    with contextlib.suppress(metadata.PackageNotFoundError):
        for text in metadata.requires("snncore") or ():
            extra = re.search(r"extra == ['\"]([\w-]+)['\"]", text)
            if extra and re.match(r"[\w.-]+", text)[0].replace("-", "_") == package:  # type: ignore[index]
                return f"pip install 'snncore[{extra[1]}]'"
    return f"pip install {package}"


def _parser(chosen: str) -> argparse.ArgumentParser:
    from .runs import commands

    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=OVERVIEW, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show where an error comes from")
    subs = parser.add_subparsers(required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    commands.add_commands(subs, common)
    for name in ("claims", "headline"):
        sub = subs.add_parser(
            name,
            parents=[common],
            epilog=commands.examples(EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:  # the commands that judge claims are slow to import
            from .ledger import command

            command.ARGUMENTS[name](sub)
    return parser


if __name__ == "__main__":
    if sys.argv[1:2] in (["record"], ["verify"]):
        from .runs.launch import relaunch_with_tuned_malloc

        relaunch_with_tuned_malloc()
    elif hasattr(signal, "SIGPIPE"):  # Windows has none
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that "plan | head" ends without a traceback
    sys.exit(main())
