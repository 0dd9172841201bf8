"""What two Python threads may share: a leaf that both walks end at, a generator both draw from."""

import os
import threading

import pytest

import microtensor as mt


def in_two_threads(function):
    results = []
    threads = [threading.Thread(target=lambda: results.append(function())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    return results


def test_no_gradient_is_lost_when_two_walks_end_at_one_leaf():
    x = mt.zeros(1_000_000, requires_grad=True)

    def walks():
        for _ in range(100):
            (x * 1.0).sum().backward()

    in_two_threads(walks)
    assert x.grad.min().item() == x.grad.max().item() == 200


@pytest.mark.parametrize(
    "draw",
    [
        lambda: mt.rand(200_000),
        lambda: mt.randint(0, 2**40, (200_000,)),
        lambda: mt.nn.functional.dropout(mt.ones(200_000), 0.5),
    ],
    ids=["rand", "randint", "dropout"],
)
def test_no_number_is_drawn_twice_when_two_threads_share_a_generator(draw):
    drawn = in_two_threads(lambda: [draw().numpy().tobytes() for _ in range(40)])
    assert len({*drawn[0], *drawn[1]}) == 80


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_forked_while_another_thread_draws_can_draw_and_walk():
    done = threading.Event()

    def draws():
        while not done.is_set():
            mt.rand(200_000)

    thread = threading.Thread(target=draws)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if not child:
                import signal

                signal.alarm(20)  # a child that hangs is ended, and noticed
                x = mt.rand(3, requires_grad=True)
                x.sum().backward()
                os._exit(0 if x.grad.tolist() == [1.0] * 3 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()
