"""The same sweep on a cluster: joblib's dask backend, with a local one."""

import pytest

from microtensor import lab

joblib = pytest.importorskip("joblib")
distributed = pytest.importorskip("distributed")
BUDGET = lab.Budget(
    steps=10, every=5, rates=(1e-3, 1e-2), draws=1, finalists=1, finalist_runs=1, runs=2
)


@pytest.mark.filterwarnings("ignore")  # of dask's own
def test_a_dask_cluster_gives_the_same_table_and_every_row(tmp_path):
    def own(run):
        import microtensor as mt

        x = mt.tensor([2.0, 1.0 + run % 3], requires_grad=True)
        return lab.Problem([x], lambda: (x * x).sum())

    tasks = ["rosenbrock", lab.Task("bowl", own, 1e-2)]
    here = lab.compare(tasks, ("sgd", "adam"), BUDGET, jobs=1)
    path = tmp_path / "runs.jsonl"
    with (
        distributed.Client(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ),
        joblib.parallel_config(backend="dask"),
    ):
        there = lab.compare(tasks, ("sgd", "adam"), BUDGET, results=path)
    assert str(there) == str(here)
    assert len(path.read_text().splitlines()) <= BUDGET.number(2, 2)
