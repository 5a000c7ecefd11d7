"""The tagger that comes with Cloister, over tiny bundles in the place of the real ones; and the real ones, where they
are."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from cloister import CloisterError
from cloister.privacy import Policy, RedactionError, Redactor, redact
from cloister.runtime import Engine, Tagging, load, tagger
from cloister.runtime.scripts import Script, merged
from cloister.runtime.tagger import ScriptTagger, default

POLICY = """
default = "keep"
threshold = 0.0
[entity.PERSON]
action = "replace"
[labels]
PER = "PERSON"
"""
LATIN, HAN, MIXED = "Ana Lima met Joao in Lisbon.", "王小明住在北京市朝阳区。", "Ana 和王小明 met in 北京 with Joao."
SHIPPED = Path(tagger.__file__).with_name("taggers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., Path]) -> Path:
    home = tmp_path_factory.mktemp("taggers")
    shutil.copytree(make_bundle("distilbert", "token-classification"), home / "english")
    shutil.copytree(make_bundle("modernbert", "token-classification"), home / "chinese")
    return home


@pytest.fixture
def builtin(folder: Path) -> ScriptTagger:
    found = default(folder)
    assert found is not None
    return found


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the bundles that were loaded, as they are."""
    names: list[str] = []

    def counted(path: Path, **options: object) -> Engine:
        names.append(Path(path).name)
        return load(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tagger, "load", counted)
    return names


@pytest.fixture
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tiny bundles stand where the real ones do."""
    monkeypatch.setattr(tagger, "_FOLDER", folder)
    redact._installed.cache_clear()
    yield
    redact._installed.cache_clear()


def by_itself(bundle: Path, text: str) -> list[tuple[int, int, str]]:
    (prediction,) = load(bundle).predict([text])
    assert isinstance(prediction, Tagging)
    return [(e.start, e.end, e.label) for e in prediction.entities]


def test_each_text_goes_to_the_tagger_of_its_script(folder: Path, builtin: ScriptTagger) -> None:
    digits, english, mixed, chinese = builtin(["12:30, 415-555-0132!", LATIN, MIXED, HAN])
    assert digits == ()
    assert [(e.start, e.end, e.label) for e in english] == by_itself(folder / "english", LATIN)
    assert [(e.start, e.end, e.label) for e in chinese] == by_itself(folder / "chinese", HAN)
    both = {
        script: load(folder / name).predict([MIXED])[0].entities  # type: ignore[union-attr]
        for script, name in ((Script.latin, "english"), (Script.han, "chinese"))
    }
    assert list(mixed) == merged(MIXED, both)
    assert english
    assert chinese


def test_a_bundle_is_loaded_by_the_first_text_of_its_script(builtin: ScriptTagger, loaded: list[str]) -> None:
    builtin(["1, 2, 3", "", "…"])
    assert loaded == []
    builtin([LATIN, "4"])
    builtin([LATIN])
    assert loaded == ["english"]
    builtin([MIXED])
    assert loaded == ["english", "chinese"]


def test_threads_load_a_bundle_once(builtin: ScriptTagger, loaded: list[str]) -> None:
    together = threading.Barrier(8)

    def ask(_: int) -> object:
        together.wait(30)
        return builtin([LATIN])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert loaded == ["english"]


def test_many_texts_are_the_same_together_and_alone(builtin: ScriptTagger) -> None:
    texts = [f"{text} {number}" for number in range(30) for text in (LATIN, HAN, MIXED, "")]
    assert builtin(texts) == [builtin([text])[0] for text in texts]


def test_where_a_bundle_is_missing(folder: Path, tmp_path: Path) -> None:
    assert default(tmp_path) is None
    shutil.copytree(folder / "chinese", tmp_path / "chinese")
    assert default(tmp_path) is None
    shutil.copytree(folder / "english", tmp_path / "english")
    shutil.rmtree(tmp_path / "chinese")
    alone = default(tmp_path)
    assert alone is not None
    latin, han = alone([LATIN, HAN])
    assert latin
    assert han == ()


def test_a_damaged_bundle_lets_no_text_pass(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    graph = next((tmp_path / "english").glob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    found = default(tmp_path)
    redactor = Redactor(tagger=found)
    for _ in range(2):  # nor does the next one
        with pytest.raises(RedactionError, match="BundleError"):
            redactor.redact(LATIN)
    assert redactor.redact("415-555-0132").text == "<PHONE_NUMBER_1>"


@pytest.mark.usefixtures("installed")
def test_the_redactor_finds_it(folder: Path, loaded: list[str]) -> None:
    redactor = Redactor(Policy.parse(POLICY))
    assert redactor.tags
    assert redactor.notice == ""
    assert loaded == []
    redaction = redactor.redact(LATIN)
    assert loaded == ["english"]
    people = [(start, end) for start, end, label in by_itself(folder / "english", LATIN) if label == "PER"]
    assert people
    assert [(s.start, s.end) for s in redaction.spans] == people
    assert not Redactor("identifiers").tags


@pytest.mark.usefixtures("installed")
def test_a_tagger_of_another_package_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        name = "zeta"

        def load(self) -> Callable[[], Callable[[list[str]], list[list[object]]]]:
            return lambda: lambda texts: [[] for _ in texts]

    points = entry_points(group="cloister.taggers")
    monkeypatch.setattr(redact, "entry_points", lambda **_: [*points, Other()])
    assert Redactor("balanced").redact(LATIN).text == LATIN


_BLOCKED = """
import sys
from pathlib import Path

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocked())
from cloister.runtime import tagger
tagger._FOLDER = Path(sys.argv.pop(1))
"""
_MADE = """
from cloister import MissingExtra
from cloister.privacy import Redactor
try:
    Redactor()
