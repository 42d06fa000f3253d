"""Softmax, log-sum-exp and cross-entropy: exported from the cells of the sxlit book.

Every function is derived, tested and bounded in a chapter of the book: `sxlit.bounds`
says what error each may have, and `sxlit.textbook` holds the naive forms.
"""

from . import bounds, linear_model, textbook
from .binary import binary_cross_entropy, binary_cross_entropy_grad
from .divergence import cross_entropy_of, kl_divergence, kl_divergence_from_logits
from .information import entropy, entropy_from_logits, huffman_code, self_information
from .jacobian import (
    log_softmax_jvp,
    log_softmax_vjp,
    logsumexp_jvp,
    logsumexp_vjp,
    softmax_jacobian,
    softmax_jvp,
    softmax_vjp,
)
from .logistic import (
    log_sigmoid,
    log_sigmoid_jvp,
    log_sigmoid_vjp,
    sigmoid,
    sigmoid_jvp,
    sigmoid_vjp,
)
from .loss import cross_entropy, cross_entropy_grad, cross_entropy_hvp
from .lse import log_softmax, logsumexp
from .simplex import softmax

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
    "bounds",
    "cross_entropy",
    "cross_entropy_grad",
    "cross_entropy_hvp",
    "cross_entropy_of",
    "entropy",
    "entropy_from_logits",
    "huffman_code",
    "kl_divergence",
    "kl_divergence_from_logits",
    "linear_model",
    "log_sigmoid",
    "log_sigmoid_jvp",
    "log_sigmoid_vjp",
    "log_softmax",
    "log_softmax_jvp",
    "log_softmax_vjp",
    "logsumexp",
    "logsumexp_jvp",
    "logsumexp_vjp",
    "self_information",
    "sigmoid",
    "sigmoid_jvp",
    "sigmoid_vjp",
    "softmax",
    "softmax_jacobian",
    "softmax_jvp",
    "softmax_vjp",
    "textbook",
]
