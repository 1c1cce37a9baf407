"""Adam as paper B prints it (docs/papers.md): epsilon inside the root, no bias correction."""

from typing import Any

from training.networks.backend import keras

_DEFAULT_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="bellwether")
class PrintedAdam(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Update weights by paper B's equations for Adam.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g², w = w - rate m / sqrt(v + epsilon). Kingma and
    Ba's Adam, which Keras implements, divides m and v by 1 - b^step and adds epsilon outside the
    root. Without that correction the first steps are small in m and smaller in sqrt(v): they move
    weights by up to (1 - b1) / sqrt(1 - b2) = 3.2 times the learning rate, at the default betas.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the mean of gradients.
        beta_2: Decay of the mean of squared gradients.
        epsilon: Added to that mean before the root is taken.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = _DEFAULT_EPSILON,
        **options: Any,
    ) -> None:
        options.setdefault("name", "printed_adam")
        super().__init__(learning_rate=learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self._means: list[Any] = []
        self._squares: list[Any] = []

    def build(self, variables: list[Any]) -> None:
        """Make m and v, zero, for each variable."""
        if self.built:
            return
        super().build(variables)
        self._means = self.add_optimizer_variables(variables, "mean")
        self._squares = self.add_optimizer_variables(variables, "square")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Take one step for one variable."""
        at = self._get_variable_index(variable)
        mean, square = self._means[at], self._squares[at]
        rate = keras.ops.cast(learning_rate, variable.dtype)
        slope = keras.ops.cast(gradient, variable.dtype)
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * slope)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * keras.ops.square(slope))
        step = rate * mean / keras.ops.sqrt(square + self.epsilon)
        self.assign_sub(variable, step)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the optimizer."""
        settings = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **settings}
