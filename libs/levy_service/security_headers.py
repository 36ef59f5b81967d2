"""Headers that restrict what browsers do with responses."""

from typing import Final

Header = tuple[bytes, bytes]

NOT_STORED: Final = "levy.not_stored"
"""Key of a request's scope: whether browsers and proxies must not store the response."""
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_POLICY: Final = b"content-security-policy"
_DATA: Final = (_POLICY, b"default-src 'none'; frame-ancestors 'none'")
_PAGE: Final = (
    _POLICY,
    # The documentation's own script and styles are inline; it shows nothing that a user sent.
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
)


def with_security_headers(headers: list[Header], *, stored: bool = True) -> list[Header]:
    """Return the headers of a response and those for its type, a page or data.

    A response may have a content security policy, which is then kept.
    """
    if not stored:
        headers = [*headers, (b"cache-control", b"no-store")]
    if any(name == _POLICY for name, _ in headers):
        return [*headers, *_ALWAYS]
    is_page = any(name == b"content-type" and b"text/html" in value for name, value in headers)
    return [*headers, *_ALWAYS, _PAGE if is_page else _DATA]
