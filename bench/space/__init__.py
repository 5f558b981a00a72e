"""Spaces and their architectures: the declarative language, drawing, counting and encoding.

Reads `search_spaces/*.yaml`. Stands below the networks and imports no torch.
"""

from bench.space import table_drawing  # noqa: F401  (it registers what is drawn of tables)
from bench.space.architecture import Architecture
from bench.space.describe import ChoiceRow, describe
from bench.space.encoding import all_decisions, compose, decide, decisions, feature_names, features
from bench.space.listing import NetworkList, list_networks
from bench.space.sampling import Estimate, NoneFound, at, count, cross_over, draw, estimate_valid, every, mutate
from bench.space.schema import load_space, parse_space, shipped_spaces
from bench.space.space import CostFunction, Space
from bench.space.table import TableArchitecture, TableSpace, nearest_row
from bench.space.table_file import Table, read_table
from bench.space.tree import Decision
from bench.space.union import SpaceUnion, unite
from bench.space.words import Scalar

__all__ = [
    "Architecture",
    "ChoiceRow",
    "CostFunction",
    "Decision",
    "Estimate",
    "NetworkList",
    "NoneFound",
    "Scalar",
    "Space",
    "SpaceUnion",
    "Table",
    "TableArchitecture",
    "TableSpace",
    "all_decisions",
    "at",
    "compose",
    "count",
    "cross_over",
    "decide",
    "decisions",
    "describe",
    "draw",
    "estimate_valid",
    "every",
    "feature_names",
    "features",
    "list_networks",
    "load_space",
    "mutate",
    "nearest_row",
    "parse_space",
    "read_table",
    "shipped_spaces",
    "unite",
]
