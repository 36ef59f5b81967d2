"""Descriptions of fields that mean the same wherever they occur, for the OpenAPI documents.

A field whose meaning differs in one schema is described in that schema, or below as
`Schema.field`.
"""

from collections.abc import Mapping
from typing import Any, Final

DESCRIPTIONS: Final[Mapping[str, str]] = {
    "ask": "present value",
    "barrier": "barrier of all options; none if absent",
    "bid": "present value",
    "calibration_time_ms": "duration of the fit, in milliseconds",
    "catalogue": "the models, with parameters and networks",
    "code": "name of the problem type",
    "columns": "how each column of the file was read",
    "comparison_time_ms": "duration of all fits, in milliseconds",
    "converged": "whether the diagnostics allow to rely on the draws; `reason` states why",
    "correlations": "posterior correlations of the parameters, by name",
    "currency": "currency of the prices; `underlying` for inverse options",
    "day_count": "convention by which dates become years",
    "detail": "explanation of the problem",
    "discount": "present value of one unit paid at expiry",
    "distribution": "family of the prior",
    "divergences": "number of divergent transitions of NUTS",
    "dropped": "quotes that were not used, with reasons",
    "engine": "sampling engine",
    "ess_bulk": "effective sample size of the centre of the distribution",
    "ess_tail": "effective sample size of its tails",
    "exercise": "exercise style, as given or assumed",
    "expiries": "expiries of the quotes that were kept",
    "expiry": "date of expiry, as in the file",
    "fit_by_maturity": "quality of the fit at each expiry",
    "fit_quality": "errors of the fitted prices",
    "forward": "forward price for delivery at the expiry",
    "forwards": "forward and discount factor of each expiry",
    "greeks": "sensitivities; null if not requested",
    "high": "upper end of a uniform distribution",
    "job_id": "id of the job",
    "kind": "what happens when the underlying reaches the level",
    "low": "lower end of a uniform distribution",
    "mean": "posterior mean",
    "meaning": "explanation",
    "median": "posterior median",
    "method": "hybrid: a network's initial guess, refined by exact least squares; neural: the "
    "guess alone; least_squares: several initial guesses",
    "misfit": "errors of the posterior mean of the model's prices",
    "model_type": "name of the model; a request may use an alias, in any letter case",
    "model_version": "version of the network or of the engine that produced the result",
    "models": "names of the models",
    "mu": "mean of a normal distribution, or of the logarithm of a log-normal one",
    "n_evaluations": "number of evaluations of all prices and their gradient",
    "not_fitted": "models that could not be fitted, with reasons",
    "num_chains": "number of chains",
    "num_samples": "draws of each chain, after the warm-up",
    "num_warmup": "warm-up draws of each chain, which are discarded",
    "option_type": "call or put",
    "out_of_distribution": "whether the quotes are unlike those that the network was trained on",
    "parameters": "parameters of the model, by name",
    "pareto_k": "shape of the tail of the importance weights; above 0.7 they are unreliable; null "
    "for engines without weights",
    "predictive": "posterior predictive distribution of each quote",
    "problem": "the problem; null if there is none",
    "quote_date": "date of the quotes, with the time of day if the file has one",
    "quotes": "list of quotes, instead of a grid",
    "rate": "rate of a gamma distribution",
    "reason": "why the quote was not used",
    "request_id": "id of the request in the logs",
    "result": "the result; null if there is none yet, or a problem",
    "results": "results, in the order of the surfaces; of a comparison, best first",
    "sd": "posterior standard deviation",
    "seconds": "duration of the job",
    "seed": "random seed; the same request with the same seed draws the same",
    "service": "name of the service",
    "services": "readiness of each service behind the gateway",
    "shape": "shape of a gamma distribution",
    "sigma": "standard deviation, of the logarithm for a log-normal distribution",
    "spot": "price of the underlying; null if the file has none",
    "spot_price": "price of the underlying, in currency",
    "status_url": "path at which to follow the job",
    "strike": "in currency",
    "strike_high": "highest strike that was kept",
    "strike_low": "lowest strike that was kept",
    "strikes": "in currency",
    "surfaces": "surfaces to fit, each with its own model and options",
    "title": "short description",
    "underlying": "name of the underlying",
    "unit": "unit of the value",
    "version": "version of the engine, or of the network of a model",
    "warnings": "assumptions and doubts, for people",
    "weights": "unit of the errors that were minimised",
    "BayesianResult.parameters": "posterior of each parameter, by name",
    "CatalogueEntry.parameters": "declaration of each parameter",
    "CatalogueParameter.meaning": "what the parameter does",
    "JobStatus.status": "queued, running, or how the job ended",
    "ProblemExplanation.status": "HTTP status",
    **dict.fromkeys(
        ("CalibrationResult.status", "ComparedModel.status", "MaturityCalibration.status"),
        "converged; at_bound: on an edge of the search box; stalled, max_evaluations and diverged: "
        "not at a minimum; proposed: a network's output without refinement",
    ),
    **dict.fromkeys(
        ("Liveness.status", "Readiness.status", "UpstreamHealth.status"), "state of the service"
    ),
}


def describe_fields(schemas: Mapping[str, Any]) -> None:
    """Add descriptions to the fields of JSON schemas that have none.

    Parameters
    ----------
    schemas : mapping of str to dict
        JSON schemas by name, as in the components of an OpenAPI document; changed in place.
    """
    for name, schema in schemas.items():
        for field, content in schema.get("properties", {}).items():
            described = DESCRIPTIONS.get(f"{name}.{field}", DESCRIPTIONS.get(field))
            if described is not None:
                content.setdefault("description", described)
