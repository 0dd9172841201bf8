"""What every declared op must satisfy, derived from its declaration."""

import inspect
import warnings

import numpy as np
import pytest
from op_cases import DECLARED, DIFFERENTIABLE, NOT_ALONE, cases, cases_of

import microtensor as mt
from microtensor.autograd import grad, gradcheck, gradgradcheck
from microtensor.ops import methods, published, registry
from microtensor.ops.algebra import ARRAYS, TENSORS
from microtensor.ops.declare import Op, declare, parse_signature
from microtensor.tensor import wrap


def each(names, *skipped):
    """Make a test per op of a function of one case; of derivatives, where there are any."""
    derivatives = set(names) <= set(DIFFERENTIABLE)

    def decorate(function):
        @pytest.mark.parametrize("name", [n for n in names if n not in (*NOT_ALONE, *skipped)])
        def test(name):
            for label, case in cases([name]):
                if derivatives and not case.has_gradient():
                    continue
                try:
                    function(case)
                except Exception as error:
                    error.add_note(f"in case {label}")
                    raise

        test.__name__, test.__doc__ = function.__name__, function.__doc__
        return test

    return decorate


def floating(case):
    """The places of the inputs that a gradient is asked for."""
    return [
        i
        for i, (name, value) in enumerate(zip(case.op.inputs, case.inputs, strict=True))
        if value is not None and value.dtype.kind == "f" and name in case.op.rules
    ]


# ---- the record ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry)
def test_declaration_is_complete(name):
    op = registry[name]
    assert op.name == name
    assert op.summary.endswith(".") and op.summary[0].isupper()
    parse_signature(op.signature)
    assert set(op.rules) <= set(op.inputs)


@pytest.mark.parametrize("name", DECLARED)
def test_public_function_has_the_declared_signature_and_documentation(name):
    op = DECLARED[name]
    own = inspect.signature(op.public).parameters
    declared = [p.name for p in parse_signature(op.signature)]
    assert [n for n in own if n != "inplace"] == declared
    assert ("inplace" in own) == op.inplace_argument
    document = op.public.__doc__
    assert document.split("\n")[0].split(".")[0] in op.summary
    if op.formula:
        assert f"y = {op.formula}" in document
    if op.derivative:
        assert f"dy/dx = {op.derivative}" in document
    assert ("Not differentiable" in document) == (not op.rules)


@pytest.mark.parametrize("name", [n for n, op in registry.items() if op.ulp is not None])
def test_activation_states_formula_derivative_and_range(name):
    op = registry[name]
    assert op.formula and op.derivative and op.range and op.samples


@pytest.mark.parametrize("name", DECLARED)
def test_op_is_published_where_it_says(name):
    op = DECLARED[name]
    for namespace in op.namespaces:
        assert name in published[namespace]
    if op.method:
        assert getattr(mt.Tensor, op.method) is methods[op.method]
    if op.inplace:
        assert f"{name}_" in methods


def test_every_op_has_cases():
    for name in DECLARED:
        if name not in NOT_ALONE:
            assert cases_of(name)


def test_published_functions_are_reachable():
    for name, function in published["mt"].items():
        assert getattr(mt, name) is function
    for name, function in published["nn.functional"].items():
        assert getattr(mt.nn.functional, name) is function
    for name, function in published["linalg"].items():
        assert getattr(mt.linalg, name) is function


def test_public_functions_have_docstrings():
    for namespace in published.values():
        for name, function in namespace.items():
            assert function.__doc__, name


def test_a_second_declaration_of_a_name_is_refused():
    with pytest.raises(ValueError, match="declared twice"):
        declare("exp", "input: Tensor", lambda x: x)
    assert isinstance(registry["exp"], Op)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"nothing": lambda g: g}, "no inputs"),
        ({"input": lambda x: x}, "first parameter is g"),
        ({"input": lambda g, unknown: g}, "asks for"),
    ],
)
def test_a_malformed_rule_is_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        declare("malformed", "input: Tensor", lambda x: x, rules=rules)
    assert "malformed" not in registry


# ---- values -------------------------------------------------------------------------------------


@each(DECLARED, "dropout", "rrelu_in_training")  # each dtype draws its own numbers
def test_float32_agrees_with_float64(case):
    wide = case.call(*case.tensors(False))
    narrow = case.call(*case.tensors(False, mt.float32))
    assert narrow.shape == wide.shape
    if wide.is_floating_point():
        explicit = case.arguments.get("dtype") is not None
        assert narrow.dtype is (wide.dtype if explicit else mt.float32)
        np.testing.assert_allclose(narrow.numpy(), wide.numpy(), rtol=2e-5, atol=2e-6)
    else:
        assert narrow.dtype is wide.dtype
        if case.op.name not in ("floor_divide",):
            np.testing.assert_array_equal(narrow.numpy(), wide.numpy())


