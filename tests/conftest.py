"""Hypothesis profiles: `HYPOTHESIS_PROFILE` names one; the default is ci where `CI` is set, and dev elsewhere."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=40, **_common)
settings.register_profile("ci", max_examples=60, derandomize=True, **_common)
settings.register_profile(
    "no-shrink", max_examples=200, phases=[phase for phase in Phase if phase is not Phase.shrink], **_common
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)
