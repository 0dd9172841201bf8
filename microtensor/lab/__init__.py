"""A laboratory: what activations are for, what they do, how optimizers differ, what ails a network.

Every function returns a :class:`Result` with pictures, tables and verdicts that are computed from
the run. It needs more than the rest of microtensor: ``pip install "microtensor[lab]"``.
"""

from microtensor.lab.atlas import atlas
from microtensor.lab.catalogue import activation_names
from microtensor.lab.collapse import Collapse, collapse
from microtensor.lab.compare import compare
from microtensor.lab.data import DATASETS, Dataset, dataset, load, load_csv
from microtensor.lab.depth import DepthPlan, activation_depth
from microtensor.lab.doctor import Diagnosis, Finding, diagnose
from microtensor.lab.linear import Plan, linear_collapse
from microtensor.lab.optimizers import OPTIMIZERS, Recipe
from microtensor.lab.result import Column, Result, Table, Verdict, check_folder
from microtensor.lab.slices import panel_names
from microtensor.lab.traits import Traits, traits
from microtensor.lab.trial import Budget, Task

__all__ = [
    "DATASETS",
    "OPTIMIZERS",
    "Budget",
    "Collapse",
    "Column",
    "Dataset",
    "DepthPlan",
    "Diagnosis",
    "Finding",
    "Plan",
    "Recipe",
    "Result",
    "Table",
    "Task",
    "Traits",
    "Verdict",
    "activation_depth",
    "activation_names",
    "atlas",
    "check_folder",
    "collapse",
    "compare",
    "dataset",
    "diagnose",
    "linear_collapse",
    "load",
    "load_csv",
    "panel_names",
    "traits",
]
