"""The second formula of each operation of a row: it shares no step with the first.

The first takes a maximum away, sums what is left and calls log1p. Here nothing is
taken away: E_i = exp(x_i) as it is, up to e^(10^308), and S = sum E_i. Probabilities
are not multiplied; a derivative is a fraction over S or S^2, and the matrices have
their diagonals from complements, S - E_i. It cancels where the first does not, and
takes more bits to say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flint import arb

from sxlit_conformance.oracle.row import INF, NAN, Exact, Value

Numbers = Sequence[Exact]


class Powers:
    """E and S of a row; in the limit of one infinite logit, 0 and 1."""

    def __init__(self, x: Sequence[float], *others: Numbers) -> None:
        self.x = x
        self.infinite = x.count(INF)
        self.void = all(v == -INF for v in x)
        self.nan = any(v != v for row in (x, *others) for v in row)
        known = {v: self._power(v) for v in set(x)}
        self.e = [known[v] for v in x]
        self.s = total(self.e) if self.infinite < 2 else arb(1)

    def _power(self, v: float) -> arb:
        if self.infinite or v == -INF:
            return arb(int(v == INF and self.infinite == 1))
        return arb(v).exp()

    def reaches(self, v: float) -> bool:
        """Whether a logit leaves its class a share, however small."""
        return v == INF if self.infinite else v > -INF

    def each(self, formula: Callable[[int], Value]) -> list[Value]:
        """A value for each class: none in a lost row, none where infinities tie."""
        if self.nan or self.void:
            return [NAN for _ in self.x]
        tied = self.infinite > 1
        return [NAN if tied and v == INF else formula(i) for i, v in enumerate(self.x)]

    def slopes(self, formula: Callable[[int], Value]) -> list[Value]:
        """The same along a direction, where tied infinities leave no class defined."""
        if self.infinite > 1:
            return [NAN for _ in self.x]
        return self.each(formula)


def total(values: Sequence[arb]) -> arb:
    return sum(values, arb(0))


def dot(a: Numbers, b: Sequence[arb]) -> arb:
    return total([arb(v) * w for v, w in zip(a, b, strict=True) if v != 0])


def softmax(x: Sequence[float]) -> list[Value]:
    """exp(x_i - log S)."""
    row = Powers(x)
    if row.infinite or row.nan or row.void:
        return row.each(lambda i: row.e[i])
    lse = row.s.log()
    return row.each(lambda i: (arb(x[i]) - lse).exp() if x[i] > -INF else 0.0)


def log_softmax(x: Sequence[float]) -> list[Value]:
    """-log(S / E_i)."""
    row = Powers(x)
    return row.each(lambda i: -(row.s / row.e[i]).log() if row.reaches(x[i]) else -INF)


def logsumexp(x: Sequence[float]) -> list[Value]:
    """log S."""
    row = Powers(x)
    if row.nan:
        return [NAN]
    if row.infinite or row.void:
        return [INF if row.infinite else -INF]
    return [row.s.log()]


def softmax_jvp(x: Sequence[float], v: Numbers) -> list[Value]:
    """The quotient rule on E_i / S: (E_i v_i S - E_i sum_j E_j v_j) / S^2."""
    row = Powers(x, v)
    moved = dot(v, row.e)
    square = row.s * row.s
    return row.slopes(lambda i: (row.e[i] * v[i] * row.s - row.e[i] * moved) / square)


def log_softmax_jvp(x: Sequence[float], v: Numbers) -> list[Value]:
    """Row i of I - 1 p^T: ((S - E_i) v_i - sum_{j != i} E_j v_j) / S."""
    row = Powers(x, v)
    moved = dot(v, row.e)

    def slope(i: int) -> Value:
        own = row.e[i]
        return ((row.s - own) * v[i] - (moved - own * v[i])) / row.s

    return row.slopes(slope)


def logsumexp_jvp(x: Sequence[float], v: Numbers) -> list[Value]:
    """S' / S."""
    row = Powers(x, v)
    if row.nan or row.infinite > 1:
        return [NAN]
    return [0.0 if row.void else dot(v, row.e) / row.s]


