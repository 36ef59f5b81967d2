"""API keys: random, printed once, stored as SHA-256 digests.

`python -m levy_gateway.keys NAME` creates one. A key has 256 random bits, so that a fast digest is
as safe as a slow one; slow digests protect passwords that people choose.
"""

import hmac
import secrets
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

_PREFIX: Final = "levy_"
"""Prefix by which secret scanners recognise a leaked key."""


class KeyRing:
    """The valid API keys and the names of their holders.

    Parameters
    ----------
    digests : mapping
        Hexadecimal SHA-256 digest of the key, by the name of its holder.

    Examples
    --------
    >>> ring = KeyRing({"desk": digest_of("levy_secret")})
    >>> ring.holder("levy_secret"), ring.holder("levy_guess")
    ('desk', None)
    """

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = {name: bytes.fromhex(digest) for name, digest in digests.items()}

    def __bool__(self) -> bool:
        return bool(self._digests)

    def holder(self, key: str) -> str | None:
        """Return the name of a key's holder, or None if the key is invalid, in constant time."""
        presented = sha256(key.encode()).digest()
        holder = None
        for name, digest in self._digests.items():  # no early exit: it would leak the position
            if hmac.compare_digest(presented, digest):
                holder = name
        return holder


def digest_of(key: str) -> str:
    """Return the digest of a key, as in the settings."""
    return sha256(key.encode()).hexdigest()


def new_key() -> str:
    """Return a new key of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def main(name: str) -> None:
    """Print a new key and its entry of the settings."""
    key = new_key()
    sys.stdout.write(
        f"API key of {name} (it is not stored; copy it now):\n  {key}\n"
        f'entry of LEVY_GATEWAY_API_KEYS:\n  "{name}": "{digest_of(key)}"\n'
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m levy_gateway.keys NAME")
    main(sys.argv[1])
