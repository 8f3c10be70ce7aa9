"""How tests run here: nobody's own configuration is touched, and Hypothesis times no example."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How slowly examples are made tells of a busy machine, not of what is tested.
settings.register_profile(
    "house", print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


@pytest.fixture(autouse=True, scope="session")
def a_configuration_folder_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Homes that tests make leave their signing keys there, and it goes with the tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        yield
