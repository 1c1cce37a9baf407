"""`python -m benchmarks.micro.network_cost`: what a network costs to execute, LSTM(64) being 1.

The networks that are chosen by default are built untrained for a contract and exported as they
would be served: what they compute is arbitrary, how long it takes is not. Their inputs are records
drawn at random, a value in ten missing. A second table shows how many records are best executed at
a time (`scoring.runtime.runners.PART`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.command import print_table, run_command
from benchmarks.interleaved import interleaved
from benchmarks.students import limits
from export.convert import to_onnx
from export.specification import RISK, SCORE
from records.arrays import Floats
from records.cohort import Cohort
from records.contract import Contract, Feature, load_contract
from scoring.runtime.onnx_runtime import onnxruntime
from scoring.runtime.providers import Provider, open_session
from scoring.runtime.runners import SessionRunner
from training.data.statistics import learn_statistics
from training.model import Target
from training.networks.builders import build_risk_network, build_score_network
from training.networks.calibration_layer import LOGIT, Calibrate
from training.networks.distilled_network import build_distilled_network
from training.networks.quantile_encoding import learn_edges
from training.networks.quantile_network import build_quantile_score_network, numbers_of
from training.registry import network
from training.settings import NetworkPreset, Quantiles

BASE = "lstm"
NETWORKS: tuple[tuple[Target, str], ...] = (
    ("risk", BASE),
    ("risk", "lstm-large"),
    ("risk", "distilled-lstm"),
    ("score", "attention-lstm"),
    ("score", "attention-lstm-small"),
    ("score", "attention-lstm-quantile"),
    ("score", "attention-lstm-quantile-many"),
)
# Records and periods of an execution, as far as the contract has so many.
SIZES = ((1, 1), (1, 16), (256, 16), (256, 39))
PARTS, PART_PERIODS = (32, 64, 128, 256), (4, 8, 16, 39)
_RECORDS, _MISSING = 512, 0.1


@dataclass(frozen=True, slots=True)
class NetworkCosts:
    """CPU time of an execution of each network, one thread, medians of interleaved rounds.

    Attributes:
        rows: Records of an execution.
        periods: Periods of each.
        microseconds: Name of the network -> time.
    """

    rows: int
    periods: int
    microseconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class PartCosts:
    """CPU time of the work on 256 records in parts, one thread, medians of interleaved rounds.

    Attributes:
        network: Its name.
        periods: Of each record.
        microseconds: Records executed at a time -> time.
    """

    network: str
    periods: int
    microseconds: dict[int, float]


def measure_networks(
    contract: Contract,
    *,
    networks: Sequence[tuple[Target, str]] = NETWORKS,
    sizes: Sequence[tuple[int, int]] = SIZES,
    seconds: float = 2.0,
) -> list[NetworkCosts]:
    """Build, export and time networks of the registry.

    Args:
        contract: What they read.
        networks: Target and name of each.
        sizes: Records and periods; more periods than the contract has are cut to those.
        seconds: Wall-clock time for each size.

    Raises:
        UnknownModelError: The registry holds no such network.
    """
    cohort = _drawn(contract)
    runners = {name: _runner(_session(cohort, target, name)) for target, name in networks}
    wanted = dict.fromkeys((rows, min(long, contract.periods.maximum)) for rows, long in sizes)
    found = []
    for rows, periods in wanted:
        values = np.resize(cohort.values, (rows, *cohort.values.shape[1:]))[:, :periods]
        ways = {name: partial(runner.run, values) for name, runner in runners.items()}
        found.append(NetworkCosts(rows, periods, interleaved(ways, seconds)))
    return found


def measure_parts(
    contract: Contract,
    *,
    networks: Sequence[tuple[Target, str]] = NETWORKS,
    periods: Sequence[int] = PART_PERIODS,
    seconds: float = 2.0,
) -> list[PartCosts]:
    """Time the work on as many records as the scorer executes at a time, in parts of all sizes.

    Args:
        contract: What the networks read.
        networks: Target and name of each.
        periods: Of the records; more than the contract has are left out.
        seconds: Wall-clock time for each network and number of periods.
    """
    cohort = _drawn(contract)
    found = []
    for target, name in networks:
        session = _session(cohort, target, name)
        for long in periods:
            if long <= contract.periods.maximum:
                values = cohort.values[: PARTS[-1], :long]
                ways = {str(size): partial(_in_parts, session, values, size) for size in PARTS}
                spent = interleaved(ways, seconds)
                times = {size: spent[str(size)] for size in PARTS}
                found.append(PartCosts(name, long, times))
    return found


def _in_parts(session: onnxruntime.InferenceSession, values: Floats, size: int) -> None:
    for start in range(0, len(values), size):
        session.run(None, {RISK.input: values[start : start + size]})


def _runner(session: onnxruntime.InferenceSession) -> SessionRunner:
    return SessionRunner(session, session.get_inputs()[0].name, session.get_outputs()[0].name)


def _session(cohort: Cohort, target: Target, name: str) -> onnxruntime.InferenceSession:
    preset = network(target, name).preset
    if preset is None:
        raise ValueError(f"'{name}' has no preset to build from.")
    built = _risk(cohort, preset) if target == "risk" else _score(cohort, preset)
    specification = RISK if target == "risk" else SCORE
    longest = cohort.contract.periods.maximum
    graph = to_onnx(built, replace(specification, longest=longest))
    return open_session(graph, Provider.CPU, strict=True, threads=1)


def _risk(cohort: Cohort, preset: NetworkPreset) -> Any:
    """Build a risk network with a calibration, as every served one has."""
    from training.networks.backend import keras  # noqa: PLC0415 - TensorFlow takes seconds

    contract, statistics = cohort.contract, learn_statistics(cohort)
    settings = preset.distillation
    if settings is None:
        bare = build_risk_network(contract, statistics, preset)
    else:
        columns = _columns(contract, settings)
        edges = learn_edges(cohort, numbers_of(contract, columns), settings.intervals)
        bare = build_distilled_network(contract, statistics, edges, preset, columns=columns)
    steps = np.linspace(0.8, 1.2, contract.periods.maximum).tolist()
    logit = Calibrate(steps, steps, name="calibration")(bare.get_layer(LOGIT).output)
    return keras.Model(bare.input, keras.layers.Activation("sigmoid", name="risk")(logit))


def _score(cohort: Cohort, preset: NetworkPreset) -> Any:
    contract, statistics = cohort.contract, learn_statistics(cohort)
    subjects = len(contract.targets.score.subjects)
    target = (np.full(subjects, 50.0), np.full(subjects, 10.0))
    settings = preset.quantiles
    if settings is None:
        return build_score_network(contract, statistics, preset, target)
    columns = _columns(contract, settings)
    edges = learn_edges(cohort, numbers_of(contract, columns), settings.intervals)
    return build_quantile_score_network(
        contract, statistics, edges, preset, target, columns=columns
    )


def _columns(contract: Contract, settings: Quantiles) -> list[int]:
    names = enumerate(feature.name for feature in contract.features)
    return [at for at, name in names if name not in settings.without]


def _drawn(contract: Contract) -> Cohort:
    """Draw complete histories, their values spread evenly over what the contract allows."""
    random = np.random.default_rng(0)
    shape = (_RECORDS, contract.periods.maximum)
    values = np.stack([_column(feature, random, shape) for feature in contract.features], axis=2)
    values[random.random(values.shape) < _MISSING] = np.nan
    ids = np.array([f"r{number}" for number in range(_RECORDS)])
    return Cohort(
        contract=contract,
        ids=ids,
        students=ids,
        cohorts=np.full(_RECORDS, "1"),
        values=values.astype(np.float32),
        lengths=np.full(_RECORDS, shape[1], np.int32),
        eligible=np.ones(shape, bool),
        risk=np.zeros(shape, np.float32),
        score=np.zeros((*shape, len(contract.targets.score.subjects)), np.float32),
        audit={attribute.name: np.full(_RECORDS, "") for attribute in contract.audit},
    )


def _column(feature: Feature, random: np.random.Generator, shape: tuple[int, int]) -> Any:
    if feature.levels:
        return random.integers(0, len(feature.levels), shape).astype(np.float64)
    return random.uniform(*limits(feature), shape)


def main(
    contract: Annotated[str, typer.Argument(help="Shipped contract, or a TOML file.")] = "oulad",
    *,
    seconds: Annotated[float, typer.Option(help="For each size.", min=0.1)] = 10.0,
) -> None:
    """Print what each network costs, relative to LSTM(64)."""
    loaded = load_contract(contract)

    def rows() -> list[list[str]]:
        return [
            [
                *(str(at.rows), str(at.periods), f"{at.microseconds[BASE]:,.0f}"),
                *(f"{spent / at.microseconds[BASE]:.2f}" for spent in at.microseconds.values()),
            ]
            for at in measure_networks(loaded, seconds=seconds)
        ]

    title = f"CPU time of an execution for '{loaded.name}', {BASE} (risk) being 1"
    names = (f"{name} ({target})" for target, name in NETWORKS)
    print_table(title, ("records", "periods", f"{BASE} µs", *names), rows)

    def parts() -> list[list[str]]:
        return [
            [
                *(at.network, str(at.periods)),
                *(f"{at.microseconds[size] / at.microseconds[PARTS[-1]]:.2f}" for size in PARTS),
            ]
            for at in measure_parts(loaded, seconds=seconds / 2)
        ]

    title = (
        f"CPU time of {PARTS[-1]} records by how many are executed at a time, all at once being 1"
    )
    print_table(title, ("network", "periods", *map(str, PARTS)), parts)


if __name__ == "__main__":
    run_command(main)
