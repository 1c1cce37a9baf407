"""Paper B's Adam: the update as printed, against the same arithmetic in NumPy."""

import numpy as np

from training.fitting.printed_adam import PrintedAdam
from training.networks.backend import keras


def test_every_step_follows_the_printed_equations() -> None:
    rate, decay, square_decay, epsilon = 0.01, 0.9, 0.999, 1e-8
    optimizer = PrintedAdam(rate, decay, square_decay, epsilon)
    weight = keras.Variable(np.array([1.0, -2.0, 3.0], np.float32))
    optimizer.build([weight])
    expected, mean, square = np.array([1.0, -2.0, 3.0]), np.zeros(3), np.zeros(3)
    for step in range(20):
        gradient = np.array([0.5, -1.0, 0.0]) * (step + 1)
        mean = decay * mean + (1 - decay) * gradient
        square = square_decay * square + (1 - square_decay) * gradient**2
        expected = expected - rate * mean / np.sqrt(square + epsilon)
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(gradient, "float32"), weight)])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), expected, rtol=1e-5)


def test_it_is_not_the_adam_of_keras() -> None:
    ends = []
    for optimizer in (PrintedAdam(0.01), keras.optimizers.Adam(0.01)):
        weight = keras.Variable(np.ones(1, np.float32))
        optimizer.build([weight])
        optimizer.apply_gradients([(keras.ops.ones(1), weight)])
        ends.append(float(weight.numpy()[0]))
    # The first step: (1 - b1) / sqrt(1 - b2) of the rate without bias correction, the rate with it.
    np.testing.assert_allclose(ends, [1 - 0.01 * 0.1 / np.sqrt(0.001), 1 - 0.01], rtol=1e-5)


def test_it_is_rebuilt_from_its_settings() -> None:
    settings = PrintedAdam(0.02, 0.8, 0.99, 1e-5).get_config()
    again = PrintedAdam.from_config(settings)
    assert (again.beta_1, again.beta_2, again.epsilon) == (0.8, 0.99, 1e-5)