@each(DECLARED)
def test_float16_stays_float16(case):
    wide = case.call(*case.tensors(False))
    try:
        narrow = case.call(*case.tensors(False, mt.float16))
    except RuntimeError as error:
        # LAPACK has no routines for it, and PyTorch none of its own.
        assert "Low precision dtypes not supported" in str(error)
        return
    assert narrow.shape == wide.shape
    if wide.is_floating_point() and case.arguments.get("dtype") is None:
        if any(i is not None and i.dtype.kind == "f" for i in case.inputs):
            assert narrow.dtype is mt.float16
        drawn = ("dropout", "rrelu_in_training")
        if case.op.name not in ("floor_divide", "remainder", "sign", *drawn):
            np.testing.assert_allclose(narrow.numpy(), wide.numpy(), rtol=2e-2, atol=1e-2)


@each(DECLARED)
def test_result_is_the_same_recorded_or_not(case):
    recorded = case.call(*case.tensors())
    plain = case.call(*case.tensors(False))
    np.testing.assert_array_equal(recorded.detach().numpy(), plain.numpy())
    assert recorded.requires_grad == (bool(floating(case)) and recorded.is_floating_point())
    assert not plain.requires_grad


@each(DECLARED, "dropout", "rrelu_in_training")
def test_rules_see_what_users_see(case):
    """The form that rules call gives the public function's array."""
    public = case.call(*case.tensors(False))
    inputs = dict(zip(case.op.inputs, case.inputs, strict=True))
    plain = case.chosen(case.op.either(**inputs, **case.arguments))
    assert isinstance(plain, np.ndarray)
    np.testing.assert_array_equal(plain, public.numpy())
    assert plain.dtype == public.numpy().dtype


# ---- derivatives --------------------------------------------------------------------------------


@each(DIFFERENTIABLE)
def test_first_derivatives(case):
    assert gradcheck(case.call, case.tensors())


@each([name for name, op in DIFFERENTIABLE.items() if op.outputs])
def test_derivatives_of_all_outputs_together(case):
    if case.output == 0:
        assert gradcheck(case.call_whole, case.tensors())
        assert gradgradcheck(case.call_whole, case.tensors())


@each(DIFFERENTIABLE)
def test_second_derivatives(case):
    assert gradgradcheck(case.call, case.tensors())


# Of ctc there is none, which its own tests say.
@each([name for name in DIFFERENTIABLE if not name.endswith("_backward") and name != "ctc"])
def test_third_derivatives(case):
    """The second walk is recorded too: every rule of every rule takes tensors."""

    def slopes(*inputs):
        wanted = [inputs[i] for i in floating(case)]
        y = case.call(*inputs)
        start = wrap(np.linspace(0.5, 1.5, y.numel()).reshape(y.shape))
        found = grad(y, wanted, start, create_graph=True, materialize_grads=True)
        return tuple(each for each in found if each.requires_grad) or (inputs[0] * 0.0,)

    assert gradgradcheck(slopes, case.tensors(), atol=1e-4)


@each(DIFFERENTIABLE)
def test_rules_give_the_shape_and_dtype_of_their_inputs(case):
    for dtype in (mt.float32, mt.float64):
        inputs = case.tensors(True, dtype)
        y = case.call(*inputs)
        if not y.requires_grad:
            continue
        node = y.grad_fn.parents[0] if case.op.outputs else y.grad_fn
        ones = np.ones(y.shape, y._array.dtype)
        for algebra, g in ((ARRAYS, ones), (TENSORS, wrap(ones))):
            if case.op.outputs:
                (g,) = y.grad_fn.op.backward(g, (node,), ())
            found = node.op.backward(g, node.parents, algebra.lift(node))
            assert len(found) == len(node.parents)
            for tensor, parent, gradient in zip(inputs, node.parents, found, strict=True):
                if parent is None:
                    assert gradient is None
                    continue
                fitted = algebra.fit(gradient, parent)
                assert isinstance(fitted, mt.Tensor if algebra is TENSORS else np.ndarray)
                array = fitted if algebra is ARRAYS else fitted._array
                assert array.shape == tensor.shape
                assert array.dtype == tensor._array.dtype


@each(DIFFERENTIABLE, "dropout", "rrelu_in_training")
def test_float32_gradients_agree_with_float64(case):
    found = {}
    for dtype in (mt.float32, mt.float64):
        inputs = case.tensors(True, dtype)
        y = case.call(*inputs)
        start = wrap(np.linspace(0.5, 1.5, y.numel()).reshape(y.shape))
        y.backward(start.to(y.dtype))
        found[dtype] = [t.grad for t in inputs if t is not None and t.grad is not None]
    for narrow, wide in zip(found[mt.float32], found[mt.float64], strict=True):
        assert narrow.dtype is mt.float32 and wide.dtype is mt.float64
        np.testing.assert_allclose(narrow.numpy(), wide.numpy(), rtol=1e-4, atol=1e-5)


