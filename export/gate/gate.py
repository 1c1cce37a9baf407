"""The gate: a bundle leaves only when its graphs compute what the Keras models compute.

Each graph answers for real held-out records, in batches of 1, 5, 33 and 512, after one period, two,
half of them and all, as recorded, with nothing, half and everything missing; on every execution
provider that loads, opened with the options of production; once as a bare graph, and once through
the scorer that answers requests.

Tiers: both probabilities go through `Tiers.of`, which rounds as the service does. Two
probabilities that agree within the tolerance can still lie on either side of a threshold; rounding
only moves the place where that happens, so no arithmetic rules it out. Such decisions are counted
as `at_threshold` in the manifest. Where a decision differs and no threshold is within the
tolerance, the export fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from export.errors import GateError
from export.gate.comparison import Difference, Subject, compare, summary
from export.gate.histories import BATCH_SIZES, Histories, batches, history_lengths, patterns
from export.specification import SPECIFICATIONS, GraphSpecification
from records.arrays import Floats
from records.cohort import Cohort
from records.contract import Contract
from scoring.bundle.manifest import Parity
from scoring.bundle.reader import Bundle
from scoring.runtime.provider_options import ShapeProfile
from scoring.runtime.providers import RUNTIME_NAMES, Provider, loadable_providers, open_session
from scoring.runtime.scorer import Scorer, pad_periods
from training.networks.backend import keras, tf

__all__ = ["GateError", "evaluate", "expect", "prove"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Expected:
    """Keras' outputs for histories cut to one length.

    Attributes:
        histories: Records under one pattern of missing values.
        length: Periods that were shown.
        outputs: Graph name -> (records, length[, subjects]).
    """

    histories: Histories
    length: int
    outputs: Mapping[str, Floats]

    def case(self, rows: slice) -> str:
        """Describe one batch in words."""
        many = "1 record" if rows.stop - rows.start == 1 else f"{rows.stop - rows.start} records"
        return f"{many} at once, {self.length} period(s), {self.histories.pattern}"


def prove(
    bundle: Bundle,
    models: Mapping[str, keras.Model],
    heldout: Cohort,
    *,
    progress: Progress | None = None,
) -> tuple[Parity, ...]:
    """Prove the graphs of a bundle equal to the Keras models that they were made from.

    Args:
        bundle: A complete bundle; its parity figures are not looked at.
        models: Graph name -> Keras model.
        heldout: Records that no model was fitted on.
        progress: Called with stage, step and number of steps.

    Returns:
        One row for each graph, loaded execution provider and path.

    Raises:
        GateError: The first difference: which graph, record, step, and how far.
    """
    if not len(heldout):
        raise GateError("the run has no held-out records to prove it on.", graph="risk")
    providers = loadable_providers([bundle.risk_graph, bundle.score_graph])
    report = progress or (lambda *_: None)
    report("Proving parity", 0, 1 + len(providers))
    expected = list(expect(models, heldout))
    rows: list[Parity] = []
    for position, provider in enumerate(providers, start=1):
        report("Proving parity", position, 1 + len(providers))
        rows += [_prove_session(bundle, spec, provider, expected) for spec in SPECIFICATIONS]
        rows += _prove_scorer(bundle, provider, expected)
    report("Proving parity", 1 + len(providers), 1 + len(providers))
    return tuple(rows)


def expect(models: Mapping[str, keras.Model], heldout: Cohort) -> Iterator[Expected]:
    """Let the Keras models answer for every pattern and length, and check that they are causal.

    Raises:
        GateError: Later periods change a model's output for earlier ones.
    """
    contract = heldout.contract
    maximum = contract.periods.maximum
    for histories in patterns(heldout):
        full = {name: evaluate(model, histories.values) for name, model in models.items()}
        for length in history_lengths(maximum):
            shown = histories.values[:, :length]
            outputs = {name: evaluate(model, shown) for name, model in models.items()}
            for specification in SPECIFICATIONS:
                name = specification.name
                _check_causal(specification, contract, full[name][:, :length], outputs[name])
            yield Expected(histories, length, outputs)


def evaluate(model: keras.Model, values: Floats) -> Floats:
    """Run a Keras model on the CPU, where it computes in full float32.

    Args:
        model: Functional model, with a fixed or a dynamic number of periods.
        values: (records, periods, features) float32, raw units.

    Returns:
        Its output for those periods.
    """
    fixed = model.inputs[0].shape[1]
    periods = values.shape[1]
    with tf.device("/CPU:0"):
        output = model(tf.constant(pad_periods(values, fixed or periods)), training=False)
    return np.asarray(output, np.float32)[:, :periods]


def _check_causal(
    specification: GraphSpecification, contract: Contract, full: Floats, cut: Floats
) -> None:
    apart = np.abs(full.astype(np.float64) - cut)
    if (apart > specification.allowed(contract)).any():
        step = int(np.argwhere(apart > specification.allowed(contract))[0][1]) + 1
        raise GateError(
            f"the network's output for {contract.periods.name} {step} depends on later periods. "
            "Only causal layers may be used (LSTM, attention with use_causal_mask=True).",
            graph=specification.name,
            step=step,
        )


def _prove_session(
    bundle: Bundle,
    specification: GraphSpecification,
    provider: Provider,
    expected: list[Expected],
) -> Parity:
    """Compare the bare graph, given exactly the periods of the history."""
    subject = Subject(
        specification, bundle.contract, bundle.tiers, RUNTIME_NAMES[provider], "session"
    )
    facts = bundle.manifest.graphs[specification.name]
    fewest, most = 1 if facts.periods is None else facts.periods, bundle.contract.periods.maximum
    profile = ShapeProfile(
        facts.input, (fewest, most), len(bundle.contract.features), rows=max(BATCH_SIZES)
    )
    session = open_session(bundle.path / facts.file, provider, strict=True, profile=profile)
    differences = []
    for one in expected:
        for rows in batches(len(one.histories.records)):
            shown = one.histories.values[rows, : one.length]
            padded = pad_periods(shown, facts.periods or one.length)
            output = session.run([facts.output], {facts.input: padded})[0][:, : one.length]
            differences.append(
                compare(
                    subject,
                    one.outputs[specification.name][rows],
                    output,
                    due=np.ones(shown.shape[:2], bool),
                    records=one.histories.records[rows],
                    case=one.case(rows),
                )
            )
    return summary(subject, differences)


def _prove_scorer(bundle: Bundle, provider: Provider, expected: list[Expected]) -> list[Parity]:
    """Compare the scorer, given whole histories and the length to use of each."""
    scorer = Scorer(bundle, provider=provider, strict=True)
    subjects = {
        spec.name: Subject(spec, bundle.contract, bundle.tiers, scorer.provider, "scorer")
        for spec in SPECIFICATIONS
    }
    differences: dict[str, list[Difference]] = {name: [] for name in subjects}
    for one in expected:
        for rows in batches(len(one.histories.records)):
            lengths = np.minimum(one.histories.lengths[rows], one.length)
            scores = scorer.score(one.histories.values[rows], lengths)
            due = np.arange(one.length) < lengths[:, None]
            for name, subject in subjects.items():
                output: Floats = getattr(scores, name)
                differences[name].append(
                    compare(
                        subject,
                        one.outputs[name][rows],
                        output[:, : one.length],
                        due=due,
                        records=one.histories.records[rows],
                        case=one.case(rows),
                    )
                )
    return [summary(subject, differences[name]) for name, subject in subjects.items()]
