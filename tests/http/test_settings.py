"""Settings from flags, environment and file, and keys that are kept as hashes."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cloister import SettingsError, Unauthorized
from cloister.cli import app
from cloister.runtime.cost import CostModel
from cloister.runtime.http.auth import read_keys
from cloister.runtime.memory import parse_size
from cloister.runtime.settings import Settings, as_toml, read_settings


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\nhost = "::1"\ntimeout = 5\nbundles = ["a"]\n')
    found = read_settings({"port": 3, "host": None}, file, {"CLOISTER_PORT": "2", "CLOISTER_TIMEOUT": "7"})
    assert (found.port, found.host, found.timeout, found.bundles) == (3, "::1", 7.0, ["a"])
    assert read_settings({}, None, {"CLOISTER_BUNDLES": "a=x,b=y"}).bundles == ["a=x", "b=y"]


@pytest.mark.parametrize("text", ["port = 'x'", "prot = 1", "port = 70000", "workers = 0", "not toml", "timeout = -1"])
def test_wrong_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        read_settings({}, file, {})


def test_printed_settings_give_the_same_ones(tmp_path: Path) -> None:
    file = tmp_path / "serve.toml"
    settings = Settings(bundles=["a=b"], port=9, timeout=1.5, insecure_public=True)
    file.write_text(as_toml(settings))
    assert read_settings({}, file, {}) == settings


def test_print_config() -> None:
    done = CliRunner().invoke(app, ["serve", "x", "--port", "7", "--print-config"])
    assert done.exit_code == 0
    assert "port = 7" in done.stdout


def test_keys_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOISTER_API_KEY", raising=False)
    file = tmp_path / "keys"
    hashed = hashlib.sha256(b"secret-key").hexdigest()
    file.write_text(f"# clients\nalice sha256:{hashed}\n")
    file.chmod(0o600)
    keys = read_keys(file, "CLOISTER_API_KEY")
    assert keys.client(b"Bearer secret-key") == "alice"
    assert "secret" not in repr(keys)
    for wrong in (None, b"", b"Bearer", b"Bearer other", b"Basic secret-key"):
        with pytest.raises(Unauthorized):
            keys.client(wrong)
    file.write_text("alice secret-key\n")
    with pytest.raises(SettingsError) as caught:
        read_keys(file, "CLOISTER_API_KEY")
    assert "secret" not in str(caught.value)
    file.chmod(0o666)
    with pytest.raises(SettingsError, match="others may write"):
        read_keys(file, "CLOISTER_API_KEY")
    monkeypatch.setenv("CLOISTER_API_KEY", "short")
    with pytest.raises(SettingsError, match="shorter"):
        read_keys(None, "CLOISTER_API_KEY")


@pytest.mark.parametrize(("text", "size"), [("1k", 1024), ("800M", 800 << 20), ("1.5 GiB", 3 << 29), ("7", 7)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(
    a=st.floats(0, 1e-2),
    b=st.floats(1e-6, 1e-3),
    c=st.floats(0, 1e-6),
)
def test_the_cost_model_finds_what_it_was_shown(a: float, b: float, c: float) -> None:
    model = CostModel()
    shapes = [(n * length, n * length**2) for n in (1, 4, 16) for length in (4, 16, 64, 256)]
    model.fit([(t, s, a + b * t + c * s) for t, s in shapes])
    for tokens, squares in shapes:
        expected = a + b * tokens + c * squares
        assert model.predict(tokens, squares) == pytest.approx(expected, rel=0.2)
    for _ in range(400):
        model.observe(64, 1024, 2 * (a + b * 64 + c * 1024))
    assert model.predict(64, 1024) == pytest.approx(2 * (a + b * 64 + c * 1024), rel=0.2)