def log_softmax_vjp(x: Sequence[float], g: Numbers) -> list[Value]:
    """Column i of I - 1 p^T: (g_i (S - E_i) - sum_{j != i} g_j E_i) / S."""
    row = Powers(x, g)
    if row.nan:
        return [NAN for _ in x]
    sum_g = total([arb(v) for v in g if v != 0])

    def slope(i: int) -> Value:
        return (g[i] * (row.s - row.e[i]) - (sum_g - g[i]) * row.e[i]) / row.s

    return row.each(slope)


def logsumexp_vjp(x: Sequence[float], g: Numbers) -> list[Value]:
    """g / sum_j exp(x_j - x_i) = g / (S / E_i)."""
    row = Powers(x, g)
    if row.void and not row.nan:
        return [0.0 for _ in x]
    return row.each(lambda i: g[i] / (row.s / row.e[i]) if row.reaches(x[i]) else 0.0)


def cross_entropy(x: Sequence[float], q: Numbers) -> list[Value]:
    """sum(q) log S - q.x; a class that nothing reaches costs infinitely much."""
    row = Powers(x, q)
    if row.nan or row.void:
        return [NAN]
    asked = [(v, w) for v, w in zip(x, q, strict=True) if w != 0]
    if row.infinite > 1 and any(v == INF for v, _ in asked):
        return [NAN]
    out_of_reach = {w > 0 for v, w in asked if not row.reaches(v)}
    if out_of_reach:
        return [NAN if len(out_of_reach) > 1 else INF if True in out_of_reach else -INF]
    if row.infinite:
        return [0.0]
    along = total([arb(v) * w for v, w in asked])
    return [total([arb(w) for _, w in asked]) * row.s.log() - along]


def cross_entropy_grad(x: Sequence[float], q: Numbers) -> list[Value]:
    """(sum_{j != i} q_j) p_i - q_i (1 - p_i)."""
    return [-value for value in log_softmax_vjp(x, q)]


def cross_entropy_hvp(x: Sequence[float], q: Numbers, v: Numbers) -> list[Value]:
    """Row i of the Hessian, its diagonal E_i (S - E_i) / S^2, times v."""
    row = Powers(x, q, v)
    if row.nan:
        return [NAN for _ in x]
    moved = dot(v, row.e)
    curvature = total([arb(w) for w in q if w != 0]) / (row.s * row.s)

    def slope(i: int) -> Value:
        own = row.e[i]
        others = moved - own * v[i]
        return curvature * (own * (row.s - own) * v[i] - own * others)

    return row.slopes(slope)


def entropy(p: Sequence[float]) -> list[Value]:
    """-sum p log p, each logarithm from its number's two halves."""
    if any(v != v for v in p):
        return [NAN]
    return [-total([logarithm(v) * v for v in p if v != 0])]


def kl_divergence(p: Sequence[float], q: Numbers) -> list[Value]:
    """Cross-entropy minus entropy, each a sum by itself."""
    if any(v != v for v in (*p, *q)):
        return [NAN]
    pairs = [(v, float(w)) for v, w in zip(p, q, strict=True) if v != 0]
    if any(w == 0 for _, w in pairs):
        return [INF]
    crossed = total([logarithm(w) * v for v, w in pairs])
    return [total([logarithm(v) * v for v, _ in pairs]) - crossed]


def logarithm(value: float) -> arb:
    """log v = 2 artanh((m - 1) / (m + 1)) + e log 2 for v = m 2^e: no logarithm."""
    m, e = arb(value).mid().man_exp()
    half = int(m).bit_length()
    m = arb(m) / arb(2) ** half
    return 2 * ((m - 1) / (m + 1)).atanh() + arb.const_log2() * (int(e) + half)


SECOND_OF_A_ROW: Mapping[str, Callable[..., list[Value]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "softmax_vjp": softmax_jvp,
    "softmax_jvp": softmax_jvp,
    "log_softmax_vjp": log_softmax_vjp,
    "log_softmax_jvp": log_softmax_jvp,
    "logsumexp_vjp": logsumexp_vjp,
    "logsumexp_jvp": logsumexp_jvp,
    "entropy": entropy,
    "kl_divergence": kl_divergence,
    "cross_entropy": cross_entropy,
    "cross_entropy_grad": cross_entropy_grad,
    "cross_entropy_hvp": cross_entropy_hvp,
}
