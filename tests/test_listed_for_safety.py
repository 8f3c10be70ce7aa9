"""What the lists of safety hold, written out here once more: a name that leaves one of them is noticed."""

from pathlib import Path

import pytest

from adapters.check_runner import check_environment
from adapters.cli.erasable import NEEDED, STANDING
from adapters.config.settings import read_settings
from eventstore.redaction.patterns import Redactor
from handlers.agent_call import agent_environment, turn_environment

POSIX = (
    *("PATH", "HOME", "USER", "LANG", "TERM", "TMPDIR", "CLAUDE_CONFIG_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("LC_TIME", "SSL_CERT_FILE", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK", "DISABLE_TELEMETRY"),
)
WINDOWS = (
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "OS", "COMPUTERNAME"),
    *("USERNAME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "PUBLIC", "ALLUSERSPROFILE"),
    *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "TEMP", "TMP"),
    *("PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS"),
    *("PROGRAMFILES", "PROGRAMFILES(X86)", "COMMONPROGRAMFILES", "COMMONPROGRAMFILES(X86)"),
)
STRANGERS = (
    *("SSH_AUTH_SOCK", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "GIT_DIR", "GIT_SSH_COMMAND", "NPM_TOKEN"),
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSTARTUP", "NODE_OPTIONS", "BASH_ENV", "ENV"),
    *("CLAUDE_TIMEOUT_SEC", "LLAMA_MODEL", "VALIDATION_MAX_RETRIES", "OPENAI_API_KEY", "KUBECONFIG"),
)
NEVER = (
    *("CLAUDECODE", "CLAUDE_CODE_CHILD_SESSION", "CLAUDE_CODE_SESSION_ID"),
    *("TELEGRAM_BOT_TOKEN", "EVT_SIGNING_KEY"),
)

