"""The policy: tiers and rules, as a TOML file that an academic office edits without retraining."""

from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from records.arrays import Doubles
from records.contract import SHIPPED, Contract
from records.errors import ContractError
from records.files.toml_file import Key, line_of_keys, parse_toml
from scoring.policy.parts import Measure, Minimum, Owner, PolicyFields, Praise, Rule, Tier
from scoring.policy.validation import faults_against_contract, faults_within

__all__ = [
    "Measure",
    "Minimum",
    "Owner",
    "Policy",
    "Praise",
    "Rule",
    "Tier",
    "load_policy",
    "policy_text",
]


class Policy(PolicyFields):
    """Tiers and rules: which deficiency leads to which recommendation."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # Locations make the reader name the line of each fault, not that of the whole file.
        if faults := list(faults_within(self)):
            raise ValidationError.from_exception_data(
                "Policy",
                [
                    InitErrorDetails(
                        type=PydanticCustomError("policy", "{why}", {"why": why}),
                        loc=where,
                        input=None,
                    )
                    for where, why in faults
                ],
            )
        return self

    @cached_property
    def bounds(self) -> Doubles:
        """(tiers,) the smallest probability of each tier, ascending."""
        return np.array([tier.from_ for tier in self.tiers])

    def tiers_of(self, rule: Rule) -> tuple[str, ...]:
        """Return the names of the tiers in which `rule` applies."""
        return rule.tiers or tuple(tier.name for tier in self.tiers[1:])


def load_policy(source: str | Path, contract: Contract) -> Policy:
    """Read a policy, the shipped one by name or a TOML file by path, and check its contract.

    Raises:
        ContractError: Unknown name, or a file that breaks the rules or does not fit `contract`
            (file, line, key, reason).
    """
    text, name = policy_text(source), _file_name(source)
    policy = parse_toml(text, Policy, name=name)
    lines = line_of_keys(text)
    if faults := [
        f"{name}:{_line(lines, where)}: {'.'.join(map(str, where))}: {why}"
        for where, why in faults_against_contract(policy, contract)
    ]:
        raise ContractError("\n".join(faults))
    return policy


def policy_text(source: str | Path) -> str:
    """Return the TOML text of a policy: of the shipped one by name, or of the file at a path.

    Raises:
        ContractError: Unknown name, no such file, or not UTF-8.
    """
    if str(source) in SHIPPED:
        return (resources.files("scoring.policy.shipped") / f"{source}.toml").read_text(
            encoding="utf-8"
        )
    path = Path(source)
    if path.suffix != ".toml":
        raise ContractError(
            f"'{source}' is no shipped policy ({', '.join(SHIPPED)}) and no .toml file."
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ContractError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8.") from None


def _file_name(source: str | Path) -> str:
    return f"{source}.toml" if str(source) in SHIPPED else str(source)


def _line(lines: dict[tuple[Key, ...], int], where: Sequence[Key]) -> int:
    parents = (tuple(where[:end]) for end in range(len(where), -1, -1))
    return next(lines[location] for location in parents if location in lines)
