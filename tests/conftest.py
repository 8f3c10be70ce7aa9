"""How tests run here: nobody's own configuration is touched, and Hypothesis times no example."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.known_skips import KNOWN, SkipGate
from tests.local_model import the_local_model
from tools.model_lane import Endpoint

# This process has heard it; what it starts are programs as people start them.
os.environ.pop("PYTHONWARNDEFAULTENCODING", None)

# How slowly examples are made tells of a busy machine, not of what is tested.
settings.register_profile(
    "house", print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """CI runs on Linux: elsewhere tests are skipped because the system has not what they look at."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what runs in its background so, and the programs under test would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    in_ci = os.environ.get("CI", "").lower() in ("true", "1") and sys.platform == "linux"
    if in_ci and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipGate(KNOWN))


@pytest.fixture(autouse=True, scope="session")
def a_configuration_folder_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Homes that tests make leave their signing keys there; no local model is asked."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        # Nobody's own local model is asked: a test that wants one says so.
        patched.setenv("LLAMA_MODEL", "")
        yield


@pytest.fixture(scope="session")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A real model behind Ollama's API, for every test that a process runs; `url` and `model` name it."""
    with the_local_model(tmp_path_factory.mktemp("model") / "endpoint.txt") as endpoint:
        yield endpoint
