"""Commands that the program prints can be pasted, whatever stands in a path."""

import shlex
import subprocess
from pathlib import Path

import pytest

from adapters.cli.pasted import pasted
from adapters.home_making import make_home
from tests.service import command, environment


@pytest.mark.parametrize(
    ("path", "posix", "windows"),
    [
        ("/srv/home", "/srv/home", "/srv/home"),
        ("/srv/my home", "'/srv/my home'", '"/srv/my home"'),
        (r"C:\evt\home", r"'C:\evt\home'", r"C:\evt\home"),
        (r"C:\My homes", r"'C:\My homes'", r'"C:\My homes"'),
        ("/srv/it's", """'/srv/it'"'"'s'""", '"/srv/it\'s"'),
    ],
)
def test_a_path_is_quoted_where_its_shell_would_take_it_apart(path: str, posix: str, windows: str) -> None:
    assert pasted(path, windows=False) == posix
    assert pasted(path, windows=True) == windows


def test_the_command_that_init_prints_is_one_that_can_be_pasted(tmp_path: Path) -> None:
    place = tmp_path / "my homes" / "ö"
    said = subprocess.run(
        command("init", str(place)), env=environment(), capture_output=True, encoding="utf-8", check=True
    )
    start = next(line for line in said.stdout.splitlines() if "start the service" in line)
    assert start.endswith(f"evt run --home {pasted(place)}")
    assert shlex.split(pasted(place, windows=False)) == [str(place)]


def test_the_way_to_trust_a_home_that_was_found_can_be_pasted(tmp_path: Path) -> None:
    home = make_home(tmp_path / "my home").root
    ours = environment(XDG_CONFIG_HOME=str(tmp_path / "config"))
    said = subprocess.run(
        command("run", "--drain"), cwd=home, env=ours, capture_output=True, encoding="utf-8", check=False
    )
    assert (said.returncode, f"`evt init {pasted(home)}`" in said.stderr) == (4, True)
