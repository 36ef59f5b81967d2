"""Sample and rank simulated surfaces; results are stored one by one."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from levy_numerics.errors import LevyError
from tests.sbc.ranks import inside, rank, thinned
from tests.sbc.simulated import Simulated


@dataclass(frozen=True)
class Run:
    """Settings of a run of many surfaces.

    Attributes
    ----------
    model_type, engine : str
    n_chains, n_samples, n_warmup : int
        Of the engine, for each surface.
    """

    model_type: str
    engine: str
    n_chains: int = 2
    n_samples: int = 700
    n_warmup: int = 300

    def one(self, number: int) -> dict[str, Any]:
        """Simulate, sample and rank one surface."""
        import jax

        jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call] # JAX's own
        from levy_bayesian.samplers import SamplingPlan, get
        from levy_bayesian.summary import sampled_values, summarise

        simulated = Simulated.of(self.model_type, number)
        plan = SamplingPlan(self.n_chains, self.n_samples, self.n_warmup, seed=number)
        try:
            draws = get(self.engine).sample(simulated.posterior, plan, lambda _share: None)
        except LevyError as error:
            return {"number": number, "failed": error.message}
        values = sampled_values(simulated.posterior, draws.points)
        summary = summarise(simulated.posterior, draws)
        return {
            "number": number,
            "rank": {k: rank(simulated.truth[k], thinned(x)) for k, x in values.items()},
            "inside": {k: inside(simulated.truth[k], x) for k, x in values.items()},
            "divergences": draws.n_divergences,
            "pareto_k": summary.pareto_k,
            "fault": "" if summary.converged else summary.reason,
        }

    def all(self, n: int, folder: Path, workers: int) -> Iterator[Mapping[str, Any]]:
        """Yield the stored results in `folder`, then those of the remaining numbers below n."""
        path = folder / f"{self.model_type}-{self.engine}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        stored = [json.loads(line) for line in lines]
        yield from stored
        missing = sorted(set(range(n)) - {surface["number"] for surface in stored})
        # Spawned processes: JAX does not support fork.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for done in as_completed([pool.submit(partial(self.one, k)) for k in missing]):
                with path.open("a") as file:
                    file.write(json.dumps(done.result()) + "\n")
                yield done.result()
