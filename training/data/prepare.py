"""Learn from the training part all that is not a network, before TensorFlow is needed."""

from collections.abc import Collection
from dataclasses import dataclass

from records.arrays import Bools
from records.cohort import Cohort
from records.learnt.fences import Fences, learn_fences
from records.learnt.reference import Reference, learn_reference
from training.data.outliers import removable_records
from training.data.parts import Parts
from training.data.selection import Selection, select_features
from training.data.splits import Split, split
from training.data.statistics import Statistics, learn_statistics
from training.data.sufficiency import check_cohort, check_parts, check_statistics, part_notes
from training.data.targets import known_risk, known_score
from training.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the training part taught before any network was fitted.

    Attributes:
        parts: The cohorts; outlying records are gone from the training part.
        split: Which record is in which part.
        outlying: (training records of the split,) which of them were removed.
        fences: Learnt on the training part before outlying records were removed.
        reference: Likewise: those records were part of the cohort.
        statistics: Learnt on what is left of it.
        selection: 'risk' and 'score' -> correlations, and what is read.
        notes: What the reader should know.
    """

    parts: Parts
    split: Split
    outlying: Bools
    fences: Fences
    reference: Reference
    statistics: Statistics
    selection: dict[str, Selection]
    notes: tuple[str, ...]

    def columns(self, target: str, without: Collection[str] = ()) -> list[int]:
        """Return the positions of the selected features of a target, less those named."""
        features = self.parts.train.contract.features
        chosen = self.selection[target].columns
        read = range(len(features)) if chosen is None else chosen
        return [at for at in read if features[at].name not in without]

    def masked(self, names: Collection[str]) -> list[int]:
        """Return the positions of those of the named features that the contract has."""
        features = self.parts.train.contract.features
        return [at for at, feature in enumerate(features) if feature.name in names]


def prepare(cohort: Cohort, settings: TrainingSettings) -> Prepared:
    """Split the cohort and learn from the training part all that is not a network.

    Raises:
        CohortError: Something that training needs is missing; the message names it.
    """
    check_cohort(cohort)
    divided = split(cohort, settings.split, seed=settings.seed)
    whole = cohort.take(divided.train)
    fences = learn_fences(whole, reach=settings.fence_reach)
    outlying, notes = removable_records(whole, fences, limit=settings.outlying_limit)
    parts = Parts(
        train=whole.take(~outlying),
        validation=cohort.take(divided.validation),
        test=cohort.take(divided.test),
    )
    check_parts(parts)
    statistics = learn_statistics(parts.train)
    notes += check_statistics(statistics, cohort.contract.feature_names)
    notes += part_notes(parts)
    return Prepared(
        parts=parts,
        split=divided,
        outlying=outlying,
        fences=fences,
        reference=learn_reference(whole),
        statistics=statistics,
        selection=_select(parts.train, settings),
        notes=tuple(notes),
    )


def _select(train: Cohort, settings: TrainingSettings) -> dict[str, Selection]:
    risk, known = train.risk[:, :, None], known_risk(train)[:, :, None]
    return {
        "risk": select_features(train, risk, known, threshold=settings.risk_selection),
        "score": select_features(
            train, train.score, known_score(train), threshold=settings.score_selection
        ),
    }
