"""Every loss beside PyTorch's: values and gradients, as functions and as modules."""

import inspect
import warnings

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
normal = RNG.normal


def signs(*shape):
    return np.sign(normal(size=shape))


def between(*shape):
    return RNG.uniform(0.05, 0.95, shape)


def labels(classes, *shape):
    return RNG.integers(0, classes, shape)


def log_probabilities(*shape, dim=-1):
    x = normal(size=shape)
    return x - np.log(np.exp(x).sum(dim, keepdims=True))


class Scores:
    """What a log_softmax makes log-probabilities of."""

    def __init__(self, *shape):
        self.x = normal(size=shape)


class Constant:
    """An argument whose gradient is not asked for."""

    def __init__(self, x):
        self.x = np.asarray(x, np.float64)


CASES = []


def case(name, *arguments, **options):
    CASES.append((name, arguments, options))


for reduction in ("none", "mean", "sum"):
    of = {"reduction": reduction}
    x, y, w = normal(size=(3, 4)), normal(size=(3, 4)), between(4)
    case("l1_loss", x, y, **of)
    case("l1_loss", x, y, weight=between(3, 4), **of)
    case("mse_loss", x, y, weight=between(3, 4), **of)
    case("smooth_l1_loss", x, y, beta=0.5, **of)
    case("smooth_l1_loss", x, y, beta=0.0, **of)
    case("huber_loss", x, y, delta=0.7, **of)
    case("huber_loss", x, y, weight=between(3, 4), **of)
    some = np.array([0, -100, 2, 3, 1])
    case("nll_loss", log_probabilities(5, 4), some, weight=w, **of)
    case("nll_loss", log_probabilities(5, 4), np.full(5, -100), **of)
    case("nll_loss", log_probabilities(4), np.array(2), **of)
    case("nll_loss", normal(size=(2, 4, 3, 2)), labels(4, 2, 3, 2), ignore_index=1, **of)
    case("nll_loss", normal(size=(0, 4)), labels(4, 0), **of)
    case(
        *("cross_entropy", normal(size=(2, 4, 3, 2)), labels(4, 2, 3, 2)),
        **{"weight": w, "ignore_index": 1, "label_smoothing": 0.1, **of},
    )
    case("cross_entropy", normal(size=(5, 4)), np.full(5, -100), **of)
    case(
        "cross_entropy",
        normal(size=(2, 4, 3)),
        between(2, 4, 3),
        weight=w,
        label_smoothing=0.1,
        **of,
    )
    case("binary_cross_entropy", between(3, 4), between(3, 4), weight=w, **of)
    certain = np.array([0.0, 1.0, 0.0, 1.0, 0.5])
    case("binary_cross_entropy", Constant(certain), Constant([0.0, 1.0, 1.0, 0.0, 1.0]), **of)
    case(
        *("binary_cross_entropy_with_logits", x, between(3, 4)),
        **{"weight": w, "pos_weight": between(4), **of},
    )
    case("kl_div", log_probabilities(3, 4), between(3, 4), **of)
    case("kl_div", log_probabilities(3, 4), log_probabilities(3, 4), log_target=True, **of)
    counts = Constant(labels(5, 3, 4))
    case("poisson_nll_loss", x, counts, **of)
    case("poisson_nll_loss", between(3, 4), counts, log_input=False, full=True, **of)
    case("gaussian_nll_loss", x, y, between(3, 4), **of)
    case("gaussian_nll_loss", x, y, between(3, 1), full=True, **of)
    case("gaussian_nll_loss", x, y, np.array([0.0, 0.5, 1.0]), **of)
    case("gaussian_nll_loss", x, y, 0.5, **of)
    case("hinge_embedding_loss", x, Constant(signs(3, 4)), margin=0.5, **of)
    case("hinge_embedding_loss", x, Constant(np.zeros((3, 4))), **of)
    case("soft_margin_loss", x * 9, Constant(signs(3, 4)), **of)
    for p in (1, 2):
        scores = normal(size=(5, 4))
        case("multi_margin_loss", scores, labels(4, 5), p=p, margin=0.7, weight=w, **of)
    case("multi_margin_loss", normal(size=4), labels(4, 1), **of)
    lists = np.array([[3, 0, -1, 1], [-1, 1, 2, 3], [0, 1, 2, 3]])
    case("multilabel_margin_loss", x, lists, **of)
    case("multilabel_margin_loss", normal(size=4), np.array([3, 3, -1, 1]), **of)
    truths = Constant(between(3, 4) > 0.5)
    case("multilabel_soft_margin_loss", x, truths, weight=w, **of)
    a, b, c = (normal(size=(5, 3)) for _ in range(3))
    case("cosine_embedding_loss", a, b, Constant(signs(5)), margin=0.1, **of)
    case("cosine_embedding_loss", a[0], b[0], Constant(-1.0), margin=-0.5, **of)
    case("margin_ranking_loss", a, b, Constant(signs(5, 3)), margin=0.3, **of)
    case("triplet_margin_loss", a, b, c, margin=2.0, p=3, swap=True, **of)
    case("triplet_margin_loss", a, b, c, **of)
    case("triplet_margin_with_distance_loss", a, b, c, swap=True, **of)
    several = np.array([[1, 2, 2], [3, 3, 1], [2, 1, 1]])
    case("ctc_loss", Scores(6, 3, 4), several, (6, 5, 4), (3, 2, 1), **of)
    joined = np.array([1, 2, 2, 3, 3, 3, 3])
    for zero in (True, False):
        case(
            *("ctc_loss", Scores(6, 3, 4), joined, (6, 5, 1), (3, 3, 1)),
            **{"zero_infinity": zero, **of},
        )
        case(
            *("ctc_loss", Scores(6, 3, 4), joined[:6], (6, 5, 4), (3, 3, 0)),
            **{"zero_infinity": zero, **of},
        )
    case("ctc_loss", Scores(6, 4), np.array([1, 2, 0]), (6,), (3,), blank=3, **of)
