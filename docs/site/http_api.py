"""The page of the HTTP API, from the OpenAPI document of the gateway."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from levy_gateway.app import create_app
from levy_gateway.settings import GatewaySettings

ORDER: Final = (
    "/quotes",
    "/calibrate",
    "/compare",
    "/price",
    "/models",
    "/calibrate/bayesian",
    "/health",
    "/problems",
)
"""Operations by use: those of a path come with the first entry that the path starts with."""

_INTRODUCTION: Final = """\
# HTTP API

Every operation of the gateway, from its OpenAPI document (`/openapi.json`; `/docs` has an
interactive version). The examples assume `make run`, which serves at `http://localhost:8000`.
Bodies are JSON. Unknown fields are rejected, and every error is a problem document (RFC 9457) with
a code, the field concerned and a remedy. If API keys are required, send one as `Authorization:
Bearer KEY` or `X-API-Key: KEY`. `$JOB_ID` is the `job_id` in the response that accepted a job.
[Requests](../requests.md) describes quotes, [Bayesian jobs](../bayesian-jobs.md) jobs.
"""
_PLACEHOLDERS: Final = {"{job_id}": "$JOB_ID", "{code}": "invalid-input"}


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the gateway."""
    return create_app(GatewaySettings()).openapi()


def page() -> str:
    """Return the page as Markdown."""
    api = document()
    schemas = api["components"]["schemas"]
    parts = [_INTRODUCTION]
    paths = sorted(api["paths"], key=lambda path: (_rank(path), path))
    for path in paths:
        parts += [
            _operation(method.upper(), path, api["paths"][path][method], schemas)
            for method in api["paths"][path]
        ]
    parts.append("## Schemas\n\nObjects in requests and responses.")
    parts += [_schema(name, schemas[name]) for name in sorted(schemas) if _is_object(schemas[name])]
    return "\n\n".join(parts) + "\n"


def _rank(path: str) -> int:
    ranks = [i for i, start in enumerate(ORDER) if f"{path}/".startswith(f"{start}/")]
    # The longest entry is the most specific one.
    return max(ranks, key=lambda i: len(ORDER[i]), default=len(ORDER))


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> str:
    lines = [f"## {method} {path}", operation["description"]]
    if parameters := operation.get("parameters"):
        described = [
            (f"`{p['name']}`", p["in"], _type(p["schema"]), p.get("description", ""))
            for p in parameters
        ]
        lines.append(_table(("parameter", "in", "type", "meaning"), described))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        lines.append(f"Body: {_type(body['schema'])}.")
    lines.append("```sh\n" + curl(method, path, _example(body, schemas)) + "\n```")
    responses = [
        (status, _content(response), response.get("description", ""))
        for status, response in sorted(operation["responses"].items())
    ]
    lines.append(_table(("status", "body", "meaning"), responses))
    return "\n\n".join(lines)


def curl(method: str, path: str, body: Any) -> str:
    """Return the command that sends an example."""
    for placeholder, value in _PLACEHOLDERS.items():
        path = path.replace(placeholder, value)
    command = f"curl -s localhost:8000{path}"
    if method not in {"GET", "POST"}:
        command += f" -X {method}"
    if path.endswith("/inference-data"):
        command += " -o draws.nc"
    if body is not None:
        command += f" -H 'content-type: application/json' -d '{_compact(body)}'"
    return command


def request_example(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Return the example of an operation's request body; None if it has no body."""
    content = operation.get("requestBody", {}).get("content", {})
    return _example(content.get("application/json"), schemas)


def _example(body: Mapping[str, Any] | None, schemas: Mapping[str, Any]) -> Any:
    if body is None:
        return None
    schema = next(_objects(body["schema"], schemas))
    if "examples" in schema:
        return schema["examples"][-1]
    return {
        name: field["examples"][0]
        for name, field in schema["properties"].items()
        if name in schema["required"]
    }


def _objects(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that a schema allows."""
    if "$ref" in schema:
        yield from _objects(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    elif "properties" in schema:
        yield schema
    for option in schema.get("oneOf", ()):
        yield from _objects(option, schemas)


def _compact(value: Any) -> str:
    """Return JSON with a line for each member and inner row."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    members = [
        f"  {json.dumps(name)}: {json.dumps(content, ensure_ascii=False)}"
        for name, content in value.items()
    ]
    return "{\n" + ",\n".join(members) + "}"


def _content(response: Mapping[str, Any]) -> str:
    bodies = [
        _type(content["schema"]) if content.get("schema") else f"`{media}`"
        for media, content in response.get("content", {}).items()
    ]
    return ", ".join(bodies)


def _is_object(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (f"`{field}`", _type(content) + _limits(content), _meaning(content, field in required))
        for field, content in schema["properties"].items()
    ]
    table = _table(("field", "type", "meaning"), rows)
    return "\n\n".join(filter(None, [f"### {name}", schema.get("description", ""), table]))


def _meaning(field: Mapping[str, Any], is_required: bool) -> str:
    # Brackets are escaped, since prices[i][j] would be a link.
    parts = [field.get("description", "").replace("[", "\\[")]
    if is_required:
        parts.append("required")
    elif field.get("default") not in (None, [], {}, ""):
        parts.append(f"default `{json.dumps(field['default'])}`")
    if field.get("deprecated"):
        parts.append("deprecated")
    return "; ".join(filter(None, parts))


def _limits(field: Mapping[str, Any]) -> str:
    limits = [
        f"{sign} {field[key]:g}"
        for key, sign in (
            ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")
        )
        if key in field
    ]  # fmt: skip
    return f", {' and '.join(limits)}" if limits else ""


def _type(schema: Mapping[str, Any]) -> str:
    """Return a type in words, with links to objects."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, options)))
    kind = schema.get("type", "any")
    if kind == "array":
        items = schema.get("items") or schema.get("prefixItems", [{}])[0]
        return f"list of {_type(items)}"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        return f"object of {_type(values)}"
    return str(kind)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )
