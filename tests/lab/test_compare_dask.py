"""The same sweep on a cluster: joblib's dask backend, with a local one."""

import json
import os

import pytest

from microtensor import lab

joblib = pytest.importorskip("joblib")
distributed = pytest.importorskip("distributed")
BUDGET = lab.Budget(
    steps=10, every=5, rates=(2e-3, 1e-2), draws=1, finalists=1, finalist_runs=1, runs=2
)


@pytest.mark.filterwarnings("ignore")  # of dask's own
def test_a_dask_cluster_gives_the_same_losses_and_every_row(tmp_path):
    def own(run):
        import microtensor as mt

        x = mt.tensor([2.0, 1.0 + run % 3], requires_grad=True)
        # The score tells in which process it was run.
        return lab.Problem([x], lambda: (x * x).sum(), score=lambda: float(os.getpid()))

    tasks = ["rosenbrock", lab.Task("bowl", own, 1e-2)]
    here = lab.compare(tasks, ("sgd", "adam"), BUDGET, jobs=1)
    path = tmp_path / "runs.jsonl"
    with (
        distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None),
        joblib.parallel_config(backend="dask"),
    ):
        there = lab.compare(tasks, ("sgd", "adam"), BUDGET, results=path)
    for key in ("task", "optimizer", "choice", "training_loss", "validation_loss", "rank"):
        assert [row[key] for row in there.table.records] == [row[key] for row in here.table.records]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == BUDGET.number(2, 2)
    scores = {row["outcome"]["score"] for row in rows if row["settings"]["task"] == "bowl"}
    assert scores and os.getpid() not in scores
