"""A laboratory: what activations are for, and how optimizers differ, on scikit-learn's data.

Every function returns a :class:`Result` with pictures, tables and verdicts that are computed from
the run. It needs more than the rest of microtensor: ``pip install "microtensor[lab]"``.
"""

from microtensor.lab.collapse import Collapse, collapse
from microtensor.lab.compare import compare
from microtensor.lab.data import DATASETS, Dataset, dataset, load, load_csv
from microtensor.lab.linear import Plan, linear_collapse
from microtensor.lab.optimizers import OPTIMIZERS, Recipe
from microtensor.lab.result import Column, Result, Table, Verdict, check_folder
from microtensor.lab.trial import Budget, Task

__all__ = [
    "DATASETS",
    "OPTIMIZERS",
    "Budget",
    "Collapse",
    "Column",
    "Dataset",
    "Plan",
    "Recipe",
    "Result",
    "Table",
    "Task",
    "Verdict",
    "check_folder",
    "collapse",
    "compare",
    "dataset",
    "linear_collapse",
    "load",
    "load_csv",
]
