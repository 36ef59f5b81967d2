"""Model cards: what a network is for, from what it was made, how accurate it is, and its limits."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from levy_calibration.governance.gate import Gate, Verdict
from levy_calibration.registry.artifact import MANIFEST, Artifact
from levy_numerics import models
from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.synthetic.manifest import file_hash

CARD: Final = "model_card.md"
"""File of the card, beside the manifest."""
_QUANTILES: Final = (0.05, 0.95)


@dataclass(frozen=True)
class ValidationReport:
    """The document of `levy validate` for a network.

    Attributes
    ----------
    sha256 : str
        Of the file.
    suite : str
    findings : tuple of str
    """

    sha256: str
    suite: str
    findings: tuple[str, ...]

    @classmethod
    def read(cls, path: str | Path, artifact: Artifact) -> Self:
        """Read a report of this artifact.

        Raises
        ------
        InvalidInputError
            The file is not such a document, or reports on another network.
        """
        try:
            content = Path(path).read_bytes()
            document = json.loads(content)
            network = document["network"]
            suite = str(document["suite"])
            findings = tuple(
                str(finding) for a in document["analyses"] for finding in a.get("findings", ())
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InvalidInputError(f"{path} is not the document of levy validate") from None
        expected = f"{artifact.network} {artifact.version}"
        if document.get("model_type") != artifact.model or network != expected:
            raise InvalidInputError(
                f"{path} validates {network or 'no network'} of {document.get('model_type')}, not "
                f"{expected} of {artifact.model}"
            )
        return cls(hashlib.sha256(content).hexdigest(), suite, findings)


def write_card(artifact: Artifact, gate: Gate, report: ValidationReport | None = None) -> Path:
    """Measure a network by the gate, and write its card beside its manifest.

    Raises
    ------
    InvalidInputError
        The network's files or description were changed since training.
    """
    verdict = gate.judge(artifact.load())
    path = artifact.folder / CARD
    write_atomically(path, card(artifact, gate, verdict, report).encode())
    return path


def card(artifact: Artifact, gate: Gate, verdict: Verdict, report: ValidationReport | None) -> str:
    """Return the card of a network, in Markdown."""
    return "\n\n".join(
        (
            f"# {artifact.model}: {artifact.version}",
            _intended_use(artifact),
            _data(artifact),
            "## Accuracy on the holdout\n\n" + _metrics(artifact.manifest["metrics"]),
            "## Gate\n\n" + _gate(gate, verdict),
            "## Limits\n\n" + "\n".join(f"- {limit}" for limit in _limits(artifact, verdict)),
            _validation(report),
            _provenance(artifact),
        )
    )


def _intended_use(artifact: Artifact) -> str:
    reads = "quotes on any strikes and maturities"
    if artifact.manifest["reads"] == "grid":
        reads = (
            "prices on the standard grid of 20 strikes by 10 maturities; others are interpolated"
        )
    return (
        "## Intended use\n\n"
        f"Initial guess of the parameters of {artifact.model} for a least-squares fit to European "
        f"options on one underlying. Input: {reads}. The fit decides the result; `method = neural` "
        "returns the guess itself, with the errors stated below."
    )


def _data(artifact: Artifact) -> str:
    recipe = artifact.manifest["recipe"]
    hashes = "\n".join(
        f"- layout `{layout}`: SHA-256 `{digest}`"
        for layout, digest in artifact.manifest["data_hash"].items()
    )
    members = recipe["options"].get("members")
    amount = (
        f"The members {', '.join(members)} have separate recipes."
        if members
        else f"{recipe['surfaces']:,} surfaces of each layout, of which {recipe['holdout']:.0%} "
        f"were held out; seed {recipe['seed']}."
    )
    return (
        "## Data\n\n"
        f"Synthetic surfaces of {artifact.model}, with noise and gaps. {amount}\n\n{hashes}\n\n"
        f"Range of the parameters:\n\n{_ranges(artifact)}"
    )


def _ranges(artifact: Artifact) -> str:
    """Return the limits of the training range, and quantiles of the parameters in it."""
    box = [
        (axis["name"], f"{axis['low']:.4g}", f"{axis['high']:.4g}")
        for axis in artifact.manifest["box"]["axes"]
    ]
    listing = _table(("coordinate", "low", "high"), box)
    distribution = artifact.load().reference
    if distribution is None:
        return listing
    rows = [
        (name, *(f"{np.quantile(distribution.quantiles[name], q):.4g}" for q in _QUANTILES))
        for p in models.get(artifact.model).parameters()
        if (name := p.name) in distribution.quantiles
    ]
    return f"{listing}\n\n{_table(('parameter', *(f'{q:.0%} quantile' for q in _QUANTILES)), rows)}"


def _metrics(metrics: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            f"{error['r2']:.5f}",
            f"{error['mae']:.3g}",
            f"{error['rmse']:.3g}",
            f"{error['median_relative']:.2%}",
        )
        for name, error in metrics["errors"].items()
    ]
    return (
        _table(("quantity", "R²", "MAE", "RMSE", "median relative error"), rows)
        + f"\n\nOn {metrics['n']:,} exact surfaces. Errors of volatility {metrics['vol_bp']:.2f} "
        f"basis points, of prices {metrics['price_bp']:.3f} basis points of the forward."
    )


def _gate(gate: Gate, verdict: Verdict) -> str:
    rows = []
    for name, value in verdict.figures.items():
        limits = gate.thresholds[name]
        ends = ("" if end is None else f"{end:g}" for end in (limits.min, limits.max))
        rows.append((name, f"{value:.4g}", *ends))
    outcome = "passes" if verdict.is_passed else "fails: " + "; ".join(verdict.failures)
    return f"The network {outcome}. Thresholds: SHA-256 `{verdict.gate}`.\n\n" + _table(
        ("measure", "value", "at least", "at most"), rows
    )


def _limits(artifact: Artifact, verdict: Verdict) -> Iterator[str]:
    figures, metrics = verdict.figures, artifact.manifest["metrics"]["errors"]
    worst = min(metrics, key=lambda name: metrics[name]["r2"])
    yield (
        "Outside of the range above the guess is at its edge; a score above 1 marks surfaces that "
        "are less familiar than 99.9% of the training surfaces."
    )
    yield (
        f"The score detects {figures['detected_share']:.1%} of surfaces whose prices have "
        "lognormal errors. It is not a test of arbitrage."
    )
    yield f"The least accurate quantity is {worst}, with R² = {metrics[worst]['r2']:.4f}."
    yield (
        f"With 20% of the quotes missing, the median error of volatility is "
        f"{figures['vol_bp_20_percent_missing']:.1f} basis points ({figures['vol_bp']:.1f} "
        "without gaps)."
    )
    yield (
        f"Predicted 95% intervals contain {figures['coverage_95']:.1%} of the parameters, those of "
        f"80% contain {figures['coverage_80']:.1%}."
    )
    yield "American options, barriers and single expiries are not supported."


def _validation(report: ValidationReport | None) -> str:
    if report is None:
        return (
            "## Validation\n\nNo validation report is attached: run `levy validate`, and "
            "`levy registry card` with `--report`."
        )
    findings = "\n".join(f"- {finding}" for finding in report.findings) or "- No weakness found."
    return (
        f"## Validation\n\nReport of the suite `{report.suite}`, SHA-256 `{report.sha256}`. "
        f"Findings:\n\n{findings}"
    )


def _provenance(artifact: Artifact) -> str:
    manifest = artifact.manifest
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return (
        f"## Provenance\n\n{manifest['n_weights']:,} weights, trained with {versions} on "
        f"{manifest['backend']} ({manifest['device']}). Started from "
        f"{manifest['started_from'] or 'random weights'}. Manifest: SHA-256 "
        f"`{file_hash(artifact.folder / MANIFEST)}`.\n"
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
