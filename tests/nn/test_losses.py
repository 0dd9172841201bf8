"""The losses: derivatives, kinks, what does not count, and what is refused, without PyTorch."""

import itertools
import math

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn
from microtensor.autograd import gradcheck, gradgradcheck

RNG = np.random.default_rng(3)


def leaf(*shape, low=-2.0, high=2.0):
    return mt.tensor(RNG.uniform(low, high, shape), requires_grad=True)


LABELS = mt.tensor([0, 3, -100, 1, 2])
LISTS = mt.tensor([[3, 0, -1, 1], [-1, 1, 2, 3], [0, 1, 2, 3]])

CASES = {
    "l1": lambda: (F.l1_loss, leaf(3, 4), leaf(3, 4)),
    "l1 weighted": lambda: (
        lambda x, y, w: F.l1_loss(x, y, weight=w),
        *(leaf(4), leaf(4), leaf(4, low=0.5)),
    ),
    "smooth l1": lambda: (lambda x, y: F.smooth_l1_loss(x, y, beta=0.8), leaf(12), leaf(12)),
    "huber": lambda: (lambda x, y: F.huber_loss(x, y, delta=0.8), leaf(12), leaf(12)),
    "nll": lambda: (lambda x: F.nll_loss(x, LABELS), leaf(5, 4)),
    "nll of images": lambda: (
        lambda x: F.nll_loss(x, mt.tensor([[[0, 2]], [[1, 1]]]), reduction="none"),
        leaf(2, 3, 1, 2),
    ),
    "cross-entropy": lambda: (
        lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.2),
        leaf(5, 4),
    ),
    "cross-entropy of probabilities": lambda: (
        lambda x, t: F.cross_entropy(x, t, label_smoothing=0.2),
        *(leaf(5, 4), leaf(5, 4, low=0.1)),
    ),
    "bce": lambda: (F.binary_cross_entropy, *(leaf(6, low=0.1, high=0.9) for _ in range(2))),
    "bce with logits": lambda: (
        lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, pos_weight=w),
        *(leaf(3, 4), leaf(3, 4, low=0.1, high=0.9), leaf(4, low=0.5)),
    ),
    "kl_div": lambda: (
        lambda x, t: F.kl_div(x, t, reduction="batchmean"),
        *(leaf(3, 4), leaf(3, 4, low=0.1)),
    ),
    "kl_div of logarithms": lambda: (
        lambda x, t: F.kl_div(x, t, reduction="sum", log_target=True),
        *(leaf(3, 4), leaf(3, 4)),
    ),
    "poisson": lambda: (
        lambda x, t: F.poisson_nll_loss(x, t, full=True),
        *(leaf(6), leaf(6, low=1.5, high=4.0)),
    ),
    "gaussian": lambda: (
        lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True),
        *(leaf(3, 4), leaf(3, 4), leaf(3, 1, low=0.3)),
    ),
    "hinge": lambda: (
        lambda x: F.hinge_embedding_loss(x, mt.tensor([1.0, -1.0, -1.0, 1.0])),
        leaf(3, 4),
    ),
    "soft margin": lambda: (F.soft_margin_loss, leaf(3, 4), leaf(3, 4)),
    "multi margin": lambda: (
        lambda x: F.multi_margin_loss(x, mt.tensor([0, 3, 1]), p=2),
        leaf(3, 4),
    ),
    "multi-label margin": lambda: (lambda x: F.multilabel_margin_loss(x, LISTS), leaf(3, 4)),
    "multi-label soft margin": lambda: (F.multilabel_soft_margin_loss, leaf(3, 4), leaf(3, 4)),
    "cosine": lambda: (
        lambda a, b: F.cosine_embedding_loss(a, b, mt.tensor([1.0, -1.0, -1.0]), margin=-0.5),
        *(leaf(3, 4), leaf(3, 4)),
    ),
    "ranking": lambda: (
        lambda a, b: F.margin_ranking_loss(a, b, mt.tensor([1.0, -1.0, -1.0]), margin=0.3),
        *(leaf(3), leaf(3)),
    ),
    "triplet": lambda: (
        lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=3.0, swap=True),
        *(leaf(3, 4), leaf(3, 4), leaf(3, 4)),
    ),
    "triplet with distance": lambda: (
        lambda a, p, n: F.triplet_margin_with_distance_loss(
            a, p, n, margin=3.0, distance_function=lambda u, v: (u - v).square().sum(-1)
        ),
        *(leaf(3, 4), leaf(3, 4), leaf(3, 4)),
    ),
    "ctc": lambda: (
        lambda x: F.ctc_loss(x, mt.tensor([1, 1, 2, 2, 1]), (6, 5, 4), (2, 2, 1)),
        leaf(6, 3, 3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_first_and_second_derivatives(name):
    function, *inputs = CASES[name]()
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


# ---- kinks --------------------------------------------------------------------------------------


def slope(function, x):
    x = mt.tensor(x, dtype=mt.float64, requires_grad=True)
    function(x).sum().backward()
    return x.grad.tolist()


def test_slopes_at_kinks_are_pytorchs():
    zero = mt.zeros(1, dtype=mt.float64)
    assert slope(lambda x: F.l1_loss(x, zero), [0.0]) == [0.0]
    assert slope(lambda x: F.smooth_l1_loss(x, zero, beta=0.0), [0.0]) == [0.0]
    assert slope(lambda x: F.smooth_l1_loss(x, zero, beta=0.5), [0.5]) == [1.0]
    assert slope(lambda x: F.huber_loss(x, zero, delta=0.5), [-0.5]) == [-0.5]
    assert slope(lambda x: F.hinge_embedding_loss(x, zero - 1), [1.0]) == [0.0]
    assert slope(lambda x: F.margin_ranking_loss(x, zero, zero + 1), [0.0]) == [0.0]
    assert slope(lambda x: F.multi_margin_loss(x, mt.tensor([0])), [[1.0, 0.0]]) == [[0.0, 0.0]]


def test_the_curvature_of_rounded_tips_is_that_of_the_square():
    x = mt.zeros(1, dtype=mt.float64, requires_grad=True)
    for loss, expected in ((F.smooth_l1_loss, 4.0), (F.huber_loss, 1.0)):
        options = {"beta": 0.25} if loss is F.smooth_l1_loss else {}
        y = loss(x, mt.zeros(1, dtype=mt.float64), **options)
        (first,) = mt.autograd.grad(y, x, create_graph=True)
        (second,) = mt.autograd.grad(first.sum(), x)
        assert second.tolist() == [expected]


def test_certain_wrong_answers_cost_a_hundred_and_have_a_way_back():
    x = mt.tensor([0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, mt.tensor([1.0, 0.0]), reduction="none")
    assert loss.tolist() == [100.0, 100.0]
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [-1e12, 1e12], rtol=1e-6)


# ---- what does not count ------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [F.nll_loss, F.cross_entropy])
def test_nothing_but_ignored_labels(loss):
    x = mt.zeros(3, 2, requires_grad=True)
    nobody = mt.tensor([-100, -100, -100])
    assert loss(x, nobody, reduction="none").tolist() == [0.0, 0.0, 0.0]
    assert loss(x, nobody, reduction="sum").item() == 0.0
    mean = loss(x, nobody)
    assert math.isnan(mean.item())
    mean.backward()
    assert x.grad.tolist() == [[0.0, 0.0]] * 3


def test_ignored_rows_of_infinities_and_nan():
    x = mt.tensor([[-math.inf, 0.0], [math.nan, 0.0], [-1.0, -2.0]], requires_grad=True)
    loss = F.nll_loss(x, mt.tensor([-100, -100, 1]))
    loss.backward()
    assert loss.item() == 2.0
    assert x.grad.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.0, -1.0]]


