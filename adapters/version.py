"""The program's version, as it was installed."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    try:
        return version("evt-orchestrator")
    except PackageNotFoundError:
        return "not installed"
