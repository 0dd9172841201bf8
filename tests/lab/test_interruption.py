"""Ctrl-C: none is lost, workers do not see it, and a script ends of it whatever it is doing."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from microtensor.lab.interruption import workers_deaf_to_ctrl_c

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")

# A script that swallows what Ctrl-C raises, as a finalizer does, and then waits for ever.
STUBBORN = """
import multiprocessing, time
from microtensor.lab import interruption

interruption._SECONDS = 0.5
worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
with interruption.ends_of_ctrl_c("ended"):
    with interruption.workers_deaf_to_ctrl_c():
        worker.start()
    try:
        print("begun", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("swallowed", flush=True)
    time.sleep(60)
"""


# A script with a thread whose work is taken away under it, as joblib's is, when Ctrl-C comes.
BEREFT = """
import threading, time
from microtensor.lab import interruption

jobs, taken = {"job": 1}, threading.Event()

def feed():
    taken.wait()
    jobs["job"]

thread = threading.Thread(target=feed)
with interruption.ends_of_ctrl_c("ended"):
    thread.start()
    try:
        print("begun", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        jobs.clear()
        taken.set()
        thread.join()
"""


def test_ctrl_c_while_workers_start_is_raised_once_they_have():
    before = signal.getsignal(signal.SIGINT)
    reached = []
    with pytest.raises(KeyboardInterrupt), workers_deaf_to_ctrl_c():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        reached.append("the end")
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_worker_does_not_see_ctrl_c():
    code = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    with workers_deaf_to_ctrl_c():
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "True"


@contextmanager
def begun(script):
    """A script that has said so; whatever happens, its process is ended."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def test_a_thread_that_fails_of_ctrl_c_prints_nothing():
    with begun(BEREFT) as process:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and output == "" and errors == ""


def test_a_script_that_does_not_end_of_ctrl_c_is_ended():
    pytest.importorskip("joblib")
    with begun(STUBBORN) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "swallowed\n"
        process.send_signal(signal.SIGINT)  # by someone who cannot wait
        # Whose end is the end of all who write to these pipes: the worker's too.
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert output == "" and errors == "ended\n"