def test_nan_stays_nan():
    bad, good = mt.tensor([math.nan]), mt.tensor([1.0])
    for loss in (F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.soft_margin_loss):
        assert math.isnan(loss(bad, good).item())
    assert math.isnan(F.hinge_embedding_loss(bad, -good).item())


def test_empty_batches():
    none, labels = mt.zeros(0, 3), mt.zeros(0, dtype=mt.int64)
    for loss in (F.l1_loss, F.huber_loss, F.binary_cross_entropy, F.multilabel_soft_margin_loss):
        assert loss(none, none, reduction="sum").item() == 0.0
        assert math.isnan(loss(none, none).item())
    for loss in (F.nll_loss, F.cross_entropy, F.multi_margin_loss):
        assert loss(none, labels, reduction="sum").item() == 0.0
        assert math.isnan(loss(none, labels).item())


# ---- connectionist temporal classification ------------------------------------------------------


def by_counting(probabilities, labels, blank):
    """Give minus the logarithm of the sum over all alignments, one by one."""
    frames, classes = probabilities.shape
    total = 0.0
    for way in itertools.product(range(classes), repeat=frames):
        merged = [c for c, _ in itertools.groupby(way) if c != blank]
        if merged == labels:
            total += math.prod(probabilities[t, c] for t, c in enumerate(way))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 1, 1], [1, 3, 1]])
