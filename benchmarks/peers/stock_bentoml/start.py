"""Start stock BentoML as its documentation describes."""

import os
import sys
from pathlib import Path

os.chdir(Path(__file__).parent)
command = [sys.executable, "-m", "bentoml", "serve", "service:Risk"]
os.execv(sys.executable, [*command, "--host", "127.0.0.1", "--port", os.environ["PORT"]])  # noqa: S606
