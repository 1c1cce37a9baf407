"""What each exported graph must look like, as data: a new model is a new row."""

from dataclasses import dataclass

from records.contract import Contract
from scoring.bundle.reader import RISK_GRAPH, SCORE_GRAPH
from training.run_folder import RISK_NETWORK, SCORE_NETWORK


@dataclass(frozen=True)
class GraphSpecification:
    """One graph of the bundle.

    Attributes:
        name: What the graph gives, and its key in the manifest.
        keras_file: File of the Keras model in the run.
        onnx_file: File of the graph in the bundle.
        input: Name of the input, float32 (batch, periods, features).
        output: Name of the output, float32.
        per_subject: Whether the output has a third axis, one column for each subject.
        decides: Whether tiers are decided on the output, a probability.
        lstm_nodes: Exact number of fused `LSTM` nodes.
        tolerance: Largest difference from Keras, as a share of the output's range: 1 for a
            probability, maximum minus minimum of the contract for a score.
        forbidden: Operators that mean a recurrent layer was not fused (4 to 10 times slower), or
            that rows of a batch might take different paths.
        opset: ONNX operator set of the file; 23 is the first with `Attention`, the quickest form of
            it on a CPU where inputs are wide.
        longest: Most periods that the graph will be given; None for any number, which costs time.
    """

    name: str
    keras_file: str
    onnx_file: str
    output: str
    per_subject: bool
    decides: bool
    input: str = "values"
    lstm_nodes: int = 1
    tolerance: float = 1e-5
    forbidden: frozenset[str] = frozenset({"Loop", "Scan", "If"})
    opset: int = 23
    longest: int | None = None

    def output_range(self, contract: Contract) -> float:
        """Return the width of the output's range, in its own unit."""
        score = contract.targets.score
        return score.maximum - score.minimum if self.per_subject else 1.0

    def allowed(self, contract: Contract) -> float:
        """Return the largest allowed difference from Keras, in the output's own unit."""
        return self.tolerance * self.output_range(contract)


RISK = GraphSpecification(
    name="risk",
    keras_file=RISK_NETWORK,
    onnx_file=RISK_GRAPH,
    output="risk",
    per_subject=False,
    decides=True,
)
SCORE = GraphSpecification(
    name="score",
    keras_file=SCORE_NETWORK,
    onnx_file=SCORE_GRAPH,
    output="score",
    per_subject=True,
    decides=False,
)
SPECIFICATIONS = (RISK, SCORE)
# Operators that nearly every provider has: OpenVINO and ONNX Runtime's CUDA before 1.25 lack
# `Attention`.
PORTABLE_OPSET = 18
