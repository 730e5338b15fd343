"""The command line: `mrnn-np COMMAND ...`, one file a command.

Every command module has three things: ``EXAMPLE`` (a line that can be pasted),
``add_arguments(parser)`` and ``run(args) -> int`` (the exit status). Only the module
of the command that was asked for is imported, so `mrnn-np --help` answers at once.

Results go to stdout, messages to stderr. Exit status: 0 done, 1 failed, 2 wrong use.
Knows: the list of commands and how an error is shown. A command's module knows what is
asked for and how the result is shown. None knows how anything is computed.
"""

import argparse
import atexit
import gc
import importlib
import os
import re
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import NoReturn

from mrnn_np import __version__
from mrnn_np.runtime.lines import one_line
from mrnn_np.runtime.progress import flush, printable, say, show

COMMANDS = {
    "demo": "caption two photographs, then train a small m-RNN and report on it",
    "weights": "list, fetch and convert pretrained CNN weights",
    "features": "compute the CNN features of a data set's images",
    "classify": "name the ImageNet classes of images (checks a CNN's weights)",
    "train": "train a model, the m-RNN or another, on a data set and its features",
    "caption": "describe images in a sentence",
    "evaluate": "score a model, or a file of captions, on a data set",
    "rank": "recall and median rank of image and sentence retrieval",
    "tables": "train and score every model of the paper's tables, and compare them",
    "search": "find images for a sentence, or sentences for a photograph",
    "gradcheck": "compare every hand-written gradient with a numerical one",
    "bench": "measure speed and memory, beside PyTorch and others",
}
# An option whose value is empty; argparse takes the "--" of "--out=--" out.
EMPTY = re.compile(r"--[a-z-]+=(?:--)?")
ASKS_TO_END = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, `kill`, a closed terminal


class Parser(argparse.ArgumentParser):
    """Argparse, where what a user gave is shown as errors and `printable` have it."""

    def error(self, message: str) -> NoReturn:
        message = one_line(message)
        super().error(printable(message, getattr(sys.stderr, "encoding", None)))


class ShowVersions(argparse.Action):
    """What `--version` does: print one line for the report of a fault, and exit."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        show(versions())
        parser.exit()


def versions() -> str:
    """Return the versions of this package and of what its numbers depend on.

    The others' stand in their metadata: `mrnn-np --help` takes a tenth of a second, and
    importing Numba to ask for its version half a second.
    """
    from importlib import metadata  # no other command needs it

    return (
        f"mrnn_np {__version__}, Python {sys.version.split()[0]}, "
        f"NumPy {metadata.version('numpy')}, Numba {metadata.version('numba')}"
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the top level, with a line for every command."""
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{summary}" for name, summary in COMMANDS.items()]
    parser = Parser(
        prog="mrnn-np",
        description="Captions for images with the m-RNN, from scratch in NumPy.",
        epilog="commands:\n" + "\n".join(lines) + "\n\n"
        "mrnn-np COMMAND --help says more and gives an example.\n"
        "example: mrnn-np caption photo.jpg",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error"
    )
    parser.add_argument(
        "--version", action=ShowVersions, nargs=0, help="show the versions and exit"
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    # At its end Python looks through all objects once more for garbage. Numba has made
    # so many that this takes 0.2 of the 1.4 s of `mrnn-np caption`: nobody needs it.
    atexit.register(gc.freeze)
    debug = False
    try:
        arguments = sys.argv[1:] if argv is None else argv
        if not arguments:
            build_parser().print_help(sys.stderr)
            return 2
        chosen = build_parser().parse_args(arguments)
        debug = chosen.debug
        module = importlib.import_module(f"mrnn_np.cli.{chosen.command}")
        summary = COMMANDS[chosen.command]
        parser = Parser(
            prog=f"mrnn-np {chosen.command}",
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example: {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(parser)
        parser.add_argument(
            "--debug", action="store_true", help="show the traceback of an error"
        )
        if any(text == "" or EMPTY.fullmatch(text) for text in chosen.arguments):
            parser.error(
                "an argument is empty (a variable of the shell that is not set?)"
            )
        args = parser.parse_args(chosen.arguments)
        debug = debug or args.debug
        return module.run(args)
    except KeyboardInterrupt:
        say("mrnn-np: stopped")
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        return 1
    except Exception as error:
        if debug:
            raise
        from mrnn_np.runtime.errors import WrongUse

        used_wrongly = isinstance(error, WrongUse)
        program = parser.prog if used_wrongly else "mrnn-np"
        say(f"{program}: error: {describe(error)}")
        return 2 if used_wrongly else 1


def program() -> None:
    """Run the command line as a process: what `mrnn-np` calls."""
    open_closed_streams()
    asks = [getattr(signal, name) for name in ASKS_TO_END if hasattr(signal, name)]
    asks = [n for n in asks if signal.getsignal(n) is not signal.SIG_IGN]  # `nohup`

    def stop(number: int, frame: FrameType | None) -> None:
        # Asked once, tidy up: keep checkpoints, end worker processes. Who asks again
        # meanwhile is obeyed at once, and without a word from Python.
        for each in asks:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    def stop_later(ignored: "sys.UnraisableHookArgs") -> None:
        # What is raised in __del__ or a callback of the import system goes no further
        # than there: 1 of 25 signals at random moments was lost so, with a traceback.
        if "ignored due to race condition" in str(ignored.exc_value):
            return  # a second signal in the moment when `stop` changes the handlers
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(ignored)
            return
        for each in asks:
            signal.signal(each, stop)
        threading.Timer(0.01, signal.raise_signal, [asks[0]]).start()

    sys.unraisablehook = stop_later
    for each in asks:
        signal.signal(each, stop)
    try:
        try:
            status = main()
        except SystemExit as stopped:  # argparse showed help, or what is wrong
            status = stopped.code  # type: ignore[assignment]  # argparse's are int
        except Exception:  # --debug
            for line in traceback.format_exc().splitlines():
                say(line)
            status = 1
        status = end_of_results() or status
        # From here on there is nothing to keep.
        for each in asks:
            signal.signal(each, signal.SIG_DFL)
    except KeyboardInterrupt:  # while main was at its end, of whatever kind
        status = 130
    parallel = sys.modules.get("mrnn_np.runtime.parallel")
    if parallel is not None and parallel.LEFT_BEHIND.is_set():
        # Threads still multiply for nobody, and BLAS would take the memory from under
        # them while Python ends: a segmentation fault. So end without ado.
        os._exit(status)
    sys.exit(status)


def open_closed_streams() -> None:
    """Open what the shell has closed (`>&-`).

    Otherwise the next file that is opened gets the number of standard output, and what
    some library prints goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(number, True)


def end_of_results() -> int:
    """Write what argparse may have left unwritten; return 1 if that fails."""
    from mrnn_np.runtime.errors import InputError

    try:
        flush()
    except BrokenPipeError:
        return 1
    except InputError as error:
        say(f"mrnn-np: error: {error}")
        return 1
    return 0


def describe(error: Exception) -> str:
    """Turn an exception into the one line that a user reads."""
    from mrnn_np.runtime.errors import InputError

    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        return one_line(f"{error.filename}: {error.strerror}")
    text = one_line(str(error))
    return f"{type(error).__name__}: {text} (run again with --debug for the traceback)"
