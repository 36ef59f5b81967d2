"""Command lines whose errors are one line."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """A parser that reports an error in one line, without the usage; the line names the help."""

    def error(self, message: str) -> NoReturn:
        """Print the message to standard error, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")
