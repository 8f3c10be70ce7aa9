"""A push over http that a hook refuses: dulwich does not raise, so its answer must be read."""

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dulwich import porcelain

from tests.changed_trees import git, needs_git, posix_only

pytestmark = pytest.mark.filterwarnings("ignore::EncodingWarning:dulwich")
AUTHOR = b"A <a@example.org>"


def handler_over(root: Path) -> type[BaseHTTPRequestHandler]:
    """`git http-backend` as a CGI program (RFC 3875), for one folder of repositories."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._backend(b"")

        def do_POST(self) -> None:
            self._backend(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def log_message(self, format: str, *words: object) -> None:
            """A test says nothing."""

        def _backend(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            said = subprocess.run(
                ["git", "http-backend"],
                input=body,
                capture_output=True,
                check=True,
                env={
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "REQUEST_METHOD": self.command,
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                    "REMOTE_ADDR": "127.0.0.1",
                    "REMOTE_USER": "tester",
                },
            ).stdout
            head, _, content = said.partition(b"\r\n\r\n")
            fields = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n"))
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A bare repository and its address on loopback."""
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(bare, "config", "http.receivepack", "true")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_over(tmp_path))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield bare, f"http://127.0.0.1:{server.server_port}/bare.git"
    server.shutdown()
    thread.join()
    server.server_close()


@needs_git
@posix_only
@pytest.mark.parametrize("refuses", [False, True], ids=["taken", "refused"])
def test_a_push_that_a_hook_refuses_says_so_in_its_status_alone(
    tmp_path: Path, served: tuple[Path, str], refuses: bool
) -> None:
    bare, address = served
    hook = bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexit {int(refuses)}\n", encoding="utf-8", newline="\n")
    hook.chmod(0o755)
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "a").write_bytes(b"content")
    with porcelain.init(folder) as repository:
        porcelain.add(repository, ["a"])
        made = porcelain.commit(repository, b"a commit", author=AUTHOR, committer=AUTHOR)
        result = porcelain.push(repository, address, "HEAD:refs/heads/main")
    status = (result.ref_status or {}).get(b"refs/heads/main")
    there = git(bare, "for-each-ref", "--format=%(objectname)")
    assert (status is not None) == refuses, "no exception in either case: the status is all there is"
    assert there.strip() == ("" if refuses else made.decode())
