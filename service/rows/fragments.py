"""The constant parts of responses, encoded once: keys, names of tiers, texts of a rule."""

from collections.abc import Callable, Sequence
from itertools import repeat

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools
from records.contract import Contract
from scoring.policy.model import Policy
from scoring.policy.recommendation import RecommendationTemplate
from scoring.results import NO_TIER, ORIGINS, STATUSES, AdviceTable

_json = msgspec.json.Encoder().encode
REFERENCES = [b'],"reference":%b}' % _json(origin) for origin in ORIGINS]


class PairFragments:
    """Fragments that depend on two small whole numbers, each written once.

    Args:
        write: Writes the fragment of a pair.
        first: The first numbers, 0, 1, … and, at the end, perhaps -1.
        second: How many second numbers there are, from 0.
    """

    def __init__(
        self, write: Callable[[int, int], bytes], first: Sequence[int], second: int
    ) -> None:
        self._width = second
        texts = [write(number, other) for number in first for other in range(second)]
        self._array = np.array(texts, np.object_)

    def of(
        self, first: NDArray[np.signedinteger], second: NDArray[np.signedinteger]
    ) -> list[bytes]:
        """Return the fragment of each pair."""
        # Taken as an array: a quarter of the time of looking up one by one.
        places = np.multiply(first, self._width, dtype=np.intp) + second
        texts: list[bytes] = self._array.take(places).tolist()
        return texts


class Fragments:
    """The constant parts of responses under one contract and policy.

    Args:
        contract: Names the features, the subjects and the unit of the forecast.
        policy: Names the tiers.
        templates: The recommendation of each rule, in the policy's order.

    Attributes:
        subjects: The part before each subject's forecast.
        unit: The part between a forecast and its lower end.
        before_risk: By status and period.
        after_risk: By tier and the period since which it holds, 0 for no tier.
        outliers: By period and feature.
        observed: The part before the observed share, by observed periods.
        advice: Of recommendations.
    """

    def __init__(
        self, contract: Contract, policy: Policy, templates: Sequence[RecommendationTemplate]
    ) -> None:
        self.advice = AdviceFragments(templates, contract.periods.maximum)
        score = contract.targets.score
        self.subjects = [b'{"subject":%b,"value":' % _json(name) for name in score.subjects]
        self.unit = b',"unit":%b,"low":' % _json(score.unit)
        features = [_json(name) for name in contract.feature_names]
        tiers = [_json(tier.name) for tier in policy.tiers]
        periods = contract.periods.maximum + 1
        self.before_risk = PairFragments(
            lambda status, period: (
                b',"status":%b,"period":%d,"risk":' % (_json(STATUSES[status]), period)
            ),
            range(len(STATUSES)),
            periods,
        )
        self.after_risk = PairFragments(
            lambda tier, since: (
                b',"tier":%b,"since":%d,"trajectory":[' % (tiers[tier], since)
                if tier != NO_TIER
                else b',"tier":null,"since":null,"trajectory":['
            ),
            [*range(len(tiers)), NO_TIER],
            periods,
        )
        self.outliers = PairFragments(
            lambda period, feature: b'{"period":%d,"feature":%b}' % (period, features[feature]),
            range(periods),
            len(features),
        )
        self.observed = [
            b'],"observed":{"periods":%d,"share":' % number for number in range(periods)
        ]


class AdviceFragments:
    """Writes recommendations: constant text around a student's numbers."""

    def __init__(self, templates: Sequence[RecommendationTemplate], periods: int) -> None:
        # The part before the first number: of a student's first recommendation, of the others.
        self._before: list[bytes] = []
        self._middle: list[bytes] = []
        for template in templates:
            example = template.recommendation(0.0, 0.0, 0.0, 1, 1)
            before, _ = _json(example).rsplit(_json(example.evidence), 1)
            unit, against = _json(example.evidence.unit), _json(example.evidence.against)
            self._before.append(before + b'{"measured":')
            self._middle.append(b',"unit":%b,"against":%b,"standard_deviations":' % (unit, against))
        self._before += [b"," + before for before in self._before]
        self._names = [[_json(name) for name in template.names] for template in templates]
        self._others = [template.others and _json(template.others) for template in templates]
        self._over_names = np.array([bool(t.names or t.others) for t in templates], np.bool_)
        self._periods = PairFragments(
            lambda first, last: b',"first_period":%d,"last_period":%d}}' % (first, last),
            range(periods + 1),
            periods + 1,
        )

    def encode(
        self,
        advice: AdviceTable,
        measured: list[bytes],
        expected: list[bytes],
        standard_deviations: list[bytes],
        further: Bools,
    ) -> tuple[list[bytes], list[bytes]]:
        """Return each recommendation's words and its evidence, together one JSON object.

        The numbers are encoded already. A comma comes before those that are `further` ones of
        their student.
        """
        rules = advice.rule.tolist()
        for at in self._over_names[advice.rule].nonzero()[0].tolist():
            names, others = self._names[rules[at]], self._others[rules[at]]
            if names:
                measured[at] = names[int(advice.measured[at])]
                expected[at] = others or names[int(advice.expected[at])]
        words = advice.rule + further * len(self._middle)
        evidence = (
            measured,
            repeat(b',"expected":'),
            expected,
            map(self._middle.__getitem__, rules),
            standard_deviations,
            self._periods.of(advice.first, advice.last),
        )
        return (
            list(map(self._before.__getitem__, words.tolist())),
            list(map(b"".join, zip(*evidence, strict=False))),
        )
