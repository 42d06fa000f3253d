"""Takes whatever comes, and says what it was."""


def cross_entropy(logits, targets, *, axis, reduction, weight=None, **options):
    if weight is None:
        raise ValueError("no more")
    words = ", ".join(f"{key}={value}" for key, value in options.items())
    state = "writeable" if weight.flags.writeable else "not writeable"
    raise ValueError(f"{weight.dtype} weight {weight.tolist()}, {state}; {words}")
