"""NumPy's functions called with tensors: what records, what is refused, what stays NumPy's."""

import warnings

import numpy as np
import pytest

import microtensor as mt

A = np.array([3.0, 4.0], np.float32)
M = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def leaf():
    return mt.tensor([1.0, 2.0], requires_grad=True)


# ---- what records -------------------------------------------------------------------------------

RECORDED = {
    "array + tensor": (lambda x: A + x, [1, 1]),
    "array - tensor": (lambda x: A - x, [-1, -1]),
    "array * tensor": (lambda x: A * x, [3, 4]),
    "array / tensor": (lambda x: A / x, [-3, -1]),
    "array ** tensor": (lambda x: A**x, [3 * np.log(3), 16 * np.log(4)]),
    "array % tensor": (lambda x: A % x, [-3, -2]),
    "array @ tensor": (lambda x: M @ x, [4, 6]),
    "tensor @ array": (lambda x: x @ M, [3, 7]),
    "tensor * array": (lambda x: x * A, [3, 4]),
    "0-d array * tensor": (lambda x: np.array(2.0) * x, [2, 2]),
    "NumPy number * tensor": (lambda x: np.float64(2) * x, [2, 2]),
    "NumPy integer - tensor": (lambda x: np.int16(2) - x, [-1, -1]),
    "np.add": (lambda x: np.add(A, x), [1, 1]),
    "np.add of a number": (lambda x: np.add(1, x), [1, 1]),
    "np.multiply of a list": (lambda x: np.multiply([5.0, 6.0], x), [5, 6]),
    "np.exp": (np.exp, np.exp([1, 2])),
    "np.square": (np.square, [2, 4]),
    "np.negative": (np.negative, [-1, -1]),
    "np.maximum": (lambda x: np.maximum(x, np.float32([2, 0])), [0, 1]),
    "np.mean": (np.mean, [0.5, 0.5]),
    "np.sum": (lambda x: np.sum(x, axis=0, keepdims=True), [1, 1]),
    "np.max": (np.max, [0, 1]),
    "np.min": (np.min, [1, 0]),
    "np.clip": (lambda x: np.clip(x, 0, 1.5), [1, 0]),
    "np.reshape": (lambda x: np.reshape(x, (2, 1)), [1, 1]),
    "np.ravel": (np.ravel, [1, 1]),
    "np.transpose": (lambda x: np.transpose(x), [1, 1]),
    "np.concatenate": (lambda x: np.concatenate([A, x, x]), [2, 2]),
    "np.stack": (lambda x: np.stack((x, A), axis=1), [1, 1]),
    "np.where": (lambda x: np.where(A > 3, x, A), [0, 1]),
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_gradient_goes_through(name):
    function, expected = RECORDED[name]
    x = leaf()
    y = function(x)
    assert type(y) is mt.Tensor and y.requires_grad and y.dtype is mt.float32
    np.testing.assert_allclose(y.detach().numpy(), function(np.float32([1, 2])), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "compare", [np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal]
)
def test_comparisons_give_bool_tensors(compare):
    array = np.float32([1, 5])
    y = compare(array, leaf())
    assert type(y) is mt.Tensor and y.dtype is mt.bool and not y.requires_grad
    assert y.tolist() == compare(array, [1, 2]).tolist()


def test_counterparts_give_tensors_without_a_gradient_too():
    x = mt.tensor([1.0, 2.0])
    for y in (np.exp(x), A * x, np.isnan(x), np.mean(x), np.concatenate([x, A])):
        assert type(y) is mt.Tensor and not y.requires_grad


def test_numbers_leave_the_tensor_its_dtype():
    x = mt.tensor([1.0])
    assert np.multiply(np.float64(2), x).dtype is mt.float32
    assert np.add(mt.tensor([1], dtype=mt.int8), 3).dtype is mt.int8
    assert np.add(mt.tensor([1], dtype=mt.int8), 0.5).dtype is mt.float32
    assert (np.ones(1) * x).dtype is mt.float64


def test_arrays_of_foreign_byte_order_take_part():
    assert (A.astype(">f4") * leaf()).tolist() == [3, 8]


def test_shapes_that_do_not_broadcast_are_our_error():
    with pytest.raises(RuntimeError, match="add: the shapes"):
        np.ones(3) + leaf()


def test_what_only_numpy_can_do_is_numpys():
    whole = mt.arange(4)
    assert np.mean(whole) == 1.5 and type(np.mean(whole)) is np.float64
    bounds = np.array([1, 1, 0, 0])
    assert np.clip(whole, bounds, 2).tolist() == [1, 1, 2, 2]
    assert np.concatenate([mt.ones(1, 2), A], axis=None).tolist() == [1, 1, 3, 4]
    assert np.where(np.array([0, 2]), leaf(), A).tolist() == [3, 2]  # any condition
    assert np.clip(leaf(), min=1.5).tolist() == [1.5, 2]
    with pytest.raises(TypeError, match="would drop the gradient"):
        np.clip(leaf(), A, 9)


# ---- what would drop a gradient -----------------------------------------------------------------

DROPS = {
    "a ufunc without counterpart": lambda x: np.modf(x),
    "reduce": lambda x: np.add.reduce(x),
    "accumulate": lambda x: np.multiply.accumulate(x),
    "outer": lambda x: np.multiply.outer(x, A),
    "reduceat": lambda x: np.add.reduceat(x, [0, 1]),
    "at": lambda x: np.add.at(A.copy(), [0, 1], x),
    "where=": lambda x: np.exp(x, where=np.array([True, False])),
    "dtype=": lambda x: np.sqrt(x, dtype=np.float64),
    "an array as out=": lambda x: np.add(A, x, out=np.zeros(2, np.float32)),
    "an array that no tensor holds": lambda x: np.add(A.astype(complex), x),
    "a function without counterpart": lambda x: np.linalg.norm(x),
    "a function's option": lambda x: np.sum(x, where=np.array([True, False])),
    "a tensor in a list": lambda x: np.column_stack([A, x]),
    "np.std": lambda x: np.std(x),
    "np.dot": lambda x: np.dot(A, x),
    "np.interp": lambda x: np.interp(1.5, A, x),
}


@pytest.mark.parametrize("name", DROPS)
def test_what_would_drop_a_gradient_says_what_to_do(name):
    with pytest.raises(TypeError, match=r"numpy.*would drop the gradient.*detach\(\)"):
        DROPS[name](leaf())


@pytest.mark.parametrize("name", DROPS)
def test_the_same_without_a_gradient_is_numpys(name):
    x = mt.tensor([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = DROPS[name](x), DROPS[name](x.numpy())
    assert type(ours) is type(theirs)
    if name != "where=":  # what it leaves out is not initialised
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("convert", [np.asarray, np.array, np.ascontiguousarray, np.asanyarray])
def test_arrays_of_tensors_with_gradient_are_refused(convert):
    with pytest.raises(RuntimeError, match=r"detach\(\)\.numpy\(\)"):
        convert(leaf())


def test_questions_about_a_tensor_need_no_detaching():
    x = mt.ones(2, 3, requires_grad=True)
    assert np.shape(x) == (2, 3) and np.ndim(x) == 2 and np.size(x) == 6
    assert np.result_type(x, np.float64) == np.float64
    assert np.shares_memory(x, x.detach()) and not np.shares_memory(x, A)
    assert type(np.zeros_like(x)) is np.ndarray and np.zeros_like(x).shape == (2, 3)


# ---- writing ------------------------------------------------------------------------------------


def test_a_tensor_as_out_is_written_in_place_and_records():
    x, target = leaf(), mt.zeros(2)
    view = target[:1]
    result = np.multiply(A, x, out=target)
    assert result is target and target.tolist() == [3, 8] and target._version == 1
    assert view.requires_grad and view.tolist() == [3]
    target.sum().backward()
    assert x.grad.tolist() == [3, 4]


def test_an_input_may_be_out_itself():
    x = leaf()
    y = x * 1
    np.multiply(y, y, out=y)
    y.sum().backward()
    assert y.tolist() == [1, 4] and x.grad.tolist() == [2, 4]


def test_out_must_fit():
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        np.add(A, leaf(), out=mt.zeros(3))
    with pytest.raises(RuntimeError, match="can't be cast"):
        np.add(A, leaf(), out=mt.zeros(2, dtype=mt.int64))
    with pytest.raises(RuntimeError, match="leaf"):
        np.add(A, A, out=leaf())


def test_adding_a_tensor_to_an_array_in_place():
    array = other = A.copy()
    array += mt.tensor([1.0, 2.0])
    assert array is other and array.tolist() == [4, 6]
    x = leaf()
    array += x  # the name now stands for a tensor that records
    assert type(array) is mt.Tensor and array.requires_grad
    assert other.tolist() == array.tolist() == [5, 8]
    array.sum().backward()
    assert x.grad.tolist() == [1, 1]
    whole = np.array([1, 2])
    with pytest.raises(TypeError, match="Cannot cast"):
        whole += leaf()


def test_adding_an_array_to_a_tensor_in_place():
    y = leaf() * 1
    y *= A
    assert y.tolist() == [3, 8] and y.requires_grad and y.dtype is mt.float32
    y += np.float64(1)
    y -= np.ones(2)
    assert y.tolist() == [3, 8]
    with pytest.raises(RuntimeError, match="can't be cast"):
        mt.arange(2).add_(1).__iadd__(A)


def test_numpys_writes_into_a_tensor_are_counted():
    x = mt.tensor([1.0, 2.0])
    w = leaf()
    y = w * x
    np.add.at(x, [0, 0], 1)
    np.copyto(x, x + 1)
    np.cumsum(A, out=x)
    assert x.tolist() == [3, 7] and x._version == 3
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    with pytest.raises(RuntimeError, match="read-only"):
        np.copyto(mt.ones(1).expand(2), 0)


# ---- other libraries ----------------------------------------------------------------------------


def test_ufuncs_of_other_libraries_are_not_mistaken_for_numpys():
    def exp(x):
        return -x

    foreign = np.frompyfunc(exp, 1, 1)
    assert foreign.__name__.startswith("exp")
    assert foreign(mt.tensor([1.0])).tolist() == [-1]
    with pytest.raises(TypeError, match="would drop the gradient"):
        foreign(leaf())


def test_types_with_their_own_protocol_go_first():
    class Own:
        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            return "own"

        def __array_function__(self, function, types, args, kwargs):
            return "own"

    assert np.add(leaf(), Own()) == "own"
    assert np.concatenate([leaf(), Own()]) == "own"


def test_scikit_learn_takes_tensors():
    linear_model = pytest.importorskip("sklearn.linear_model")
    from sklearn.metrics import accuracy_score
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    mt.manual_seed(0)
    x, w = mt.randn(60, 3), mt.tensor([1.0, -2.0, 0.5])
    labels = (x @ w > 0).long()
    scaled = StandardScaler().fit_transform(x)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-6)
    train, test, train_labels, test_labels = train_test_split(x, labels, random_state=0)
    assert len(train) == 45 and len(test) == 15
    model = linear_model.LogisticRegression().fit(train, train_labels)
    assert accuracy_score(test_labels, model.predict(test)) > 0.8
    with pytest.raises(RuntimeError, match="detach"):
        model.predict(mt.ones(1, 3, requires_grad=True))


def test_matplotlib_takes_tensors():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    x = mt.linspace(0, 1, 5)
    figure, axes = plt.subplots()
    try:
        (line,) = axes.plot(x, x * x)
        np.testing.assert_allclose(line.get_ydata(), x.numpy() ** 2)
        axes.scatter(x, x, c=x)
        counts, _, _ = axes.hist(x, bins=2)
        assert sum(counts) == 5
        axes.imshow(mt.eye(3))
        axes.fill_between(x, x, x + 1)
        axes.errorbar(x, x, yerr=x)
        axes.bar(mt.arange(3), mt.ones(3))
        axes.axhline(mt.tensor(0.5).item())
        figure.canvas.draw()
    finally:
        plt.close(figure)


def test_pandas_takes_tensors():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": mt.arange(3), "b": mt.ones(3)})
    assert frame["a"].tolist() == [0, 1, 2] and frame["b"].dtype == np.float32
    assert pandas.Series(mt.arange(3)).sum() == 3
