"""The run folder: everything that one training made.

    run.json         what was trained on what, how, with which versions, and how long it took
    contract.toml    what the records hold
    risk.keras       probability after every period
    score.keras      next score after every period
    metrics.json     figures of networks and baselines on the test part (`evaluation.metrics`)
    history.csv      losses and accuracies, epoch by epoch
    splits.parquet   which record was in which part
    heldout.parquet  the test part
    predictions-risk.parquet, predictions-score.parquet
                     predictions of networks and baselines for the test part (`evaluation.predictions`)
    fences.json      what was ordinary in the training part
    reference.json   what was usual in the training part, period by period
    calibration.json what the risk network's logits mean, period by period
    intervals.json   how wide the intervals around score forecasts are

Imports neither TensorFlow nor a table library before they are needed.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from evaluation.figures import RunMetrics
from records.cohort import Cohort
from records.contract import Contract
from records.errors import BellwetherError
from records.files.replace import FolderKind, json_object_with
from records.files.toml_file import parse_toml
from records.learnt.calibration import Calibration
from records.learnt.fences import Fences
from records.learnt.intervals import Intervals
from records.learnt.reference import Reference
from training.data.selection import Selection
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from evaluation.predictions import Predictions

RECORD, CONTRACT, METRICS, HISTORY = "run.json", "contract.toml", "metrics.json", "history.csv"
RISK_NETWORK, SCORE_NETWORK = "risk.keras", "score.keras"
SPLITS, HELDOUT = "splits.parquet", "heldout.parquet"
FENCES, REFERENCE = "fences.json", "reference.json"
CALIBRATION, INTERVALS = "calibration.json", "intervals.json"
PREDICTIONS = {
    "risk": "predictions-risk.parquet",
    "score": "predictions-score.parquet",
}
FILES = (
    *(RECORD, CONTRACT, METRICS, HISTORY, RISK_NETWORK, SCORE_NETWORK),
    *(SPLITS, HELDOUT, FENCES, REFERENCE, CALIBRATION, INTERVALS),
    *PREDICTIONS.values(),
)
# Measured by `bellwether report --complexity`, where it was asked for.
COMPLEXITY = "complexity.csv"
RUN = FolderKind(
    "run",
    (*FILES, COMPLEXITY),
    lambda folder: json_object_with(
        folder / RECORD, {"name", "settings", "fingerprint", "networks", "started"}
    ),
)

Model = TypeVar("Model", bound=BaseModel)


class RunFolderError(BellwetherError):
    """A run folder is absent or incomplete."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FitSummary(_Frozen):
    """How the fitting of one network went.

    Attributes:
        preset: Name of its hyperparameters.
        parameters: Number of trained weights.
        epochs: How many were run.
        best: The one whose weights were kept, counted from 1.
        stopped_early: Whether patience ran out before the epochs did.
        seconds: Wall-clock time.
    """

    preset: str
    parameters: int
    epochs: int
    best: int
    stopped_early: bool
    seconds: float


class RunRecord(_Frozen):
    """`run.json`: what was trained on what, and how.

    Attributes:
        name: Name of the run.
        data: What was asked for: a named data set or the path of a table.
        contract: Name of the contract.
        settings: All of them; those that were not given are the defaults.
        seed: Of the split, the weights, the order of batches and dropout.
        fingerprint: Of the whole cohort, contract included.
        parts: Part of the split -> number of records, before outlying ones are removed.
        outlying: Training records that were removed because of values outside the fences.
        networks: 'risk' and 'score' -> how the fitting went.
        selection: 'risk' and 'score' -> each feature's correlation with the target.
        baselines: 'risk' and 'score' -> baseline -> what it looks at.
        notes: What the reader should know, such as features that carry nothing.
        environment: Library -> version.
        started: When the training began, UTC.
        seconds: How long it took.
    """

    name: str
    data: str
    contract: str
    settings: TrainingSettings
    seed: int
    fingerprint: str
    parts: dict[str, int]
    outlying: int
    networks: dict[str, FitSummary]
    selection: dict[str, Selection]
    baselines: dict[str, dict[str, str]]
    notes: tuple[str, ...]
    environment: dict[str, str]
    started: AwareDatetime
    seconds: float


class RunFolder:
    """A finished run.

    Args:
        path: Its folder.

    Raises:
        RunFolderError: There is no run, or files of it are missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        absent = [name for name in FILES if not (path / name).is_file()]
        if RECORD in absent:
            raise RunFolderError(f"{path} is no run folder; make one with `bellwether train`.")
        if absent:
            raise RunFolderError(f"{path} lacks {', '.join(absent)}; train again.")

    @cached_property
    def record(self) -> RunRecord:
        """What was trained on what, and how."""
        return self._read(RECORD, RunRecord)

    @cached_property
    def contract_text(self) -> str:
        """The contract as TOML."""
        return (self.path / CONTRACT).read_text(encoding="utf-8")

    @cached_property
    def contract(self) -> Contract:
        """What the records hold."""
        return parse_toml(self.contract_text, Contract, name=str(self.path / CONTRACT))

    @cached_property
    def metrics(self) -> RunMetrics:
        """Figures of networks and baselines on the test part."""
        return self._read(METRICS, RunMetrics)

    @cached_property
    def fences(self) -> Fences:
        """What was ordinary in the training part."""
        return self._read(FENCES, Fences)

    @cached_property
    def reference(self) -> Reference:
        """What was usual in the training part, period by period."""
        return self._read(REFERENCE, Reference)

    def predictions(self, target: Literal["risk", "score"]) -> "Predictions":
        """Read what networks and baselines predicted of the test part."""
        from evaluation.predictions import read_predictions  # noqa: PLC0415 - pyarrow takes long

        return read_predictions(self.path / PREDICTIONS[target])

    @cached_property
    def calibration(self) -> Calibration:
        """What the risk network's logits mean; the saved network holds it already."""
        return self._read(CALIBRATION, Calibration)

    @cached_property
    def intervals(self) -> Intervals:
        """How wide the intervals around score forecasts are."""
        return self._read(INTERVALS, Intervals)

    def heldout(self) -> Cohort:
        """Read the test part."""
        from records.tables.read_write import read_table  # noqa: PLC0415 - pandas is slow to import

        return read_table(self.path / HELDOUT, self.contract)

    def _read(self, name: str, model: type[Model]) -> Model:
        text = (self.path / name).read_text(encoding="utf-8")
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            raise RunFolderError(
                f"{self.path / name} is not what this version writes; train again.\n{error}"
            ) from None
