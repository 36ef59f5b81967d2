"""API keys: random, shown once, kept as digests.

`python -m levy_gateway.keys NAME` makes one. A key has 256 random bits, so a fast digest is as
safe as a slow one: there is nothing to guess. What slow digests protect is chosen passwords.
"""

import hmac
import secrets
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

_PREFIX: Final = "levy_"
"""Lets scanners of repositories and logs recognise a key that leaked."""


class KeyRing:
    """The keys that open the gateway, by the names of their holders.

    Parameters
    ----------
    digests : mapping
        Name of the holder, and the SHA-256 digest of the key in hexadecimal digits.

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
        """Name of the holder of a key; None if nobody holds it.

        The time taken does not depend on how much of a key is right, nor on whose it is.
        """
        presented = sha256(key.encode()).digest()
        found = None
        for name, digest in self._digests.items():
            if hmac.compare_digest(presented, digest):
                found = name
        return found


def digest_of(key: str) -> str:
    """Digest of a key, as settings keep it."""
    return sha256(key.encode()).hexdigest()


def new_key() -> str:
    """Make a key of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def main(name: str) -> None:
    """Show a new key, and what the settings are to keep of it."""
    key = new_key()
    sys.stdout.write(
        f"key of {name}, shown this once:\n  {key}\n"
        f'member of LEVY_GATEWAY_API_KEYS:\n  "{name}": "{digest_of(key)}"\n'
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m levy_gateway.keys NAME")
    main(sys.argv[1])
