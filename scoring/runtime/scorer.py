"""The scorer: a bundle loaded on an execution provider, arrays in, arrays out."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from records.arrays import Bools, Floats, Ints, Positions
from scoring.bundle.manifest import GraphFacts
from scoring.bundle.reader import Bundle
from scoring.precision import Precision
from scoring.runtime.provider_options import CHUNK as CHUNK  # noqa: PLC0414 - a public name here too
from scoring.runtime.provider_options import DeviceOptions, ShapeProfile
from scoring.runtime.providers import (
    Provider,
    active_provider,
    open_sessions,
    reported_options,
)
from scoring.runtime.runners import SessionRunner
from scoring.runtime.scores import Scores as Scores  # noqa: PLC0414 - public names here too
from scoring.runtime.scores import check_records as check_records  # noqa: PLC0414

# Periods of padding that cost as much as a separate execution, dividing and joining included.
# `python -m benchmarks.micro.run_cost`: with 8 and with 39 periods, at 4 to 256 records, anything
# from 48 to 96 is as good; 8 and 384 lose up to a third and more.
RUN_COST = 96
_NO_PREFERENCE = DeviceOptions()


class Scorer:
    """Score records with the graphs of a bundle.

    Rows do not influence each other: a row scored alone, in a batch or in another order differs by
    less than 1e-5 in probability. Safe to call from several threads at once.

    Args:
        bundle: A verified bundle.
        provider: Execution provider requested.
        strict: Raise where another provider would be used.
        threads: Intra-op threads; None takes what affinity and CPU quota allow.
        precision: Precision requested; a graph that the bundle lacks in it runs in float32. In int8 the
            records of a batch share a scale: there, rows do influence each other.
        device: How an accelerator is used.

    Raises:
        ProviderError: Strict, and the provider is not available.

    Attributes:
        bundle: The bundle that is loaded.
        loaded_at: When it was loaded, UTC.
        provider: The active execution provider, as ONNX Runtime names it.
        provider_options: Its options that were set, as ONNX Runtime reports them; no paths.
        precision: Graph name -> precision in use.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        provider: Provider | str = Provider.AUTO,
        strict: bool = False,
        threads: int | None = None,
        precision: Precision | str = Precision.AUTO,
        device: DeviceOptions = _NO_PREFERENCE,
    ) -> None:
        self.bundle = bundle
        requested = Precision(precision)
        paths = [bundle.graph("risk", requested), bundle.graph("score", requested)]
        self.precision = {
            name: requested if path.name != bundle.manifest.graphs[name].file else Precision.FLOAT32
            for name, path in zip(("risk", "score"), paths, strict=True)
        }
        facts, periods = bundle.manifest.graphs, bundle.contract.periods.maximum
        lengths = {name: _lengths(facts[name], periods) for name in self.precision}
        profiles = [
            ShapeProfile(facts[name].input, (runs[0], runs[-1]), len(bundle.contract.features))
            for name, runs in lengths.items()
        ]
        sessions = open_sessions(
            paths, provider, strict=strict, threads=threads, device=device, profiles=profiles
        )
        self.provider = active_provider(sessions[0])
        self.provider_options = reported_options(sessions[0], device, paths[0], profiles[0])
        self._risk, self._score = (
            _Graph(SessionRunner(session, facts[name].input, facts[name].output), lengths[name])
            for session, name in zip(sessions, lengths, strict=True)
        )
        self._subjects = len(bundle.contract.targets.score.subjects)
        self.loaded_at = datetime.now(UTC)

    @property
    def version(self) -> str:
        """Version of the bundle."""
        return self.bundle.version

    def warm_up(self) -> None:
        """Run every shape of production once.

        The first run of a shape allocates memory, and on a GPU picks kernels or builds engines;
        after this no request pays for that.
        """
        features = len(self.bundle.contract.features)
        for graph in (self._risk, self._score):
            graph.warm_up(features)

    def score(self, values: Floats, lengths: Ints, *, forecast: bool | Bools = True) -> Scores:
        """Score records after each of their periods.

        Args:
            values: (records, periods, features) float32, raw units, NaN for missing; any number
                of periods up to the contract's maximum. Values beyond a record's length
                cannot change the result.
            lengths: (records,) periods observed, 0 to `periods`.
            forecast: Whether to run the score graph; (records,) to choose for each record.

        Returns:
            Scores with the records and periods of `values`.

        Raises:
            CohortError: Shapes or lengths that do not fit the bundle's contract.
        """
        values, lengths = np.asarray(values, np.float32), np.asarray(lengths, np.int32)
        different = set(lengths.ravel().tolist())
        check_records(self.bundle.contract, values, lengths, different)
        records, periods, _ = values.shape
        risk = np.full((records, periods, 1), np.nan, np.float32)
        score = np.full((records, periods, self._subjects), np.nan, np.float32)
        executions = self._risk.fill(risk, values, lengths, different)
        if forecast is True:
            self._score.fill(score, values, lengths, different)
        elif forecast is not False and (wanted := forecast.nonzero()[0]).size:
            chosen, part = lengths[wanted], score[wanted]
            self._score.fill(part, values[wanted], chosen, set(chosen.tolist()))
            score[wanted] = part
        return Scores(risk=risk[:, :, 0], score=score, executions=tuple(executions))


