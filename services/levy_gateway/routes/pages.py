"""The web page, its assets, and the explanation of each problem type."""

from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from levy_schemas.problems import PROBLEMS, ProblemExplanation, current_code
from levy_service.documentation import problems

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    # Charts are drawn from a Blob to be saved as PNG.
    "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FOREVER: Final = "public, max-age=31536000, immutable"


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    assets = _assets()
    # One digest of all: modules import each other by relative paths, which keep it.
    digest = sha256(b"".join(name.encode() + body for name, body in sorted(assets.items())))
    fingerprint = digest.hexdigest()[:16]
    index = _text("index.html").replace("{{assets}}", f"/assets/{fingerprint}")

    @routes.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> HTMLResponse:
        """Return the page."""
        headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
        return HTMLResponse(index, headers=headers)

    @routes.get("/assets/{version}/{name}", include_in_schema=False)
    async def asset(version: str, name: str) -> Response:
        """Return a script, a style sheet or a picture of the page."""
        if version != fingerprint or name not in assets:
            raise HTTPException(404, "No such asset. Reload the page: it has a new version.")
        media_type = _MEDIA_TYPES["." + name.rpartition(".")[2]]
        return Response(assets[name], media_type=media_type, headers={"cache-control": _FOREVER})

    @routes.get("/problems/{code}", tags=["operations"], responses=problems("not-found"))
    async def explain(
        code: Annotated[str, Path(description="code of the problem, such as invalid-input")],
    ) -> ProblemExplanation:
        """Explain a problem type; the member `type` of every problem is this URL."""
        code = current_code(code)
        if code not in PROBLEMS:
            raise HTTPException(404, f"Unknown problem type {code!r}.")
        kind = PROBLEMS[code]
        return ProblemExplanation(
            code=code, title=kind.title, status=kind.status, meaning=kind.meaning
        )

    return routes


def _assets() -> dict[str, bytes]:
    """Return the files that the page loads, by name."""
    return {
        path.name: path.read_bytes()
        for path in files("levy_gateway").joinpath("pages").iterdir()
        if path.name.endswith(tuple(_MEDIA_TYPES))
    }


def _text(name: str) -> str:
    return files("levy_gateway").joinpath("pages", name).read_text(encoding="utf-8")
