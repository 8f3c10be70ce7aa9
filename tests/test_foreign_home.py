"""A home that a repository brought: its settings choose neither a program nor who reads a wish."""

import socket
import subprocess
from pathlib import Path

import pytest

from adapters.desk import NotTrusted, desk
from adapters.home import Home
from adapters.home_making import make_home
from adapters.settling import read_wish, settle
from adapters.trusted_homes import TrustedHomes
from tests.service import command, environment


def test_a_home_found_upward_that_nobody_made_shows_no_wish_to_its_model(tmp_path: Path) -> None:
    home = make_home(tmp_path / "repository").root
    below = home / "src"
    below.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        (home / ".env").write_text(
            f"OLLAMA_HOST=127.0.0.1:{listener.getsockname()[1]}\nLLAMA_TIMEOUT_SEC=1\n", encoding="utf-8"
        )
        ours = environment(XDG_CONFIG_HOME=str(tmp_path / "config"), LLAMA_MODEL="reader")
        said = subprocess.run(
            command("add", "explain how our secret parser works"),
            cwd=below,
            env=ours,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert said.returncode == 0, said.stderr
    assert "queued" in said.stdout
    assert "the local model was not asked" in said.stderr
    assert "you have not made it" in said.stderr


def test_no_verb_makes_a_service_in_a_home_that_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_home(tmp_path / "repository").root
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with desk(Home(root, named=False), {}) as strange:
        with pytest.raises(NotTrusted):
            settle(strange)
        with pytest.raises(NotTrusted):
            read_wish(strange, "a-wish")
    TrustedHomes().add(root)
    with desk(Home(root, named=False), {}) as ours:
        assert ours.trusted
    with desk(Home(root, named=True), {}) as named:
        assert named.trusted
