"""Whether operations are recorded: switches, decorators, generators, threads."""

import threading

import pytest

import microtensor as mt


def leaf():
    return mt.ones(2, requires_grad=True)


def test_recording_is_on_at_first():
    assert mt.is_grad_enabled()
    assert (leaf() * 2).requires_grad


@pytest.mark.parametrize("switch", [mt.no_grad, lambda: mt.set_grad_enabled(False)])
def test_switch_holds_inside_its_block_only(switch):
    x = leaf()
    with switch():
        assert not mt.is_grad_enabled()
        y = x * 2
    assert mt.is_grad_enabled()
    assert not y.requires_grad and y.is_leaf and y.grad_fn is None
    assert x.requires_grad


def test_switches_nest():
    with mt.no_grad():
        with mt.enable_grad():
            assert mt.is_grad_enabled()
            with mt.set_grad_enabled(False):
                assert not mt.is_grad_enabled()
            assert mt.is_grad_enabled()
        assert not mt.is_grad_enabled()
    assert mt.is_grad_enabled()


def test_one_switch_object_may_be_nested_in_itself():
    switch = mt.no_grad()
    with switch:
        with switch:
            assert not mt.is_grad_enabled()
        assert not mt.is_grad_enabled()
    assert mt.is_grad_enabled()


def test_mode_returns_after_an_exception():
    with pytest.raises(KeyError), mt.no_grad():
        raise KeyError
    assert mt.is_grad_enabled()


def test_set_grad_enabled_takes_effect_as_a_plain_call():
    try:
        mt.set_grad_enabled(False)
        assert not mt.is_grad_enabled()
    finally:
        mt.set_grad_enabled(True)
    assert mt.is_grad_enabled()


@pytest.mark.parametrize(
    "make",
    [lambda: mt.no_grad(), lambda: mt.no_grad, lambda: mt.set_grad_enabled(False)],
    ids=["no_grad()", "no_grad", "set_grad_enabled(False)"],
)
def test_decorator_holds_during_calls_only(make):
    @make()
    def function(x, *, factor):
        """Multiply."""
        assert not mt.is_grad_enabled()
        return x * factor

    assert mt.is_grad_enabled()
    assert not function(leaf(), factor=3).requires_grad
    assert mt.is_grad_enabled()
    assert function.__name__ == "function" and function.__doc__ == "Multiply."


def test_decorated_function_restores_the_mode_after_an_exception():
    @mt.no_grad()
    def function():
        raise KeyError

    with pytest.raises(KeyError):
        function()
    assert mt.is_grad_enabled()


def test_decorated_generator_holds_the_mode_only_while_its_own_code_runs():
    seen = []

    @mt.no_grad()
    def generate():
        try:
            seen.append(mt.is_grad_enabled())
            sent = yield 1
            seen.append((sent, mt.is_grad_enabled()))
            try:
                yield 2
            except KeyError:
                seen.append(("thrown", mt.is_grad_enabled()))
            yield 3
        finally:
            seen.append(("closed", mt.is_grad_enabled()))
        return 4

    generator = generate()
    assert next(generator) == 1 and mt.is_grad_enabled()
    assert generator.send("a") == 2 and mt.is_grad_enabled()
    assert generator.throw(KeyError()) == 3 and mt.is_grad_enabled()
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == 4
    assert seen == [False, ("a", False), ("thrown", False), ("closed", False)]
    assert mt.is_grad_enabled()


def test_closing_a_decorated_generator_closes_the_inner_one():
    closed = []

    @mt.no_grad()
    def generate():
        try:
            yield 1
        finally:
            closed.append(mt.is_grad_enabled())

    generator = generate()
    next(generator)
    generator.close()
    assert closed == [False]
    assert mt.is_grad_enabled()


def test_mode_is_per_thread():
    seen = {}

    def work():
        seen["at first"] = mt.is_grad_enabled()
        mt.set_grad_enabled(False)

    with mt.no_grad():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert not mt.is_grad_enabled()
    assert seen["at first"]
    assert mt.is_grad_enabled()


def test_graphs_of_several_threads_do_not_disturb_each_other():
    results = {}

    def work(name):
        x = mt.full((4,), float(name), requires_grad=True)
        for _ in range(20):
            y = x
            for _ in range(20):
                y = y * 1.0 + x
            y.sum().backward()
        results[name] = x.grad.tolist()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {name: [420.0] * 4 for name in range(4)}


def test_a_graph_may_be_walked_in_another_thread():
    x = leaf()
    y = (x * 3).sum()
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert x.grad.tolist() == [3, 3]


def test_backward_leaves_the_mode_as_it_was():
    x = leaf()
    y = (x * x).sum()
    with mt.no_grad():
        y.backward()
        assert not mt.is_grad_enabled()
    y = (x * x).sum()
    y.backward(create_graph=True)
    assert mt.is_grad_enabled()


def test_mode_is_restored_when_a_hook_raises():
    x = leaf()

    def fail(gradient):
        raise KeyError

    x.register_hook(fail)
    with pytest.raises(KeyError):
        (x * 2).sum().backward()
    assert mt.is_grad_enabled()