def test_ctc_counts_all_alignments(labels, blank):
    p = RNG.dirichlet(np.ones(4), 5)
    found = F.ctc_loss(
        mt.tensor(np.log(p)),
        mt.tensor(labels, dtype=mt.int64),
        (4,),
        (len(labels),),
        blank,
        reduction="sum",
    )
    assert found.item() == pytest.approx(by_counting(p[:4], labels, blank), rel=1e-12)


def test_ctc_without_an_alignment_or_frames():
    x = mt.zeros(2, 1, 3, requires_grad=True)
    arguments = (mt.tensor([[1, 1]]), (2,), (2,))
    assert F.ctc_loss(x, *arguments).item() == math.inf
    loss = F.ctc_loss(x, *arguments, zero_infinity=True)
    loss.backward()
    assert loss.item() == 0.0
    assert not x.grad.numpy().any()
    assert F.ctc_loss(x, mt.tensor([[1]]), (0,), (0,)).item() == 0.0


def test_ctc_of_long_sequences_in_float32():
    x = mt.tensor(RNG.normal(size=(400, 2, 20)), requires_grad=True)
    labels = mt.tensor(RNG.integers(1, 20, (2, 60)))
    wide = F.ctc_loss(F.log_softmax(x, 2), labels, (400, 380), (60, 50))
    (expected,) = mt.autograd.grad(wide, x)
    narrow = x.detach().float().requires_grad_()
    loss = F.ctc_loss(F.log_softmax(narrow, 2), labels, (400, 380), (60, 50))
    loss.backward()
    assert loss.item() == pytest.approx(wide.item(), rel=1e-6)
    np.testing.assert_allclose(narrow.grad.numpy(), expected.numpy(), atol=2e-7)


def test_ctc_has_no_third_derivative():
    x = leaf(3, 1, 3)
    y = F.ctc_loss(x, mt.tensor([[1]]), (3,), (1,))
    (first,) = mt.autograd.grad(y, x, create_graph=True)
    (second,) = mt.autograd.grad(first.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"ctc_loss.*third derivative"):
        second.square().sum().backward()


def test_ctc_refuses_what_does_not_fit():
    x, labels = mt.zeros(4, 2, 3), mt.tensor([[1, 2], [2, 1]])

    def refused(error, words, *arguments, **options):
        with pytest.raises(error, match=words):
            F.ctc_loss(*arguments, **options)

    refused(RuntimeError, r"\(T, N, C\).*\[3\]", mt.zeros(3), labels, (4,), (2,))
    refused(RuntimeError, r"at most 4.*5", x, labels, (4, 5), (2, 2))
    refused(RuntimeError, r"input_lengths.*\(2\), got 1", x, labels, (4,), (2, 2))
    refused(RuntimeError, r"target_lengths.*negative.*-1", x, labels, (4, 4), (2, -1))
    refused(RuntimeError, r"at least 3.*\[2, 2\]", x, labels, (4, 4), (2, 3))
    refused(RuntimeError, r"\(2, S\).*\(3,\).*\[4\]", x, labels.reshape(4), (4, 4), (2, 1))
    refused(RuntimeError, r"\[0, 3\).*3", x, labels, (4, 4), (2, 2), blank=3)
    refused(RuntimeError, "integral.*float32", x, labels.float(), (4, 4), (2, 2))
    refused(RuntimeError, "floating.*int64", x.long(), labels, (4, 4), (2, 2))
    refused(IndexError, "target 3 .*3 classes", x, labels + 1, (4, 4), (2, 2))


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss])
def test_targets_of_other_shapes_are_broadcast_with_a_warning_on_the_users_line(loss):
    x, y = mt.randn(3, 1, requires_grad=True), mt.randn(3)
    with pytest.warns(UserWarning, match=r"target's shape \[3\].*input's \[3, 1\]") as caught:
        found = loss(x, y)
    assert caught[0].filename == __file__
    assert found.item() == loss(x.expand(3, 3), y.expand(3, 3)).item()
    found.backward()
    assert x.grad.shape == (3, 1)
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match=r"\[3\] and \[2\]"):
        loss(mt.zeros(3), mt.zeros(2))


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss])
def test_weights_of_other_shapes_are_refused(loss):
    with pytest.raises(ValueError, match=r"weight must have the input's shape \[3, 2\], got \[2\]"):
        loss(mt.zeros(3, 2), mt.zeros(3, 2), weight=mt.ones(2))


