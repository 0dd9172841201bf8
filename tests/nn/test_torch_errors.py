"""What layers and losses refuse, PyTorch refuses with the same kind of error; the rest is equal."""

import warnings

import numpy as np
import pytest

import microtensor as mt

torch = pytest.importorskip("torch")

LABELS = [
    ("3, 4", "3"), ("3, 4", "2"), ("3, 4", "3, 1"), ("3, 4", "3, 4"), ("4", ""), ("4", "1"),
    ("3, 4, 2", "3, 2"), ("3, 4, 2", "3"), ("3, 4, 2", "3, 4"), ("0, 4", "0"), ("", ""),
]  # fmt: skip
SHAPES = [("3, 1", "3"), ("3", "2"), ("3, 2", "2, 3"), ("3", ""), ("2, 3", "3"), ("0, 2", "0, 2")]
BROADCASTING = (
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "kl_div"),
    *("binary_cross_entropy_with_logits", "poisson_nll_loss", "hinge_embedding_loss"),
    *("soft_margin_loss", "multilabel_soft_margin_loss"),
)
EXPRESSIONS = [
    *(
        f"F.{loss}(T.ones({x}), T.zeros({y}, dtype=T.{kind}), reduction='{reduction}')"
        for loss in ("cross_entropy", "nll_loss")
        for x, y in (tuple(f"[{one}]" for one in pair) for pair in LABELS)
        for kind, reduction in (("long", "none"), ("long", "mean"), ("int32", "sum"))
    ),
    *(f"F.{loss}(T.ones([{x}]) / 2, T.zeros([{y}]))" for loss in BROADCASTING for x, y in SHAPES),
    "F.cross_entropy(T.ones(3, 4), T.zeros(2))",
    "F.cross_entropy(T.ones(3, 4), T.zeros(3))",
    "F.multi_margin_loss(T.ones(3, 4), T.tensor([0, 1, 7]))",
    "F.multilabel_margin_loss(T.ones(1, 4), T.tensor([[0, 1, 7, -1]]))",
    "F.mse_loss(T.ones(3, 2), T.ones(3, 2), weight=T.ones(2))",
    "F.affine_grid(T.ones(1, 2, 3, dtype=T.long), (1, 1, 2, 2))",
    "F.pad(T.ones(2, 3), (1, 1), mode='reflect', value=1.0)",
    "F.scaled_dot_product_attention(*[T.ones(2, 3, 4)] * 3, dropout_p=1.5)",
    "F.scaled_dot_product_attention(*[T.ones(2, 3, 4)] * 3, T.ones(3, 3), is_causal=True)",
    "F.softmax(T.ones(2, 3))",
    "F.log_softmax(T.ones(2, 3, 4))",
    "nn.Softmin()(T.ones(4))",
    "nn.Softmax2d()(T.ones(3, 4))",
    "nn.InstanceNorm1d(3)(T.arange(40.0).view(4, 2, 5))",
    "nn.InstanceNorm1d(3, affine=True)(T.ones(4, 2, 5))",
    "nn.InstanceNorm2d(3)(T.arange(50.0).view(2, 5, 5))",
    "nn.Dropout2d(0.0)(T.ones(2, 3))",
    "nn.Dropout2d(0.5)(T.ones(3))",
    "nn.Dropout3d(0.0)(T.ones(2, 3))",
    "nn.Hardtanh(min_value=-2.0, max_value=0.5)(T.ones(2))",
]


def outcome(library, expression):
    names = {"T": library, "nn": library.nn, "F": library.nn.functional}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(eval(expression, names).numpy()), ""
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_errors_are_of_the_same_class_and_results_equal(expression):
    (ours, message), (theirs, _) = (outcome(library, expression) for library in (mt, torch))
    if isinstance(theirs, type):
        assert ours is theirs and message
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6, strict=True)
