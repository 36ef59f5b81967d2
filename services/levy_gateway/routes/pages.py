"""Pages for people: the landing page, and what each kind of problem means."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from levy_schemas.problems import MEANING, PROBLEMS, ProblemExplanation
from levy_service.documentation import problems


def router() -> APIRouter:
    """Make the routes; the page is read once."""
    routes = APIRouter()
    index = files("levy_gateway").joinpath("pages/index.html").read_text(encoding="utf-8")

    @routes.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def landing() -> HTMLResponse:
        """Say what this is, and where to look."""
        return HTMLResponse(index)

    @routes.get("/problems/{code}", tags=["operations"], responses=problems("not-found"))
    async def explain(code: str) -> ProblemExplanation:
        """Explain a kind of problem; `type` of every problem leads here."""
        if code not in PROBLEMS:
            raise HTTPException(404, "There is no problem of this kind.")
        kind = PROBLEMS[code]
        return ProblemExplanation(
            code=code, title=kind.title, status=kind.status, meaning=MEANING[code]
        )

    return routes
