"""The landing page and the explanation of each problem type."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from levy_schemas.problems import PROBLEMS, ProblemExplanation, current_code
from levy_service.documentation import problems


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    index = files("levy_gateway").joinpath("pages/index.html").read_text(encoding="utf-8")

    @routes.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def landing() -> HTMLResponse:
        """Return the landing page."""
        return HTMLResponse(index)

    @routes.get("/problems/{code}", tags=["operations"], responses=problems("not-found"))
    async def explain(code: str) -> ProblemExplanation:
        """Explain a problem type; the member `type` of every problem is this URL."""
        code = current_code(code)
        if code not in PROBLEMS:
            raise HTTPException(404, f"Unknown problem type {code!r}.")
        kind = PROBLEMS[code]
        return ProblemExplanation(
            code=code, title=kind.title, status=kind.status, meaning=kind.meaning
        )

    return routes
