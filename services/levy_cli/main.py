"""The command `levy`: run the command on its arguments, and map errors to exit codes.

Each command imports its dependencies when it runs, so that `levy --help` imports none.
"""

import argparse
import errno
import os
import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Final

from levy_cli.command_line import command_line

OK: Final = 0
FAILURE: Final = 1
MISUSE: Final = 2
INTERRUPTED: Final = 128 + signal.SIGINT
_REPEAT_SECONDS: Final = 0.05
_EXTRA_OF: Final = {
    "train": "training",
    "dataset": "cluster",
    "validate": "validation",
    "registry": "validation",
}
"""Extra that a command requires beyond `serve`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `levy` and return its exit code: 0, 1 for a failure, 2 for misuse, 130 after Ctrl-C.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if absent.
    """
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.show_version:
        from levy_service import engine_version

        print(f"levy {engine_version()}")
        return OK
    if options.command is None:
        parser.print_help(sys.stderr)
        return MISUSE
    try:
        with _no_interrupt_lost():
            _use_model_name(options)
            code = int(import_module(f"levy_cli.commands.{options.command}").run(options))
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"levy {options.command}: interrupted", file=sys.stderr, flush=True)
        if arguments is None and "jax" in sys.modules:
            # Threads of XLA may still compute, and crash an orderly exit of the interpreter.
            os._exit(INTERRUPTED)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe.
        _discard_output()
        return FAILURE
    except MemoryError:
        print(f"levy {options.command}: not enough memory", file=sys.stderr)
        return FAILURE
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _report(options.command, error)
    return code


@contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Interrupt again if Ctrl-C came where Python ignores exceptions, as in a finalizer."""
    report, timers = sys.unraisablehook, list[threading.Timer]()

    def on_ignored(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            timers.append(threading.Timer(_REPEAT_SECONDS, interrupt_main))
            timers[-1].start()
        else:
            report(ignored)

    sys.unraisablehook = on_ignored
    try:
        yield
    finally:
        sys.unraisablehook = report
        for timer in timers:
            timer.cancel()


def _use_model_name(options: argparse.Namespace) -> None:
    """Replace an alias of a model by its name; raise `UnknownModelError` if it does not exist."""
    if getattr(options, "model", None) is not None:
        from levy_numerics import models

        options.model = models.get(options.model).name


def _discard_output() -> None:
    """Redirect standard output, so that the interpreter's last flush does not fail again."""
    with suppress(OSError):  # not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(command: str, error: Exception) -> int:
    """Print an error to standard error; return the exit code, MISUSE for user errors."""
    from levy_numerics.errors import LevyError
    from levy_surfaces.printable import printable

    if isinstance(error, LevyError):
        print(f"levy {command}: {printable(error.message)}", file=sys.stderr)
        return MISUSE
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("levy_"):
        extra = _EXTRA_OF.get(command, "serve")
        print(
            f"levy {command}: {error.name} is not installed; "
            f"install it with pip install 'levy-calibration-engine[{extra}]'",
            file=sys.stderr,
        )
        return FAILURE
    if isinstance(error, OSError):
        remedy = "; free some space and repeat the command" if error.errno == errno.ENOSPC else ""
        print(f"levy {command}: {printable(str(error))}{remedy}", file=sys.stderr)
        _discard_output()
        return FAILURE
    raise error


if __name__ == "__main__":
    raise SystemExit(main())
