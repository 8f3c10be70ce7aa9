"""The lane of the real local model: installed and started once, or a sentence that says why not."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tools.model_lane import RECIPE, Endpoint, LaneMissing, ensure, lane_folder, serving


@contextmanager
def the_local_model(said: Path) -> Iterator[Endpoint]:
    """A model that answers; without one the test is skipped, and fails where CI=true."""
    with ExitStack() as stack:
        try:
            folder = lane_folder(os.environ, Path(sys.prefix), Path(sys.base_prefix))
            endpoint = stack.enter_context(serving(ensure(os.environ, RECIPE, folder), said))
        except LaneMissing as problem:
            missing(str(problem))
        yield endpoint


def missing(why: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"CI needs the local model: {why}", pytrace=False)
    pytest.skip(f"no local model: {why}")
