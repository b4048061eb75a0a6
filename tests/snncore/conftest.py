"""Digits for the tests of training."""

from __future__ import annotations

import pytest

from snncore.data import DataConfig, load


@pytest.fixture(scope="module")
def digits():
    return load(DataConfig("digits", 200, 100, 100))


@pytest.fixture(scope="module")
def few():
    return load(DataConfig("digits", 40, 20, 20))
