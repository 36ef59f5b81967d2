"""Summary of validation reports: `make reports` writes `docs/validation-reports.md`."""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, Final, Self

PAGE: Final = Path("docs/validation-reports.md")
_WIDTH: Final = 120
_HEAD: Final = (
    "# Validation reports",
    "Findings of [`levy validate`](validation.md) on the models that have networks, each with the "
    "network in use: where a network or a model is weak. `make reports` writes this page, the "
    "reports in `build/validation`, and the [model cards](governance.md#model-cards) of the "
    "networks, which state the hash of their report. An analysis without a finding is within its "
    "thresholds. The suite `quick` has few repetitions; `make reports SUITE=all` measures with "
    "more. The quotes are those of the S&P 500 on days of 2019 where `LEVY_MARKET_DATA` is set, "
    "as here, and else a synthetic sample.",
)


@dataclass(frozen=True)
class Summary:
    """The findings of one report.

    Attributes
    ----------
    model, network, suite, sha256 : str
    surfaces : tuple of str
        Names, of the quotes that were given.
    findings : tuple of (str, str)
        Title of the analysis, and a sentence.
    not_made : tuple of (str, str)
        Title of an analysis that could not be made, and why.
    """

    model: str
    network: str
    suite: str
    sha256: str
    surfaces: tuple[str, ...]
    findings: tuple[tuple[str, str], ...]
    not_made: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the JSON document of a report."""
        content = path.read_bytes()
        document: dict[str, Any] = json.loads(content)
        analyses = document["analyses"]
        return cls(
            document["model_type"],
            document["network"] or "none",
            document["suite"],
            hashlib.sha256(content).hexdigest(),
            tuple(surface["name"] for surface in document["surfaces"]),
            tuple((a["title"], text) for a in analyses for text in a.get("findings", ())),
            tuple((a["title"], a["reason"]) for a in analyses if a["reason"]),
        )

    def lines(self) -> Iterator[str]:
        """Yield the section of the page."""
        yield f"## {self.model}"
        names = self.surfaces
        quotes = (
            names[0] if len(names) == 1 else f"{len(names)} surfaces, {names[0]} to {names[-1]}"
        )
        yield (
            f"Network `{self.network}`, suite `{self.suite}`, quotes: {quotes}. SHA-256 of the "
            f"document: `{self.sha256}`."
        )
        yield _listed(self.findings) or "No weakness was found."
        if self.not_made:
            yield "Not made:"
            yield _listed(self.not_made)


def page(summaries: Sequence[Summary]) -> str:
    """Return the page in Markdown."""
    sections = (text for summary in summaries for text in summary.lines())
    return "\n\n".join(map(_wrapped, (*_HEAD, *sections))) + "\n"


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- **{title}.** {text}" for title, text in pairs)


def _wrapped(text: str) -> str:
    """Return lines of at most `_WIDTH` characters; those of a list are indented."""
    return "\n".join(
        fill(
            line,
            _WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def main() -> None:
    """Write the page from the reports in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="reports, a folder for each model")
    folder = parser.parse_args().folder
    summaries = [Summary.read(path) for path in sorted(folder.glob("*/validation.json"))]
    PAGE.write_text(page(summaries))


if __name__ == "__main__":
    main()
