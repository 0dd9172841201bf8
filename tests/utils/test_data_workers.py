"""Worker processes of a DataLoader: the same batches, and what happens when one fails."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import microtensor as mt
from microtensor.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="these tests fork"),
    # Python's warning about forking a process that has threads, such as the kernels' own.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


class Squares(Dataset):
    def __len__(self):
        return 11

    def __getitem__(self, index):
        return mt.tensor([float(index)]) ** 2, index


class Drawn(Squares):
    """Samples with something drawn, and by whom."""

    def __getitem__(self, index):
        return index, get_worker_info().id, float(mt.rand(()))


class Failing(Squares):
    def __init__(self, failure):
        self.failure = failure

    def __getitem__(self, index):
        if index == 4:
            self.failure()
        return index


class Shared(IterableDataset):
    """A stream of which each worker takes its share."""

    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, 7, info.num_workers))


def plain(loader):
    return [[part.tolist() for part in batch] for batch in loader]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_batches_are_those_of_one_process(context):
    options = {"batch_size": 3, "shuffle": True}
    expected = plain(DataLoader(Squares(), seed=1, **options))
    found = DataLoader(Squares(), seed=1, num_workers=2, multiprocessing_context=context, **options)
    assert plain(found) == expected


def forked(dataset, **options):
    return DataLoader(dataset, num_workers=2, multiprocessing_context="fork", **options)


def test_workers_take_turns_and_repeat_what_they_draw():
    first, again = (plain(forked(Drawn(), batch_size=2, seed=5)) for _ in range(2))
    assert first == again
    assert [batch[1][0] for batch in first] == [0, 1, 0, 1, 0, 1]
    drawn = [x for batch in first for x in batch[2]]
    assert len(set(drawn)) == len(drawn)


def test_persistent_workers_stay_the_same_and_draw_anew():
    class Process(Squares):
        def __getitem__(self, index):
            return os.getpid(), float(mt.rand(()))

    loader = forked(Process(), batch_size=4, persistent_workers=True, seed=0)
    first, second = plain(loader), plain(loader)
    pids = [{pid for batch in epoch for pid in batch[0]} for epoch in (first, second)]
    assert pids[0] == pids[1]
    assert len(pids[0]) == 2
    assert first[0][1] != second[0][1]
    # An epoch that is broken off leaves nothing behind for the next one.
    next(iter(loader))
    assert [len(batch[0]) for batch in loader] == [4, 4, 3]
    loader._pool.close()
    assert len(plain(loader)) == 3  # new ones come


def test_streams_are_shared_by_workers():
    assert sorted(x for b in forked(Shared(), batch_size=2) for x in b.tolist()) == list(range(7))
    assert [b.tolist() for b in forked(Shared(), batch_size=2)] == [[0, 2], [1, 3], [4, 6], [5]]


def test_workers_are_initialised_with_their_numbers():
    seen = []

    class Seen(Squares):
        def __getitem__(self, index):
            return seen[0]

    found = plain_numbers(forked(Seen(), batch_size=1, worker_init_fn=seen.append))
    assert found == [i % 2 for i in range(11)]
    assert seen == []


def plain_numbers(loader):
    return [int(batch) for batch in loader]


def test_batches_as_they_are_made():
    class Slow(Squares):
        def __getitem__(self, index):
            time.sleep(0.3 if index == 0 else 0)
            return index

    loader = forked(Slow(), in_order=False, prefetch_factor=3)
    found = plain_numbers(loader)
    assert sorted(found) == list(range(11))
    assert found[0] != 0


class Peculiar(Exception):
    def __init__(self, one, two):
        super().__init__(one, two)


def raising(error):
    def fail():
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("bad sample"), ValueError),
        (KeyError("bad sample"), KeyError),
        (Peculiar("bad", "sample"), RuntimeError),
    ],
)
def test_what_a_worker_raises_is_raised_with_its_traceback(error, kind):
    batches = iter(forked(Failing(raising(error)), batch_size=2))
    assert [next(batches).tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(kind) as caught:
        next(batches)
    message = str(caught.value)
    assert f"Caught {type(error).__name__} in DataLoader worker process 0" in message
    assert "in __getitem__" in message
    assert "self.failure()" in message
    assert next(batches).tolist() == [6, 7]  # the others can be had


def test_what_the_initialisation_raises_is_raised():
    with pytest.raises(ZeroDivisionError, match="worker process 0"):
        list(forked(Squares(), worker_init_fn=lambda number: 1 / 0))


def test_batches_that_cannot_be_sent_say_so():
    loader = forked(Squares(), collate_fn=lambda samples: lambda: samples)
    with pytest.raises((AttributeError, RuntimeError, TypeError), match=r"process 0(.|\n)*pickle"):
        list(loader)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda: os._exit(3), "exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by signal: SIGKILL"),
    ],
)
def test_a_worker_that_dies_is_named(end, words):
    loader = forked(Failing(end), batch_size=2)
    with pytest.raises(RuntimeError, match=rf"worker 0 \(pid \d+\) exited unexpectedly: {words}"):
        list(loader)


def test_waiting_has_an_end():
    loader = forked(Failing(lambda: time.sleep(60)), batch_size=4, timeout=0.3)
    with pytest.raises(RuntimeError, match=r"timed out after 0\.3 seconds"):
        list(loader)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": -1}, "timeout.*-1"),
        ({"prefetch_factor": 2}, "prefetch_factor.*num_workers"),
        ({"persistent_workers": True}, "persistent_workers.*num_workers"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context.*num_workers"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor.*0"),
        ({"num_workers": 1.0}, "num_workers.*1.0"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        DataLoader(Squares(), **options)


SCRIPT = """
    import os, time
    import microtensor as mt
    from microtensor.utils.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 1000
        def __getitem__(self, index):
            time.sleep(0.05)
            return os.getpid()

    loader = DataLoader(Slow(), num_workers=2, multiprocessing_context="fork")
    batches = iter(loader)
    print(*{int(next(batches)) for _ in range(4)}, flush=True)
    for _ in batches:
        pass
"""


def alive(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:  # one that is dead may still be listed
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_main_process(number):
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = [int(pid) for pid in program.stdout.readline().split()]
    assert len(workers) == 2
    if number is signal.SIGINT:  # as a terminal sends it: to all
        os.killpg(program.pid, number)
    else:
        program.kill()
    _, errors = program.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, workers))
    if number is signal.SIGINT:
        assert errors.count("Traceback") == 1
        assert "KeyboardInterrupt" in errors


def test_a_forked_process_leaves_the_workers_it_inherits_alone():
    batches = iter(DataLoader(Squares(), num_workers=1))
    next(batches)
    child = os.fork()
    if child == 0:
        complaints = []
        sys.unraisablehook = complaints.append
        del batches  # whose end would be that of its workers
        os._exit(len(complaints))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(list(batches)) == 10
