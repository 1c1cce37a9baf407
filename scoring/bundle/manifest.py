"""The manifest: what a bundle holds, how it was made and what was verified."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from scoring.precision import Precision

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContractStamp(_Frozen):
    """Which contract the graphs were trained on."""

    name: str
    version: int
    fingerprint: Sha256


class PolicyStamp(_Frozen):
    """Which policy the bundle was packed with."""

    name: str
    version: int


class GraphFacts(_Frozen):
    """What one ONNX graph looks like.

    Attributes:
        file: Name of the file in the bundle.
        input: Name of the input, (batch, periods, features) float32.
        output: Name of the output.
        periods: Length of the periods axis, or None where it is dynamic.
        lstm_nodes: Number of fused `LSTM` nodes.
        operators: Operator -> number of nodes.
    """

    file: str
    input: str
    output: str
    periods: int | None
    lstm_nodes: int
    operators: dict[str, int]


class Parity(_Frozen):
    """How far one graph on one execution provider is from the Keras model that it came from.

    Attributes:
        graph: 'risk' or 'score'.
        provider: Execution provider, as ONNX Runtime names it.
        path: 'session' for the graph alone, 'scorer' for the code that answers requests.
        cases: Combinations of batch size, history length and pattern of missing values.
        values: Outputs compared.
        largest_difference: In the unit of the output: probability, or the score's unit.
        tolerance: What was allowed, same unit.
        decisions: Tier decisions compared; 0 for a graph that decides nothing.
        at_threshold: Decisions within the tolerance of a tier's threshold that fell on different
            sides; never more than noise, and never further away: that fails the export.
    """

    graph: str
    provider: str
    path: Literal["session", "scorer"]
    cases: int
    values: int
    largest_difference: float
    tolerance: float
    decisions: int = 0
    at_threshold: int = 0


class Variant(_Frozen):
    """What one graph in another precision gained and cost, against float32 on one provider.

    Attributes:
        graph: 'risk' or 'score'.
        precision: What it computes in.
        provider: Execution provider that it was measured on, as ONNX Runtime names it.
        packed: Whether the bundle holds it.
        why: Why not; empty where it does.
        values: Outputs compared.
        largest_difference: In the unit of the output.
        mean_difference: Likewise.
        decisions: Tier decisions compared; 0 for a graph that decides nothing.
        changed: Share of them that fell otherwise.
        company_difference: Largest difference for records in one batch with an extreme one.
        company_changed: Share of the tier decisions on those that fell otherwise.
        speed: Rows of an execution -> how many times as fast as float32, medians of rounds in turn.
    """

    graph: str
    precision: Precision
    provider: str
    packed: bool = False
    why: str = ""
    values: int = 0
    largest_difference: float = 0.0
    mean_difference: float = 0.0
    decisions: int = 0
    changed: float = 0.0
    company_difference: float = 0.0
    company_changed: float = 0.0
    speed: dict[int, float] = {}


class GapLimit(_Frozen):
    """A limit that the export held a gap between groups against.

    Attributes:
        figure: Of which the groups may differ, such as 'recall' or 'abroca'.
        attribute: Audit attribute that makes the groups.
        limit: Largest gap that was allowed.
        measured: The gap on the run's test part; None where groups were too small to judge it.
    """

    figure: str
    attribute: str
    limit: float
    measured: float | None


class LeverCheck(_Frozen):
    """How often an improvement raised the estimate, although it should lower it.

    Attributes:
        name: Feature, or label of a group whose features are improved together.
        is_group: Which of both.
        records: Held-out records that could improve.
        raised: Share of them whose estimate rose.
        hidden: Whether what-if therefore does not offer it.
    """

    name: str
    is_group: bool
    records: int
    raised: float
    hidden: bool


class ExplanationChecks(_Frozen):
    """What was checked of reasons and what-if on held-out records.

    Attributes:
        explained: Records whose estimate lay above that of their comparison.
        ordered: Mean change of the logit after 0, 1, … groups were made as in the comparison, in
            the order of their effects, the largest first.
        random: The same in random orders: reasons that name what counts lower it more slowly.
        shares: Group -> mean share of the absolute effects.
        levers: Each actionable feature, and each group of several.
    """

    explained: int
    ordered: tuple[float, ...]
    random: tuple[float, ...]
    shares: dict[str, float]
    levers: tuple[LeverCheck, ...]


class Manifest(_Frozen):
    """What describes a bundle without opening its graphs.

    Attributes:
        format: Version of this layout.
        name: Name of the run.
        created: When it was exported, UTC.
        contract: Contract trained on.
        features: Feature names in the order of the input's last axis.
        periods: Largest number of periods.
        subjects: Names of the score's last axis.
        opset: ONNX operator set.
        versions: Library -> version that made the graphs.
        graphs: 'risk' and 'score'.
        parity: One row for each graph, execution provider and path.
        variants: One row for each graph in each other precision that was tried.
        gap_limits: What gaps between groups were held against; empty where no limit was given.
        explanations: What was checked of reasons and what-if; None in bundles of earlier versions.
        metrics: What the run measured of models and baselines on its held-out records, as it is.
        data_fingerprint: Fingerprint of the cohort trained on.
        run: The run's own record.
        policy: Policy packed in.
        files: File -> SHA-256.
        digest: SHA-256 of all of the above; see `scoring.bundle.reader`.
    """

    format: Literal[1] = 1
    name: str
    created: AwareDatetime
    contract: ContractStamp
    features: tuple[str, ...]
    periods: int
    subjects: tuple[str, ...]
    opset: int
    versions: dict[str, str]
    graphs: dict[str, GraphFacts]
    parity: tuple[Parity, ...]
    variants: tuple[Variant, ...] = ()
    gap_limits: tuple[GapLimit, ...] = ()
    explanations: ExplanationChecks | None = None
    metrics: dict[str, JsonValue]
    data_fingerprint: str
    run: dict[str, JsonValue]
    policy: PolicyStamp
    files: dict[str, Sha256]
    digest: str = ""