@each(DIFFERENTIABLE)
def test_one_rule_per_needed_input(case):
    """Each gradient alone is the same as among all."""
    inputs = case.tensors()
    y = case.call(*inputs)
    start = wrap(np.linspace(0.5, 1.5, y.numel()).reshape(y.shape))
    y.backward(start)
    for i in floating(case):
        alone = [t if t is None or j == i else t.detach() for j, t in enumerate(inputs)]
        alone[i] = inputs[i].detach().requires_grad_()
        case.call(*alone).backward(start)
        np.testing.assert_array_equal(alone[i].grad.numpy(), inputs[i].grad.numpy())


# ---- memory -------------------------------------------------------------------------------------


@each(DECLARED)
def test_inputs_are_never_changed(case):
    inputs = case.tensors()
    before = [None if t is None else t.detach().numpy().copy() for t in inputs]
    y = case.call(*inputs)
    if y.requires_grad:
        start = mt.ones_like(y)
        y.backward(start, create_graph=True)
        assert (start == 1).all()
    for tensor, array in zip(inputs, before, strict=True):
        if tensor is not None:
            np.testing.assert_array_equal(tensor.detach().numpy(), array)
            assert tensor._version == 0


@each(DECLARED)
def test_result_shares_memory_only_if_declared_a_view(case):
    inputs = case.tensors(False)
    y = case.call(*inputs)
    shared = any(t is not None and np.shares_memory(t._array, y._array) for t in inputs)
    if shared:
        assert case.op.view or case.op.name == "sum_to"
    elif case.op.view:
        assert y.numel() == 0


@each(DIFFERENTIABLE)
def test_saved_values_are_released_by_the_walk(case):
    y = case.call(*case.tensors())
    node = y.grad_fn
    saves = bool(node.saved)
    y.backward(mt.ones_like(y))
    assert node.saved is None or not saves


def layouts(array):
    """The same values with other strides."""
    if array.ndim >= 2:
        yield "transposed", np.asfortranarray(array)
    if array.ndim >= 1:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        yield "strided", wide[..., ::2]
        yield "backwards", array[::-1].copy()[::-1]
        yield "offset", np.concatenate([array[:1], array])[1:]
    readonly = array.copy()
    readonly.flags.writeable = False
    yield "read-only", readonly


@each(DECLARED)
def test_layout_in_memory_changes_nothing(case):
    for dtype in ("f4", "f8"):
        _check_layouts(case, dtype)


def _check_layouts(case, dtype):
    if case.op.name in ("dropout", "rrelu_in_training") and case.inputs[0].ndim > 1:
        return  # numbers are drawn in the order of memory
    arrays = [i.astype(dtype) if i is not None and i.dtype.kind == "f" else i for i in case.inputs]
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == "f4" else {"rtol": 1e-12, "atol": 1e-14}

    def run(arrays):
        inputs = [None if a is None else mt.from_numpy(a) for a in arrays]
        for i in floating(case):
            inputs[i].requires_grad_()
        y = case.call(*inputs)
        if y.requires_grad:
            y.backward(mt.ones_like(y))
        grads = [inputs[i].grad.numpy() for i in floating(case) if inputs[i].grad is not None]
        return [y.detach().numpy(), *grads]

    expected = run(arrays)
    for i, array in enumerate(arrays):
        if array is None:
            continue
        for name, other in layouts(array):
            found = run([*arrays[:i], other, *arrays[i + 1 :]])
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, **tolerance, err_msg=f"input {i} {name}")


# ---- quiet --------------------------------------------------------------------------------------

EXTREME = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 1e-300, 5e-324, 710.0, -710.0, 1.0]
ELEMENTWISE = [
    name
    for name, op in DECLARED.items()
    if op.samples
    # Those of numbers of any shape; matrices are another matter.
    and any(np.ndim(x) == 0 for inputs, _ in op.samples(np.random.default_rng(0)) for x in inputs)
    and not {"condition", "mask", "index"} & set(op.inputs)
    and all(p.default is not None or p.is_input for p in parse_signature(op.signature))
    and name not in ("clamp", "binary_cross_entropy")  # which refuses what is outside [0, 1]
]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [mt.float32, mt.float64, mt.float16])
def test_extreme_values_raise_no_warning_forward_and_backward(name, dtype):
    op = DECLARED[name]
    with np.errstate(all="ignore"):
        values = np.array(EXTREME).astype(dtype.numpy)
    a, b = np.meshgrid(values, values)
    arrays = [a.ravel(), b.ravel(), np.roll(a.ravel(), 5)][: len(op.inputs)]
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        inputs = [mt.tensor(x, requires_grad=bool(op.rules)) for x in arrays]
        y = op.public(*inputs)
        if op.rules:
            y.backward(mt.ones_like(y), create_graph=True)
            sum(t.grad.sum() for t in inputs).detach()
    # Of one input, and no reduction.
    kept = name not in ("sign", "zero", "nan_to_num") and y.shape == arrays[0].shape
    if kept and len(arrays) == 1:
        nan = np.isnan(y.detach().numpy())
        assert nan[np.isnan(arrays[0])].all(), "NaN must stay NaN"
