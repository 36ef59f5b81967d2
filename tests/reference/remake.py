"""Recompute the golden prices of this folder: python -m tests.reference.remake [NAME …].

Every price is an integral in mpmath of the textbook's exponent along a tilted contour, at 60
digits. If the model is a mixture of Black-Scholes prices (a gamma clock, an inverse Gaussian clock,
a Poisson number of normal jumps), the price of the mixture is stored, and the contour integral must
agree with it to 20 digits. Takes some minutes.
"""

import re
import sys
from typing import Any

import mpmath as mp

from tests.reference.textbook import Textbook, textbooks

DIGITS = 25
AGREEMENT = mp.mpf("1e-20")


def main(names: list[str]) -> None:
    mp.mp.dps = 60
    for name, book in textbooks().items():
        if not names or name in names:
            remake(book)


def remake(book: Textbook) -> None:
    text = book.path.read_text()
    for number, each in enumerate(book.content["set"]):
        print(book.model, each["why"], flush=True)  # noqa: T201, minutes pass
        rows = [
            [golden(book, each["parameters"], t, k) for k in each["strike"]]
            for t in each["maturity_years"]
        ]
        text = with_golden(text, number, rows)
    book.path.write_text(text)


def with_golden(text: str, number: int, rows: list[list[Any]]) -> str:
    shown = [", ".join(mp.nstr(price, DIGITS, min_fixed=-6) for price in row) for row in rows]
    block = "golden = [\n" + "".join(f"  [{row}],\n" for row in shown) + "]"
    found = list(re.finditer(r"^golden = \[(\]|\n.*?^\])", text, re.MULTILINE | re.DOTALL))[number]
    return text[: found.start()] + block + text[found.end() :]


def golden(book: Textbook, parameters: dict[str, float], t: float, k: float) -> Any:
    """Return the price of the out-of-the-money option on a forward of one."""
    by_contour = contour_price(book, parameters, mp.mpf(t), mp.mpf(k))
    mixture = MIXTURES.get(book.model)
    if mixture is None:
        return by_contour
    exact = {name: mp.mpf(value) for name, value in parameters.items()}
    by_mixture = mixture(book, exact, mp.mpf(t), mp.mpf(k))
    if not abs(by_mixture - by_contour) < AGREEMENT:
        raise ArithmeticError(f"{book.model} {parameters} {t} {k}: {by_mixture} {by_contour}")
    return by_mixture


def drift(book: Textbook, parameters: dict[str, Any], t: Any) -> Any:
    return -t * mp.re(book.exponent(mp.mpc(0, -1), parameters))


def contour_price(book: Textbook, parameters: dict[str, Any], t: Any, k: Any) -> Any:
    """min(1, K) − E[min(S, K)] along a ray from −i/2, tilted to where exp(iξx) decays.

    The ray is r = sinh(y)/2 in pieces of y, each by Gauss-Legendre quadrature; shorter ones
    where the ray does not lean, so that each holds few oscillations.
    """
    x = drift(book, parameters, t) - mp.log(k)
    angle = tilt(book.model)
    direction = mp.expj(angle * (1 if x >= 0 else -1))

    def integrand(y: Any) -> Any:
        xi = mp.mpc(0, -0.5) + direction * mp.sinh(y) / 2
        exponent = mp.mpc(0, 1) * xi * x + t * book.exponent(xi, parameters)
        return mp.re(mp.exp(exponent) * direction * mp.cosh(y) / (2 * xi * (xi + mp.mpc(0, 1))))

    total, start = mp.mpf(0), mp.mpf(0)
    while True:
        step = mp.mpf(1) if angle else min(mp.mpf(1), 40 / ((1 + abs(x)) * mp.cosh(start)))
        piece = mp.quad(integrand, [start, start + step], method="gauss-legendre", maxdegree=8)
        total, start = total + piece, start + step
        if abs(integrand(start)) < mp.mpf("1e-58") and abs(piece) < mp.mpf("1e-56"):
            return min(mp.mpf(1), k) - k * total / mp.pi


def tilt(model: str) -> Any:
    """A normal jump of mean μ and deviation s grows like exp(μ² tan²(tilt)/(2s²)) when tilted."""
    return mp.mpf(0) if model == "Merton" else mp.pi / 8