case("kl_div", log_probabilities(3, 4), between(3, 4), reduction="batchmean")


def made(library, value, functional):
    """Give an argument as the library's tensor, and the leaf whose gradient is asked for."""
    if isinstance(value, Scores):
        leaf = library.tensor(value.x.tolist(), dtype=library.float64, requires_grad=True)
        return functional.log_softmax(leaf, -1), leaf
    if isinstance(value, Constant):
        return library.tensor(value.x.tolist(), dtype=library.float64), None
    if not isinstance(value, np.ndarray):
        return value, None
    if value.dtype.kind == "i":
        tensor = library.tensor(value.tolist(), dtype=library.int64)
        return tensor.reshape(value.shape), None
    leaf = library.tensor(value.tolist(), dtype=library.float64).reshape(value.shape)
    return leaf.requires_grad_(), leaf


def outcome(library, functional, name, arguments, options):
    """Give the loss and its gradients along a direction, as arrays."""
    pairs = [made(library, value, functional) for value in arguments]
    given = {
        key: library.tensor(value.tolist(), dtype=library.float64)
        if isinstance(value, np.ndarray)
        else value
        for key, value in options.items()
    }
    leaves = [leaf for _, leaf in pairs if leaf is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = getattr(functional, name)(*(value for value, _ in pairs), **given)
    if not leaves:
        return [y.numpy()]
    weights = np.cos(np.arange(y.numel())).reshape(tuple(y.shape))
    direction = library.tensor(weights.tolist(), dtype=library.float64).reshape(tuple(y.shape))
    gradients = library.autograd.grad((y * direction).sum(), leaves)
    return [y.detach().numpy(), *(g.numpy() for g in gradients)]


@pytest.mark.parametrize(
    "place", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{CASES[i][2]['reduction']}-{i}"
)
def test_values_and_gradients_are_pytorchs(place):
    theirs = outcome(torch, torch.nn.functional, *CASES[place])
    ours = outcome(mt, F, *CASES[place])
    for expected, found in zip(theirs, ours, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


MODULES = {
    "L1Loss": {},
    "SmoothL1Loss": {"beta": 0.5},
    "HuberLoss": {"delta": 0.5},
    "BCELoss": {},
    "KLDivLoss": {"reduction": "batchmean"},
    "PoissonNLLLoss": {"full": True},
    "GaussianNLLLoss": {},
    "HingeEmbeddingLoss": {"margin": 0.5},
    "SoftMarginLoss": {},
    "MultiMarginLoss": {"p": 2},
    "MultiLabelMarginLoss": {},
    "MultiLabelSoftMarginLoss": {},
    "CosineEmbeddingLoss": {"margin": 0.2},
    "MarginRankingLoss": {"margin": 0.2},
    "TripletMarginLoss": {"swap": True},
    "TripletMarginWithDistanceLoss": {"swap": True},
    "CTCLoss": {"blank": 2},
    "CrossEntropyLoss": {"label_smoothing": 0.1},
    "NLLLoss": {"ignore_index": 1},
    "MSELoss": {},
    "BCEWithLogitsLoss": {},
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_called_named_and_printed_as_pytorchs(name):
    theirs, ours = getattr(torch.nn, name), getattr(mt.nn, name)
    expected, found = (
        [(p.name, p.default, p.kind) for p in inspect.signature(kind).parameters.values()]
        for kind in (theirs, ours)
    )
    assert found == expected
    options = MODULES[name]
    there, here = theirs(**options), ours(**options)
    if name != "TripletMarginWithDistanceLoss":  # PyTorch's has a module for the distance
        assert repr(here) == repr(there)
    assert list(here.state_dict()) == list(there.state_dict())
    for key in options:
        assert getattr(here, key) == getattr(there, key)


@pytest.mark.parametrize("size_average", [None, True, False])
@pytest.mark.parametrize("reduce", [None, True, False])
def test_the_old_names_of_reductions_mean_what_they_did(size_average, reduce):
    if size_average is reduce is None:
        return
    old = {"size_average": size_average, "reduce": reduce}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = torch.nn.functional.l1_loss(torch.ones(3), torch.zeros(3), **old)
    with pytest.warns(FutureWarning, match="reduction="):
        assert F.l1_loss(mt.ones(3), mt.zeros(3), **old).tolist() == expected.tolist()
    with pytest.warns(FutureWarning, match="L1Loss.*reduction="):
        assert mt.nn.L1Loss(**old)(mt.ones(3), mt.zeros(3)).tolist() == expected.tolist()
