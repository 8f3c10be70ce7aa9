"""Where the local model is found, and how long it may take, as people write it."""

from pathlib import Path

import pytest

from adapters.config.settings import Settings, read_settings
from adapters.config.table import BadSetting


def read(home: Path, **environ: str) -> Settings:
    return read_settings(home, environ)


def test_without_a_word_the_model_is_ollamas_on_this_machine(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.ollama_host, found.model) == ("http://127.0.0.1:11434", "llama3.2:latest")
    assert (found.model_timeout_s, found.model_silence_s, found.model_num_ctx) == (60, 4, 8192)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("box", "http://box:11434"),
        ("box:1234", "http://box:1234"),
        (" box.example.org/ ", "http://box.example.org:11434"),
        ("http://box:1234/", "http://box:1234"),
        ("http://box", "http://box:80"),
        ("https://box", "https://box:443"),
        ("https://box:1234", "https://box:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104  # nothing is bound
        ("0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("http://0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("[::]:1234", "http://127.0.0.1:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("[::1]", "http://[::1]:11434"),
        ("[fd00::1]:1234", "http://[fd00::1]:1234"),
        ("", "http://127.0.0.1:11434"),
    ],
)
def test_the_address_is_read_as_ollama_reads_it(tmp_path: Path, text: str, url: str) -> None:
    assert read(tmp_path, OLLAMA_HOST=text).ollama_host == url


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"LLAMA_HOST": "box"}, "http://box:11434"),
        ({"LLAMA_HOST": "box", "LLAMA_PORT": "1234"}, "http://box:1234"),
        ({"LLAMA_PORT": "1234"}, "http://127.0.0.1:1234"),
        ({"LLAMA_HOST": "https://box", "LLAMA_PORT": "1234"}, "https://box:1234"),
        ({"LLAMA_HOST": "box:5", "LLAMA_PORT": "1234"}, "http://box:5"),
        ({"OLLAMA_HOST": "other", "LLAMA_HOST": "box", "LLAMA_PORT": "1234"}, "http://other:11434"),
    ],
)
def test_ollamas_own_variable_wins_over_ours(tmp_path: Path, environ: dict[str, str], url: str) -> None:
    assert read(tmp_path, **environ).ollama_host == url


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        *(
            (name, text, "a host, host:port, or an URL")
            for name in ("OLLAMA_HOST", "LLAMA_HOST")
            for text in (
                *(
                    "two words",
                    "ftp://box",
                    "box:0",
                    "box:65536",
                    "box:",
                    ":",
                    "http://",
                    "://box",
                    "box:1:2",
                ),
                *("user:word@box", "box/api", "box?x", "::1", "[::1", "bőx", "box:١٢", "http://box#x"),
            )
        ),
        ("LLAMA_PORT", "0", "from 1 to 65535"),
        ("LLAMA_PORT", "http", "from 1 to 65535"),
        ("LLAMA_TIMEOUT_SEC", "0", "from 1 to 3600"),
        ("LLAMA_SILENCE_SEC", "", "from 1 to 600"),
        ("LLAMA_NUM_CTX", "1023", "from 1024 to 131072"),
        ("LLAMA_NUM_CTX", "131073", "from 1024 to 131072"),
        ("LLAMA_MODEL", "two words", "a model's name such as llama3.2:latest"),
        ("LLAMA_MODEL", "`x`", "a model's name such as llama3.2:latest"),
        ("LLAMA_MODEL", "x" * 201, "a model's name such as llama3.2:latest"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    tmp_path: Path, name: str, text: str, allowed: str
) -> None:
    with pytest.raises(BadSetting) as refused:
        read(tmp_path, **{name: text})
    said = str(refused.value)
    assert said.startswith(f"{name} is {text!r} in the environment; it must be ")
    assert allowed in said


def test_no_model_is_a_choice(tmp_path: Path) -> None:
    assert read(tmp_path, LLAMA_MODEL="").model is None


@pytest.mark.parametrize("name", ["qwen2.5:3b", "hf.co/some/model-GGUF:Q4_K_M", "smollm2"])
def test_names_of_models_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, LLAMA_MODEL=name).model == name


def test_variables_of_ollama_itself_are_its_own_and_a_slip_in_ours_is_named(tmp_path: Path) -> None:
    assert read(tmp_path, OLLAMA_MODELS="/models", OLLAMA_KEEP_ALIVE="5m").warnings == ()
    (said,) = read(tmp_path, LLAMA_TIMEOUT="5").warnings
    assert "Did you mean LLAMA_TIMEOUT_SEC?" in said