def black(forward: Any, k: Any, variance: Any) -> Any:
    """E[(S − K)⁺] for K ≥ 1 and E[(K − S)⁺] below, S lognormal about `forward`."""
    root = mp.sqrt(variance)
    d1 = mp.log(forward / k) / root + root / 2
    side = 1 if k >= 1 else -1
    return side * (forward * normal(side * d1) - k * normal(side * (d1 - root)))


def normal(d: Any) -> Any:
    return mp.erfc(-d / mp.sqrt(2)) / 2


def gamma_mixture(book: Textbook, p: dict[str, Any], t: Any, k: Any) -> Any:
    """Integrate over the clock g, gamma with shape t/ν and scale ν, in s = log(g/ν)."""
    shape, omega = t / p["nu"], drift(book, p, t)

    def integrand(s: Any) -> Any:
        clock = p["nu"] * mp.exp(s)
        forward = mp.exp(omega + (p["theta"] + p["sigma"] ** 2 / 2) * clock)
        weight = mp.exp(shape * s - mp.exp(s)) / mp.gamma(shape)
        return weight * black(forward, k, p["sigma"] ** 2 * clock)

    # Below exp(low) the option is worth its intrinsic value to the stored precision.
    low = mp.mpf(-160)
    stopped = max((mp.exp(omega) - k) * (1 if k >= 1 else -1), 0)
    rest = stopped * mp.exp(shape * low) / mp.gamma(shape + 1)
    decay = 1 - p["nu"] * max(p["theta"] + p["sigma"] ** 2 / 2, 0)
    return rest + over_logarithm(integrand, low, mp.log((200 + 4 * shape) / decay))


def inverse_gaussian_mixture(book: Textbook, p: dict[str, Any], t: Any, k: Any) -> Any:
    """Integrate over the clock, inverse Gaussian of mean δt/γ and shape (δt)², in its logarithm."""
    scale, omega = p["delta"] * t, drift(book, p, t)
    gamma = mp.sqrt(p["alpha"] ** 2 - p["beta"] ** 2)

    def integrand(s: Any) -> Any:
        clock = mp.exp(s)
        forward = mp.exp(omega + (p["beta"] + mp.mpf(1) / 2) * clock)
        exponent = scale * gamma - (scale**2 / clock + gamma**2 * clock) / 2 - s / 2
        return scale / mp.sqrt(2 * mp.pi) * mp.exp(exponent) * black(forward, k, clock)

    # Beyond either end the density, times the forward given the clock, is below exp(−150).
    decay = min(gamma**2, p["alpha"] ** 2 - (p["beta"] + 1) ** 2)
    low, high = mp.log(scale**2 / 400), mp.log((400 + 2 * scale * gamma) / decay)
    return over_logarithm(integrand, low, high)


def over_logarithm(integrand: Any, low: Any, high: Any) -> Any:
    """Return long intervals far below the mode and short ones elsewhere."""
    middle = max(low, high - 14)
    coarse = mp.linspace(low, middle, max(int(mp.ceil(2 * (middle - low))), 1) + 1)
    fine = mp.linspace(middle, high, int(mp.ceil(10 * (high - middle))) + 1)
    return mp.quad(integrand, coarse[:-1] + fine, method="gauss-legendre")


def poisson_mixture(book: Textbook, p: dict[str, Any], t: Any, k: Any) -> Any:
    """Sum over the number of jumps: Merton (1976), eq. (19)."""
    omega, mean = drift(book, p, t), p["lam"] * t

    def term(n: Any) -> Any:
        variance = p["sigma"] ** 2 * t + n * p["sigma_j"] ** 2
        forward = mp.exp(omega + n * p["mu_j"] + variance / 2)
        return mp.exp(-mean) * mean**n / mp.factorial(n) * black(forward, k, variance)

    return mp.fsum(term(mp.mpf(n)) for n in range(200))


def black_scholes(book: Textbook, p: dict[str, Any], t: Any, k: Any) -> Any:
    return black(mp.mpf(1), k, p["sigma"] ** 2 * t)


MIXTURES = {
    "BlackScholes": black_scholes,
    "VarianceGamma": gamma_mixture,
    "NIG": inverse_gaussian_mixture,
    "Merton": poisson_mixture,
}

if __name__ == "__main__":
    main(sys.argv[1:])
