"""Import rules that import-linter cannot express: allowed packages and light modules."""

import subprocess
import sys

import grimp
import pytest

HEAVY = (
    "fastapi",
    "jax",
    "matplotlib",
    "numba",
    "pandas",
    "plotly",
    "pyarrow",
    "pydantic",
    "scipy.optimize",
    "tensorflow",
)


def external_imports(package: str, *own: str) -> set[str]:
    """Return the third-party top-level packages that `package` imports anywhere."""
    graph = grimp.build_graph(package, include_external_packages=True)
    own_modules = {m for m in graph.modules if m.split(".")[0] == package}
    found = {
        i.split(".")[0] for m in own_modules for i in graph.find_modules_directly_imported_by(m)
    }
    return found - set(sys.stdlib_module_names) - {package, *own}


def loaded_by(module: str) -> set[str]:
    """Return the modules loaded after a new interpreter has imported `module`."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_schemas_need_pydantic_alone() -> None:
    assert external_imports("levy_schemas") <= {"pydantic", "pydantic_core", "annotated_types"}


def test_the_client_needs_httpx_and_schemas_alone() -> None:
    allowed = {"httpx", "httpx_retries", "pydantic"}
    assert external_imports("levy_client", "levy_schemas") <= allowed


def test_numerics_need_numpy_and_scipy_and_may_use_jax_and_numba() -> None:
    allowed = {"numpy", "scipy", "jax", "numba"}
    assert external_imports("levy_numerics") <= allowed


def test_importing_the_public_api_loads_no_numerics() -> None:
    assert loaded_by("levy_numerics").isdisjoint({"numpy", "scipy", *HEAVY})


def test_importing_models_loads_nothing_heavy() -> None:
    assert loaded_by("levy_numerics.models").isdisjoint(HEAVY)


@pytest.mark.parametrize("module", ["levy_numerics.pricing", "levy_numerics.implied_volatility"])
def test_importing_compiled_numerics_loads_nothing_heavy_but_numba(module: str) -> None:
    assert loaded_by(module).isdisjoint(set(HEAVY) - {"numba"})


def test_importing_the_command_line_loads_no_numerics() -> None:
    assert loaded_by("levy_cli.main").isdisjoint({"numpy", "scipy", *HEAVY})
