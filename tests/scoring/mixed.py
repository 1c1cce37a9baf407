"""A contract with one feature of each kind, and what reads students of it."""

from records.contract import Contract
from records.files.toml_file import parse_toml
from scoring.students.intake import Intake

MIXED = parse_toml(
    """
    name = "mixed"
    version = 1
    title = "One feature of each kind"
    [periods]
    name = "week"
    maximum = 4
    [[features]]
    name = "clicks"
    label = "Clicks"
    minimum = 0
    [[features]]
    name = "balance"
    label = "Balance"
    [[features]]
    name = "region"
    label = "Region"
    kind = "categorical"
    levels = ["north", "south", "42"]
    [[features]]
    name = "effort"
    label = "Effort"
    kind = "ordinal"
    levels = ["low", "middle", "high"]
    better = "higher"
    [[features]]
    name = "enrolled"
    label = "Enrolled"
    kind = "flag"
    [targets.risk]
    label = "Fails"
    [targets.score]
    label = "Next mark"
    minimum = 0
    maximum = 100
    """,
    Contract,
    name="mixed.toml",
)
INTAKE = Intake(MIXED)