except MissingExtra as error:
    print(error.message, error.hint)
print(Redactor(tagger=None).redact("Ana, 415-555-0132").text)
"""
_COMMAND = "from cloister.cli import main\nmain()"


def without_onnxruntime(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _BLOCKED + code, str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, input="Ana, 415-555-0132", check=False)


def test_without_onnxruntime_the_redactor_says_what_is_missing(folder: Path) -> None:
    done = without_onnxruntime(folder, _MADE)
    assert done.returncode == 0, done.stderr
    said, redacted = done.stdout.splitlines()
    assert "onnxruntime" in said
    assert "cloister[cpu]" in said
    assert "tagger=None" in said
    assert redacted == "Ana, <PHONE_NUMBER_1>"


def test_without_onnxruntime_the_command_names_its_flag(folder: Path) -> None:
    failed = without_onnxruntime(folder, _COMMAND, "redact")
    assert (failed.returncode, failed.stdout) == (1, "")
    error, hint = failed.stderr.splitlines()
    assert error.startswith("error: ")
    assert "--no-tagger" in hint
    for arguments in (("--no-tagger",), ("--policy", "identifiers")):
        done = without_onnxruntime(folder, _COMMAND, "redact", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "Ana, <PHONE_NUMBER_1>", "")


def test_the_shipped_bundles_answer() -> None:
    """Whatever of them is in this checkout verifies and finds names; none at all is what `notice` is for."""
    found = default()
    assert (found is None) == (not (SHIPPED / "english" / "manifest.json").is_file())
    for script in () if found is None else found.scripts:
        text = {Script.latin: "My name is Sarah Connor.", Script.han: "联系人:张伟,电话见下。"}[script]
        assert found is not None
        (entities,) = found.tagger(script)([text])
        assert [entity.text for entity in entities if entity.label in ("PERSON", "PER")]


def test_another_task_in_its_place_is_an_error(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    shutil.copytree(make_bundle("bert", "text-classification"), tmp_path / "english")
    found = default(tmp_path)
    assert found is not None
    with pytest.raises(CloisterError):
        found([LATIN])


def test_many_texts_run_side_by_side_and_leave_no_thread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagger, "available_threads", lambda: 3)
    one = tagger.from_bundle(folder / "english")
    texts = [f"{LATIN} {number}" for number in range(200)]
    alone = [entities for text in texts for entities in one([text])]
    seen: set[int] = set()
    together, run = threading.Barrier(3), one._predict

    def predict(part: list[str]) -> object:
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait(30)  # nobody gets past here unless three run at once
        return run(part)

    monkeypatch.setattr(one, "_predict", predict)
    before = threading.active_count()
    assert one(texts) == alone
    assert len(seen) == 3
    assert threading.active_count() == before
