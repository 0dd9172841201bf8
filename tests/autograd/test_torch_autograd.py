"""Programs about differentiation itself, run in PyTorch as well: results, order, exceptions.

``m`` stands for either library. What a program returns (tensors, strings, nested) must be equal.
"""

import warnings

import numpy as np
import pytest

import microtensor as mt

PROGRAMS = []
REFUSED = []


def program(function):
    PROGRAMS.append(function)
    return function


def refused(function):
    REFUSED.append(function)
    return function


def leaf(m, *values):
    return m.tensor(values or (1.0, 2.0), dtype=m.float64, requires_grad=True)


def square(m, **hooks):
    class Square(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x

    return Square.apply


# ---- Function ------------------------------------------------------------------------------------


@program
def function_forward_backward_and_name(m):
    x = leaf(m)
    y = square(m)(x)
    y.sum().backward()
    return y, x.grad, y.grad_fn.name(), y.requires_grad, y.is_leaf


@program
def function_twice_differentiated(m):
    x = leaf(m)
    (slope,) = m.autograd.grad(square(m)(x).sin().sum(), x, create_graph=True)
    (second,) = m.autograd.grad(slope.sum(), x)
    return slope, second


@program
def function_with_setup_context(m):
    class Scale(m.autograd.Function):
        @staticmethod
        def forward(x, factor, name):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, factor, _ = inputs
            ctx.save_for_backward(x, factor, output)

        @staticmethod
        def backward(ctx, g):
            x, factor, output = ctx.saved_tensors
            assert output.shape == x.shape
            return g * factor, (g * x).sum() if ctx.needs_input_grad[1] else None, None

    x, k = leaf(m), m.tensor(3.0, dtype=m.float64, requires_grad=True)
    Scale.apply(x, k, "name").sum().backward()
    z = Scale.apply(x, k.detach(), "name")
    return x.grad, k.grad, z, z.grad_fn.needs_input_grad


@program
def function_with_several_outputs(m):
    seen = []

    class Both(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append((g.tolist(), h.tolist()))
            return g * 2 + h * 3

    x = leaf(m)
    a, b = Both.apply(x)
    b.sum().backward()
    a, b = Both.apply(x)
    (a * b).sum().backward()
    return seen, x.grad, a.grad_fn.name(), b.grad_fn.name()


@program
def function_that_does_not_materialize(m):
    seen = []

    class Both(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append(g is None)
            return h * 3

    x = leaf(m)
    Both.apply(x)[1].sum().backward()
    return seen, x.grad


@program
def function_with_an_output_without_gradient(m):
    seen = []

    class Sorted(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            sign, order = x * 0 + 1, m.tensor([1, 0])
            ctx.mark_non_differentiable(sign)
            return x[order], sign, order, "plain"

        @staticmethod
        def backward(ctx, g, h, i, j):
            seen.append((h.tolist(), None if i is None else i.tolist(), j))
            return g[m.tensor([1, 0])]

    x = leaf(m)
    y, sign, order, plain = Sorted.apply(x)
    (y * m.tensor([1.0, 10.0])).sum().backward()
    return y, sign.requires_grad, order.requires_grad, plain, x.grad, seen[0][0], seen[0][2]


@program
def function_in_place(m):
    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(m)
    y = x * 3
    z = Double.apply(y)
    version = y._version
    base = x * 1
    Double.apply(base[0])
    (y.sum() + base.sum() * 10).backward()
    return z is y, y, version > 0, base, x.grad, y.grad_fn.name()


@program
def function_returning_its_input(m):
    class Same(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 5

    x = leaf(m)
    y = Same.apply(x)
    y.sum().backward()
    with m.no_grad():
        z = Same.apply(x)
    constant = m.ones(2)
    return y is x, x.grad, z.requires_grad, Same.apply(constant) is constant


@program
def function_without_gradient_for_an_input(m):
    class First(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, number=3):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g, None

    x, y = leaf(m), leaf(m, 5.0, 6.0)
    First.apply(x, y).sum().backward()
    return x.grad, y.grad is None


@program
def function_whose_gradient_is_broadcast(m):
    class Wide(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.expand(3, 2).clone()

        @staticmethod
        def backward(ctx, g):
            return g

    x = leaf(m)
    (Wide.apply(x) * m.arange(6.0).reshape(3, 2)).sum().backward()
    return x.grad


@program
def function_that_saves_nothing_may_be_walked_twice(m):
    class Triple(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.factor = 3
            return x * ctx.factor

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor

    x = leaf(m)
    y = Triple.apply(x)
    y.backward(m.ones(2))
    y.backward(m.ones(2))
    return x.grad, y.grad_fn.factor


@program
def function_passes_its_gradient_to_two_inputs(m):
    class Add(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g, g

    x, y = leaf(m), leaf(m)
    z = Add.apply(x * 1, y * 1)
    (Add.apply(z, z) + z).sum().backward()
    x.grad.mul_(2)
    return x.grad, y.grad


def function(m, forward, backward):
    class Made(m.autograd.Function):
        pass

    Made.forward, Made.backward = staticmethod(forward), staticmethod(backward)
    return Made.apply


def walked(m, forward, backward, *more):
    function(m, forward, backward)(leaf(m), *more).sum().backward()


@refused
def too_many_gradients(m):
    walked(m, lambda ctx, x: x * 2, lambda ctx, g: (g, g))


@refused
def too_few_gradients(m):
    walked(m, lambda ctx, x, k: x * k, lambda ctx, g: g, 3)


@refused
def a_gradient_for_a_number(m):
    walked(m, lambda ctx, x, k: x * k, lambda ctx, g: (g, g), 3)


@refused
def a_gradient_that_is_a_number(m):
    walked(m, lambda ctx, x: x * 2, lambda ctx, g: 2.0)


@refused
def a_gradient_of_another_shape(m):
    walked(m, lambda ctx, x: x * 2, lambda ctx, g: m.ones(3))


@refused
def a_gradient_too_small(m):
    walked(m, lambda ctx, x: x * 2, lambda ctx, g: m.ones(1))


@refused
def saving_a_number(m):
    function(m, lambda ctx, x: (ctx.save_for_backward(3), x)[1], None)(leaf(m))


@refused
def a_dirty_leaf(m):
    walked(m, lambda ctx, x: (ctx.mark_dirty(x), x.mul_(2))[1], lambda ctx, g: g)


@refused
def a_dirty_input_not_returned(m):
    made = function(m, lambda ctx, x: (ctx.mark_dirty(x), x.mul_(2) * 1)[1], lambda ctx, g: g)
    made(leaf(m) * 1)


@refused
def no_forward(m):
    class Empty(m.autograd.Function):
        pass

    Empty.apply(leaf(m))


@refused
def no_backward(m):
    class Empty(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    Empty.apply(leaf(m)).sum().backward()


@refused
def calling_a_function_object(m):
    class Empty(m.autograd.Function):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Empty()(leaf(m))


@refused
def saved_tensors_after_the_walk(m):
    y = square(m)(leaf(m)).sum()
    y.backward()
    y.backward()


@refused
def a_saved_tensor_changed_since(m):
    x = leaf(m) * 1
    y = square(m)(x)
    x.add_(1)
    y.sum().backward()


@refused
def once_differentiable_twice(m):
    import importlib

    once = importlib.import_module(f"{m.__name__}.autograd.function").once_differentiable
    made = function(m, lambda ctx, x: x * 2, once(lambda ctx, g: g * 2))
    x = leaf(m)
    start = m.ones(2, dtype=m.float64, requires_grad=True)
    (slope,) = m.autograd.grad(made(x), x, start, create_graph=True)
    slope.sum().backward()


# ---- hooks ---------------------------------------------------------------------------------------


@program
def order_of_hooks(m):
    log, x = [], leaf(m)
    y = x * 3

    def note(name, factor=None):
        def hook(*given):
            shown = [[None if g is None else g.tolist() for g in each] for each in given
                     if isinstance(each, tuple)] or [given[0].tolist()]  # fmt: skip
            log.append((name, shown))
            if factor is not None:
                return given[0] * factor

        return hook

    y.grad_fn.register_hook(note("node after"))
    y.grad_fn.register_prehook(note("node before"))
    y.register_hook(note("first", 2))
    y.retain_grad()
    y.register_hook(note("second", 5))
    accumulate = y.grad_fn.next_functions[0][0]
    accumulate.register_prehook(note("leaf node before"))
    accumulate.register_hook(note("leaf node after"))
    x.register_hook(note("leaf", 3))
    x.register_post_accumulate_grad_hook(lambda t: log.append(("accumulated", t.grad.tolist())))
    (y * 2).sum().backward()
    return log, x.grad, y.grad


@program
def node_hooks_replace_gradients(m):
    x, w = leaf(m), leaf(m, 3.0, 4.0)
    y = x * w
    y.grad_fn.register_prehook(lambda outs: (outs[0] * 10,))
    y.grad_fn.register_hook(lambda ins, outs: (ins[0] * 2, outs[0]))
    y.sum().backward()
    return x.grad, w.grad


@program
def removed_node_hooks(m):
    x, log = leaf(m), []
    y = x * 2
    before = y.grad_fn.register_prehook(lambda outs: log.append("before"))
    after = y.grad_fn.register_hook(lambda ins, outs: log.append("after"))
    y.sum().backward(retain_graph=True)
    before.remove()
    y.sum().backward(retain_graph=True)
    after.remove()
    y.sum().backward()
    return log


@program
def what_grad_captures_and_which_hooks_it_calls(m):
    x, log = leaf(m), []
    y = x * 2
    y.register_hook(lambda g: g * 3)
    y.grad_fn.register_prehook(lambda outs: (log.append("before"), (outs[0] * 100,))[1])
    z = (y * y).sum()
    (gy,) = m.autograd.grad(z, y, retain_graph=True)
    (gx,) = m.autograd.grad(z, x)
    return gy, gx, log


@refused
def a_node_hook_with_too_few_results(m):
    x = leaf(m)
    y = x * x
    y.grad_fn.register_hook(lambda ins, outs: (ins[0],))
    y.sum().backward()


# ---- saved tensors -------------------------------------------------------------------------------


@program
def saved_tensors_hooks_see_what_is_saved(m):
    packed, unpacked, x = [], [], leaf(m)

    def pack(t):
        packed.append(t.tolist())
        return t.tolist()

    def unpack(content):
        unpacked.append(content)
        return m.tensor(content, dtype=m.float64)

    with m.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = x.exp()
        z = y.sin() + square(m)(x)
    z.sum().backward()
    return sorted(packed), sorted(unpacked), x.grad


@program
def saved_tensors_hooks_nest(m):
    log, x = [], leaf(m)

    def hooks(name):
        return m.autograd.graph.saved_tensors_hooks(
            lambda t: (log.append(name), t)[1], lambda t: (log.append(f"un{name}"), t)[1]
        )

    with hooks("a"):
        y = x.exp()
        with hooks("b"):
            y = y.sin()
        with m.no_grad():
            y.cos()
            with m.enable_grad():
                y = y.exp()
    y = y.tanh()
    y.sum().backward()
    return log, x.grad


@program
def saved_tensors_hooks_and_second_derivatives(m):
    x = leaf(m)
    with m.autograd.graph.saved_tensors_hooks(lambda t: t.numpy().copy(), m.from_numpy):
        y = (x.exp() * x.sin()).sum()
        (slope,) = m.autograd.grad(y, x, create_graph=True)
    slope.sum().backward()
    return slope, x.grad


@refused
def an_unpack_hook_that_gives_no_tensor(m):
    with m.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = leaf(m).exp()
    y.sum().backward()


@refused
def hooks_where_they_are_disabled(m):
    graph = m.autograd.graph
    with graph.disable_saved_tensors_hooks("no"), graph.saved_tensors_hooks(list, list):
        pass


@program
def increment_version_counts(m):
    x = m.ones(2)
    m.autograd.graph.increment_version(x)
    m.autograd.graph.increment_version([x, x])
    return x._version


# ---- grad and backward ---------------------------------------------------------------------------


@program
def grad_of_a_dictionary(m):
    inputs = {"a": leaf(m), "b": leaf(m, 3.0, 4.0)}
    found = m.autograd.grad((inputs["a"] * inputs["b"]).sum(), inputs)
    return list(found), found["a"], found["b"]


@program
def grad_of_edges(m):
    x = leaf(m)
    y = x * 3
    edge = m.autograd.graph.get_gradient_edge(y)
    out = (y * y).sum()
    start = m.autograd.graph.get_gradient_edge(out)
    (slope,) = m.autograd.grad(out, edge, retain_graph=True)
    m.autograd.backward(start, m.tensor(2.0, dtype=m.float64))
    return slope, x.grad, edge.output_nr, edge.node is y.grad_fn


@program
def batched_grad(m):
    x = leaf(m)
    (rows,) = m.autograd.grad(
        x * x, x, m.eye(2, dtype=m.float64), is_grads_batched=True
    )  # fmt: skip
    return rows


@program
def backward_into_computed_and_leaf_inputs(m):
    x = leaf(m)
    y = x * 2
    z = (y * y * x).sum()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m.autograd.backward(z, inputs=[y, x])
        return y.grad, x.grad


@program
def accumulate_grad_is_reachable(m):
    x = leaf(m)
    node = x.expand_as(x).grad_fn.next_functions[0][0]
    return node.variable is x


@refused
def grad_without_inputs(m):
    m.autograd.grad(leaf(m).sum(), [])


@refused
def an_edge_of_what_has_no_graph(m):
    m.autograd.graph.get_gradient_edge(m.ones(2))


# ---- functional ----------------------------------------------------------------------------------


def pair(m, constant=False):
    make = (lambda *v: m.tensor(v, dtype=m.float64)) if constant else (lambda *v: leaf(m, *v))
    return make(1.0, 2.0), make(3.0, 4.0, 5.0)


def outer(x, y):
    return (x.exp()[:, None] * y).sum(0), (x * x).sum() * y.sin().sum()


@program
def jacobians(m):
    F, x, y = m.autograd.functional, *pair(m, True)
    return (
        F.jacobian(lambda x: x**3, x),
        F.jacobian(lambda x: (x**3, x.sum()), x),
        F.jacobian(lambda x, y: (x[:, None] * y).sum(1), (x, y)),
        F.jacobian(outer, (x, y)),
        F.jacobian(lambda x: (x.sin(),), (x,)),
        F.jacobian(lambda x: m.ones(2, dtype=m.float64), x),
        F.jacobian(lambda x: x.sin(), x, vectorize=True),
        F.jacobian(lambda x: x.sin(), x, vectorize=True, strategy="forward-mode"),
    )


@program
def jacobian_that_is_differentiated(m):
    F, (x, y) = m.autograd.functional, pair(m)
    a, b = F.jacobian(lambda x, y: (x[:, None] * y.sin()).sum(1), (x, y), create_graph=True)
    (a.sum() * b.sum()).backward()
    return a, b, x.grad, y.grad


@program
def hessians(m):
    F, x, y = m.autograd.functional, *pair(m, True)
    return (
        F.hessian(lambda x: (x**3).sum(), x),
        F.hessian(lambda x, y: outer(x, y)[1], (x, y)),
        F.hessian(lambda x: x.sum(), x),
        F.hessian(lambda x: (x**2).sum().reshape(1), x),
    )


@program
def hessian_that_is_differentiated(m):
    F, (x, _) = m.autograd.functional, pair(m)
    hessian = F.hessian(lambda x: (x**4).sum(), x, create_graph=True)
    hessian.sum().backward()
    return hessian, x.grad


@program
def products(m):
    F, x, y = m.autograd.functional, *pair(m, True)
    one = m.tensor(2.0, dtype=m.float64)
    return (
        F.vjp(lambda x: x.sin(), x, x),
        F.vjp(lambda x: x.sin().sum(), x),
        F.vjp(outer, (x, y), (y, one)),
        F.jvp(lambda x: x.sin(), x, x),
        F.jvp(lambda a: a * x, one),
        F.jvp(outer, (x, y), (x, y)),
        F.jvp(lambda x: m.ones(2, dtype=m.float64), x, x),
        F.hvp(lambda x: (x**3).sum(), x, x),
        F.vhp(lambda x, y: outer(x, y)[1], (x, y), (x, y)),
        F.hvp(lambda x, y: outer(x, y)[1], (x, y), (x, y)),
        F.hvp(lambda x: x.sum(), x, x),
    )


@program
def products_that_are_differentiated(m):
    F, results = m.autograd.functional, []
    for name in ("vjp", "jvp", "hvp", "vhp"):
        x, v = leaf(m), leaf(m, 3.0, 4.0)
        function = (lambda x: x**3) if name in ("vjp", "jvp") else (lambda x: (x**4).sum())
        value, product = getattr(F, name)(function, x, v, create_graph=True)
        (value.sum() * product.sum()).backward()
        results += [value, product, x.grad, v.grad]
    return results


@program
def functional_touches_no_grad(m):
    F, x = m.autograd.functional, leaf(m)
    result = F.jacobian(lambda x: x**2, x)
    value, product = F.vjp(lambda x: x**2, x, m.ones(2, dtype=m.float64))
    return x.grad is None, result.requires_grad, value.requires_grad, product.requires_grad


def refuse_functional(name, *args, **named):
    def attempt(m):
        x = m.tensor([1.0, 2.0], dtype=m.float64)
        given = [eval(a, {"m": m, "x": x}) if isinstance(a, str) else a for a in args]
        getattr(m.autograd.functional, name)(*given, **named)

    attempt.__name__ = f"{name}{args}{named or ''}"
    REFUSED.append(attempt)


CONSTANT = "lambda x: m.ones(2, dtype=m.float64)"
for case in [
    ("jacobian", "lambda x: x", "[x]"), ("jacobian", "lambda x: x", "3.0"),
    ("jacobian", "lambda x: [x]", "x"), ("jacobian", "lambda x: 3.0", "x"),
    ("hessian", "lambda x: x", "x"), ("hessian", "lambda x: (x.sum(),)", "x"),
    ("vjp", "lambda x: x", "x"), ("vjp", "lambda x: x", "x", "x[:1]"),
    ("vjp", "lambda x: x", "x", "(x, x)"), ("jvp", "lambda x: x", "x"),
    ("jvp", "lambda x: x", "x", "x[:1]"), ("hvp", "lambda x: x", "x", "x"),
    ("vhp", "lambda x: (x.sum(),)", "x", "x"), ("hvp", "lambda x: x.sum()", "x"),
]:  # fmt: skip
    refuse_functional(*case)
for case in [
    ("jacobian", CONSTANT, "x"), ("jacobian", "lambda a, b: a * 1", "(x, x)"),
    ("hessian", "lambda x: x.sum()", "x"), ("vjp", CONSTANT, "x", "x"),
    ("jvp", CONSTANT, "x", "x"), ("hvp", "lambda x: x.sum()", "x", "x"),
    ("vhp", "lambda x: x.sum()", "x", "x"),
]:  # fmt: skip
    refuse_functional(*case, strict=True)
refuse_functional("jacobian", "lambda x: x * 1", "x", strict=True, create_graph=True)
refuse_functional("jvp", "lambda x: x * 1", "x", "x", strict=True, create_graph=True)
refuse_functional("jacobian", "lambda x: x * 1", "x", strict=True, vectorize=True)
refuse_functional("jacobian", "lambda x: x * 1", "x", strategy="sideways")
refuse_functional("jacobian", "lambda x: x * 1", "x", strategy="forward-mode")


# ---- inference mode ------------------------------------------------------------------------------


@program
def inference_tensors(m):
    x = leaf(m)
    with m.inference_mode():
        a, view, product = m.ones(2), x.view(1, 2), x * 2
        inside = (m.is_inference_mode_enabled(), m.is_grad_enabled())
        a.add_(1)
        with m.enable_grad():
            b = x * 2
        with m.inference_mode(False):
            c = x * 2
            outside = (m.is_inference_mode_enabled(), m.is_grad_enabled())
        d = m.ones(2).requires_grad_()
    kinds = [t.is_inference() for t in (a, view, product, b, c, d, a.view(1, 2), a.detach())]
    kinds += [t.is_inference() for t in (a * 2, a.clone(), x)]
    return kinds, inside, outside, a, c.requires_grad, b.requires_grad, (x + a).requires_grad


def inferred(m):
    with m.inference_mode():
        return m.ones(2, dtype=m.float64)


@refused
def requiring_a_gradient_of_an_inference_tensor(m):
    inferred(m).requires_grad_()


@refused
def saving_an_inference_tensor(m):
    leaf(m) * inferred(m)


@refused
def saving_an_inference_tensor_by_a_function(m):
    function(m, lambda ctx, x, y: (ctx.save_for_backward(y), x)[1], None)(leaf(m), inferred(m))


@refused
def writing_to_an_inference_tensor(m):
    inferred(m).add_(1)


@refused
def writing_to_an_inference_tensor_under_no_grad(m):
    with m.no_grad():
        inferred(m).zero_()


@refused
def the_version_of_an_inference_tensor(m):
    return inferred(m)._version


# ---- comparing -----------------------------------------------------------------------------------


def plain(value):
    if hasattr(value, "requires_grad"):
        return value.detach().numpy()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def same(ours, theirs):
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
    elif isinstance(ours, np.ndarray):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=1e-12)
    else:
        assert ours == theirs


@pytest.mark.parametrize("run", PROGRAMS, ids=lambda f: f.__name__)
def test_program_gives_what_pytorch_gives(run, torch):
    ours = plain(run(mt))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's forward mode warns of its own parts
        theirs = plain(run(torch))
    same(ours, theirs)


@pytest.mark.parametrize("run", REFUSED, ids=lambda f: f.__name__)
def test_program_raises_what_pytorch_raises(run, torch):
    with pytest.raises(Exception) as theirs:
        run(torch)
    with pytest.raises(Exception) as ours:
        run(mt)
    assert type(ours.value) is theirs.type
    assert str(ours.value)
