"""From a cohort to a fitted run: preprocessing, networks, splits, fitting, metrics, baselines."""

import os

# Before scikit-learn loads OpenMP: its threads wait by spinning, and where cores are shared or a
# container has a quota they spin against each other. 100 trees on 31,000 rows with both cores of
# a busy machine took 178 s, and 4 s with this.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