def batches(lengths: Ints, buckets: Sequence[int]) -> Iterator[tuple[Positions, int]]:
    """Divide records into executions, so that short histories run over few periods.

    Records are taken by length; a group of one bucket joins the next longer one where the periods
    that it is padded with cost less than an execution of its own (`RUN_COST`). Empty histories are
    not run.

    Args:
        lengths: (records,) periods observed.
        buckets: Lengths that the graph runs at, ascending.

    Yields:
        Positions of at most `CHUNK` records, and the longest of their lengths.
    """
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    edges = ascending.searchsorted(buckets, side="right").tolist()
    start = int(ascending.searchsorted(0, side="right"))
    for at, end in enumerate(edges):
        if end == start or _joins(end - start, at, edges, buckets):
            continue
        for first in range(start, end, CHUNK):
            rows = order[first : min(first + CHUNK, end)]
            yield rows, int(lengths[rows[-1]])
        start = end


def _joins(waiting: int, at: int, edges: Sequence[int], buckets: Sequence[int]) -> bool:
    """Return whether `waiting` records up to bucket `at` are better run with the next longer ones."""
    longer = next((later for later in range(at + 1, len(edges)) if edges[later] > edges[at]), None)
    return longer is not None and waiting * (buckets[longer] - buckets[at]) < RUN_COST


def period_buckets(maximum: int) -> tuple[int, ...]:
    """List the lengths that histories are padded to where the periods axis is dynamic.

    Powers of two and one and a half times them: few enough shapes to warm all of them up, and
    never more than half a history of padding.
    """
    steps = (
        length
        for exponent in range(maximum.bit_length())
        for length in (1 << exponent, 3 << (exponent - 1) if exponent else 0)
    )
    return (*(length for length in steps if 0 < length < maximum), maximum)


def pad_periods(values: Floats, length: int) -> Floats:
    """Append missing periods to (rows, periods, features) up to `length`.

    The networks are causal: what follows the last period cannot change what came before.
    """
    rows, periods, features = values.shape
    if periods == length:
        return values
    missing = np.full((rows, length - periods, features), np.nan, np.float32)
    return np.concatenate((values, missing), axis=1)


def _lengths(facts: GraphFacts, maximum: int) -> tuple[int, ...]:
    """List the lengths that a graph runs at, ascending."""
    return period_buckets(maximum) if facts.periods is None else (facts.periods,)


class _Graph:
    """One ONNX graph with the lengths that it runs at."""

    def __init__(self, runner: SessionRunner, buckets: Sequence[int]) -> None:
        self.runner = runner
        self.buckets = buckets

    def warm_up(self, features: int) -> None:
        """Run every shape, the least and the largest first: an engine then knows its range."""
        shapes = [(rows, periods) for periods in self.buckets for rows in self.runner.rows]
        for rows, periods in (shapes[0], shapes[-1], *shapes[1:-1]):
            self.runner.run(np.full((rows, periods, features), np.nan, np.float32))

    def fill(
        self, result: Floats, values: Floats, lengths: Ints, different: Collection[int]
    ) -> list[int]:
        """Write the output of every observed period into `result`.

        Args:
            result: (records, periods, outputs) NaN.
            values: (records, periods, features).
            lengths: (records,).
            different: The lengths that occur.

        Returns:
            Records of each execution.
        """
        outputs = result.shape[2]
        if len(different) == 1:
            # One student, or equally long histories: nothing to sort and nothing to mask.
            (longest,) = different
            starts = range(0, len(values) if longest else 0, CHUNK)
            for start in starts:
                part = values[start : start + CHUNK, :longest]
                result[start : start + CHUNK, :longest] = self._shaped(self.run(part), outputs)
            return [min(CHUNK, len(values) - start) for start in starts]
        executions = []
        for rows, longest in batches(lengths, self.buckets):
            observed = (np.arange(longest) < lengths[rows, None])[:, :, None]
            part = np.where(observed, values[rows, :longest], np.float32(np.nan))
            output = self._shaped(self.run(part), outputs)
            result[rows, :longest] = np.where(observed, output, np.float32(np.nan))
            executions.append(len(rows))
        return executions

    def run(self, values: Floats) -> Floats:
        """Run (rows, periods, features) and return the output for those periods."""
        periods = values.shape[1]
        length = self.buckets[bisect_left(self.buckets, periods)]
        padded = pad_periods(values, length)
        return self.runner.run(padded)[:, :periods]

    @staticmethod
    def _shaped(output: Floats, outputs: int) -> Floats:
        return output.reshape(*output.shape[:2], outputs)