SECRET_KEYS = (
    *("token", "secret", "password", "passwd", "pwd", "passphrase", "credential"),
    *("api_key", "access_key", "secret_key", "private_key", "signing_key", "encryption_key", "auth_key"),
    *("account_key", "api-key", "api.key", "apikey", "clientSecret", "botToken", "db.password"),
)
OF_ENVIRONMENT = (
    *("TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "API_KEY", "ACCESS_KEY", "SECRET_KEY"),
    *("PRIVATE_KEY", "SIGNING_KEY", "ENCRYPTION_KEY", "AUTH_KEY"),
)
# Made at run time, so that no scanner takes this file for a leak.
LETTERS = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1CwK4mN7sT0gB"
HEADERS = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES,AB12"
BODY = "\n".join([LETTERS] * 4)
FORMS = {
    **{f"gh{letter}_": ("github-token", f"gh{letter}_" + LETTERS[:36]) for letter in "pousr"},
    **{f"xox{letter}": ("slack-token", f"xox{letter}-" + LETTERS[:24]) for letter in "abeoprs"},
    **{
        f"{kind}k_{mode}": ("stripe-key", f"{kind}k_{mode}_" + LETTERS[:24])
        for kind in "sr"
        for mode in ("live", "test")
    },
    **{f"{start}IA": ("aws-access-key", f"{start}IAQRSTUVWXYZ234567") for start in ("AK", "AS")},
    "sk-ant": ("anthropic-key", "sk-" + "ant-" + LETTERS),
    "sk": ("openai-key", "sk-" + LETTERS),
    "github_pat": ("github-token", "github_" + "pat_" + LETTERS[:30]),
    "glpat": ("gitlab-token", "gl" + "pat-" + LETTERS[:20]),
    "AIza": ("google-key", "AI" + "za" + LETTERS[:35]),
    "aws": ("aws-secret-key", "aws_secret_access_id_key = " + LETTERS + "/"),
    "telegram": ("telegram-token", "123456789:" + LETTERS[:35]),
    "telegram's URL": ("telegram-token", "https://api.telegram.org/bot123456789:" + LETTERS[:35]),
    "services": ("slack-webhook", "https://hooks.slack.com/" + "services/" + LETTERS[:24]),
    "workflows": ("slack-webhook", "https://hooks.slack.com/" + "workflows/" + LETTERS[:24]),
    "jwt": ("jwt", f"eyJ{LETTERS[:12]}.eyJ{LETTERS[:12]}.{LETTERS}"),
    **{kind: ("authorization", f"Authorization: {kind} abcdefgh") for kind in ("Basic", "Token", "Digest")},
    "Bearer": ("authorization", "authorization: bearer abcdefgh"),
    "bare bearer": ("authorization", f"with Bearer {LETTERS} it works"),
    "url": ("url-credentials", "postgres://app:hunter2@db/x"),
    "a PEM with headers": (
        "private-key",
        f"-----BEGIN RSA PRIVATE KEY-----\n{HEADERS}\n\n{BODY}\n-----END RSA PRIVATE KEY-----",
    ),
    "a PGP block": (
        "private-key",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{BODY}\n-----END PGP PRIVATE KEY BLOCK-----",
    ),
    "a PEM cut off": ("private-key", f"-----BEGIN PRIVATE KEY-----\n{BODY[:100]}"),
    "a PGP block cut off": ("private-key", f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{BODY[:100]}"),
    "a key of signed notes": ("private-key", "PRIVATE" + "+KEY+example.org/x+1a2b3c4d+" + LETTERS + "AbCdEf"),
}


@pytest.mark.parametrize("name", POSIX)
def test_an_agent_sees_each_name_that_it_needs(name: str) -> None:
    assert agent_environment({name: "x"}, windows=False) == {name: "x"}
    assert agent_environment({name: "x"}, windows=True) == {name: "x"}


@pytest.mark.parametrize("name", WINDOWS)
def test_on_windows_it_sees_what_programs_there_need_and_only_there(name: str) -> None:
    assert agent_environment({name: "x", name.lower(): "y"}, windows=True) == {name: "x", name.lower(): "y"}
    assert agent_environment({name: "x"}, windows=False) == {}


@pytest.mark.parametrize("windows", [False, True])
def test_it_sees_no_name_that_opens_or_loads_something(windows: bool) -> None:
    assert agent_environment(dict.fromkeys(STRANGERS, "x"), windows=windows) == {}


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("name", NEVER)
def test_what_is_ours_it_never_sees_whoever_allows_it(name: str, windows: bool) -> None:
    assert agent_environment({name: "x"}, [name], windows=windows) == {}


def test_it_is_told_two_things_that_the_environment_left_out() -> None:
    assert turn_environment({}, (), "id", windows=False) == {
        "CLAUDE_CODE_MAX_RETRIES": "2",
        "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
        "CLAUDE_CODE_SESSION_ID": "id",
    }


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_a_check_sees_nothing_of_the_agents_own(name: str) -> None:
    assert check_environment({name: "x"}, [name], "id", windows=False) == {"CLAUDE_CODE_SESSION_ID": "id"}


@pytest.mark.parametrize(
    "name",
    [
        *("DEPLOY_TOKEN", "CLIENT_SECRET", "DB_PASSWORD", "DB_PASSWD", "MY_API_KEY", "MY_APIKEY"),
        *("MY_PRIVATE_KEY", "MY_ACCESS_KEY", "MY_SIGNING_KEY", "MY_PRIVATEKEY", "GIT_CREDENTIALS"),
    ],
)
def test_a_variable_of_this_name_holds_a_secret(tmp_path: Path, name: str) -> None:
    assert read_settings(tmp_path, {name: "a-value-of-it"}).secrets == ("a-value-of-it",)


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("form", ['"{}": "{}"', "{} => '{}'", "{} = {}"])
def test_what_stands_beside_this_key_goes(key: str, form: str) -> None:
    clean, counts = Redactor().text(form.format(key, "h8f3k2l9"))
    assert "h8f3k2l9" not in clean
    assert counts == {"named-value": 1}


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_the_value_of_this_key_goes(key: str) -> None:
    clean, counts = Redactor().pair(key, "h8f3k2l9")
    assert (clean, counts) == ("[redacted:named-value]", {"named-value": 1})


@pytest.mark.parametrize("name", OF_ENVIRONMENT)
def test_a_line_of_an_environment_with_this_name_loses_its_value(name: str) -> None:
    assert Redactor().text(f"X=1\nMY_{name}=correcthorse\n")[0] == f"X=1\nMY_{name}=[redacted:named-value]\n"


@pytest.mark.parametrize("what", FORMS)
def test_each_form_is_known_by_its_own_name(what: str) -> None:
    name, text = FORMS[what]
    clean, counts = Redactor().text(f"so: {text} it was")
    assert f"[redacted:{name}]" in clean
    assert counts == {name: 1}


@pytest.mark.parametrize("what", ["a PEM with headers", "a PGP block"])
def test_a_whole_key_goes_with_its_last_line(what: str) -> None:
    assert Redactor().text(f"so: {FORMS[what][1]} it was")[0] == "so: [redacted:private-key] it was"


def test_what_the_proof_stands_on_and_what_an_agent_is_given_are_not_erased_like_other_texts() -> None:
    assert {"home_created", "tree_head_signed", "signing_key_changed", "event_erased"} == STANDING
    assert {"task_received", "task_queued", "retry_requested", "task_claimed"} == NEEDED