def test_messages_name_shapes_and_what_is_legal():
    def refused(error, words, function, *arguments, **options):
        with pytest.raises(error, match=words):
            function(*arguments, **options)

    x = mt.zeros(3, 4)
    refused(RuntimeError, "beta.*-1", F.smooth_l1_loss, x, x, beta=-1)
    refused(RuntimeError, "delta.*0", F.huber_loss, x, x, delta=0)
    refused(RuntimeError, "between 0 and 1.*1.5", F.binary_cross_entropy, x + 1.5, x)
    refused(RuntimeError, "int64", F.binary_cross_entropy, x, x.long())
    refused(RuntimeError, "float32.*float64", F.binary_cross_entropy, x, x.double())
    refused(ValueError, "negative.*-1", F.gaussian_nll_loss, x, x, x - 1)
    refused(ValueError, r"\[2\].*\[3, 4\]", F.gaussian_nll_loss, x, x, mt.ones(2))
    labels = mt.tensor([0, 1, 4])
    refused(RuntimeError, "target 4 .*4 classes", F.multi_margin_loss, x, labels)
    refused(IndexError, "target 4 .*row 2.*4 classes", F.nll_loss, x, labels)
    refused(RuntimeError, r"\[3, 4\].*\[2\]", F.multi_margin_loss, x, labels[:2])
    refused(ValueError, "p == 1 and p == 2.*3", F.multi_margin_loss, x, labels, p=3)
    refused(RuntimeError, r"\[3, 4\].*\[3\]", F.multilabel_margin_loss, x, labels)
    refused(RuntimeError, r"\[3\].*\[3, 4\]", F.cosine_embedding_loss, x, x[0], mt.ones(3))
    refused(RuntimeError, r"\[3\].*\[3, 4\]", F.margin_ranking_loss, x[:, 0], x, x)
    refused(ValueError, "margin.*0", F.triplet_margin_loss, x, x, x, margin=0)
    refused(RuntimeError, "2D.*1D", F.triplet_margin_loss, x, x[0], x)
    refused(TypeError, "target.*ndarray.*from_numpy", F.l1_loss, x, np.zeros((3, 4)))
    refused(ValueError, "'average'", F.kl_div, x, x, reduction="average")


def test_modules_refuse_unknown_reductions_and_take_batchmean_where_it_is_legal():
    with pytest.raises(ValueError, match=r"HuberLoss: .*'none', 'mean' or 'sum'.*'batchmean'"):
        nn.HuberLoss(reduction="batchmean")
    with pytest.raises(ValueError, match=r"KLDivLoss: .*'batchmean'"):
        nn.KLDivLoss(reduction="average")
    assert nn.KLDivLoss(reduction="batchmean").reduction == "batchmean"
    with pytest.raises(ValueError, match=r"TripletMarginLoss.*-1"):
        nn.TripletMarginLoss(margin=-1.0)


def test_a_triplets_distance_is_a_module_in_it_unless_given():
    assert repr(nn.TripletMarginWithDistanceLoss()) == (
        "TripletMarginWithDistanceLoss(\n  (distance_function): PairwiseDistance()\n)"
    )


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 5)])
def test_labels_may_be_bytes(loss, shape):
    x = mt.randn(*shape, requires_grad=True)
    rows = shape[:1] + shape[2:]
    labels = (mt.arange(math.prod(rows)) % 3).reshape(rows)
    wanted = loss(x, labels, ignore_index=2)
    assert loss(x, labels.to(mt.uint8), ignore_index=2) == wanted
    with pytest.raises(RuntimeError, match="int64 or uint8, but target is int32"):
        loss(x, labels.int())
