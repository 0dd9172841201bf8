"""A laboratory: what activations are for, what they do, how optimizers differ, what ails a network.

Every function returns a :class:`Result` with pictures, tables and verdicts that are computed from
the run. It needs more than the rest of microtensor: ``pip install "microtensor[lab]"``.
"""

from microtensor.lab import clouds
from microtensor.lab.atlas import atlas
from microtensor.lab.bends import bends
from microtensor.lab.catalogue import activation_names
from microtensor.lab.collapse import Collapse, collapse
from microtensor.lab.compare import compare
from microtensor.lab.curve_fit import CURVES, curve_fit
from microtensor.lab.data import DATASETS, REGRESSIONS, Dataset, dataset, load, load_csv, regression
from microtensor.lab.depth import DepthPlan, activation_depth
from microtensor.lab.doctor import Diagnosis, Finding, diagnose
from microtensor.lab.fit import Fit, fit
from microtensor.lab.landscape import loss_landscape
from microtensor.lab.linear import Plan, linear_collapse
from microtensor.lab.local_map import LocalMap, collapse_at
from microtensor.lab.lr_find import RateSearch, lr_find
from microtensor.lab.optimizers import OPTIMIZERS, Range, Recipe
from microtensor.lab.problems import TASKS, Problem, Task, task, task_names
from microtensor.lab.published import published
from microtensor.lab.race import RACE_RATES, RACERS, race
from microtensor.lab.regions import Regions, regions
from microtensor.lab.report import report
from microtensor.lab.result import Column, Result, Table, Verdict, check_folder
from microtensor.lab.slices import panel_names
from microtensor.lab.surfaces import Surface, surface_names
from microtensor.lab.traits import Traits, traits
from microtensor.lab.trial import Budget
from microtensor.lab.unfold import Unfolding, unfold

__all__ = [
    "CURVES",
    "DATASETS",
    "OPTIMIZERS",
    "RACERS",
    "RACE_RATES",
    "REGRESSIONS",
    "TASKS",
    "Budget",
    "Collapse",
    "Column",
    "Dataset",
    "DepthPlan",
    "Diagnosis",
    "Finding",
    "Fit",
    "LocalMap",
    "Plan",
    "Problem",
    "Range",
    "RateSearch",
    "Recipe",
    "Regions",
    "Result",
    "Surface",
    "Table",
    "Task",
    "Traits",
    "Unfolding",
    "Verdict",
    "activation_depth",
    "activation_names",
    "atlas",
    "bends",
    "check_folder",
    "clouds",
    "collapse",
    "collapse_at",
    "compare",
    "curve_fit",
    "dataset",
    "diagnose",
    "fit",
    "linear_collapse",
    "load",
    "load_csv",
    "loss_landscape",
    "lr_find",
    "panel_names",
    "published",
    "race",
    "regions",
    "regression",
    "report",
    "surface_names",
    "task",
    "task_names",
    "traits",
    "unfold",
]
