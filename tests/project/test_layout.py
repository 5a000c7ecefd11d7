"""The house: arrows between the folders, one importer per giant, what a wheel and a source archive hold."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ["privacy", "runtime", "export", "cli"]  # from the bottom up

GIANTS = {
    "onnxruntime": {"runtime/session.py"},
    "onnxruntime_genai": {"runtime/genai.py"},
    "llguidance": {"runtime/constrain.py"},
    "jinja2": {"runtime/chat.py"},
    "tokenizers": {"runtime/tokens.py"},
    "torch": {
        f"export/{n}.py"
        for n in (
            "attention",
            "attention_cached",
            "decoder",
            "divergence",
            "generator",
            "original",
            "padded",
            "pooled",
            "seq2seq_parity",
            "seq2seq_source",
            "source",
            "trace",
            "trace_seq2seq",
            "training",
        )
    },
    "transformers": {
        f"export/{n}.py"
        for n in (
            "answers",
            "attention",
            "attention_cached",
            "decoder",
            "generator",
            "loading",
            "padded",
            "pooled",
            "seq2seq_source",
            "source",
            "trace_seq2seq",
            "training",
        )
    },
    "sklearn": {"export/logistic.py"},
    "sentencepiece": {"export/sentencepieces.py"},
    "optimum": {"export/source.py"},
    "hyperscan": {"privacy/engines.py", "privacy/prefilter.py"},
    "typer": {
        f"cli/{n}.py"
        for n in (
            "__init__",
            "audit",
            "bench",
            "export",
            "fewshot",
            "finetune",
            "generate",
            "keygen",
            "open",
            "options",
            "predict",
            "redact",
            "seal",
            "serve",
            "verify",
        )
    },
    "pyrage": {"privacy/age.py"},
    "cryptography": {"privacy/audit/check_notes.py", "privacy/modelsigning.py", "privacy/notes.py"},
    "model_signing": {"privacy/modelsigning.py"},
    "uvicorn": {"runtime/http/server.py"},
    "starlette": {"runtime/http/application.py"},
    "prometheus_client": {"runtime/http/telemetry.py"},
    "opentelemetry": {"runtime/http/telemetry.py"},
}


def sources() -> Iterator[Path]:
    for layer in LAYERS:
        yield from sorted((ROOT / layer).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Absolute names of what a file imports, wherever in the file."""
    package = ["cloister", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*base, *([node.module] if node.module else [])])


def test_imports_run_downhill() -> None:
    uphill = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources()
        for name in imports(path)
        for layer in LAYERS[LAYERS.index(path.relative_to(ROOT).parts[0]) + 1 :]
        if name == f"cloister.{layer}" or name.startswith(f"cloister.{layer}.")
    ]
    assert uphill == []


@pytest.mark.parametrize("giant", GIANTS)
def test_every_giant_has_its_importers(giant: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in sources()
        for name in imports(path)
        if name == giant or name.startswith(f"{giant}.")
    }
    assert found == GIANTS[giant]


def test_presidio_is_named_in_one_file() -> None:
    naming = [str(p.relative_to(ROOT)) for p in sources() if "presidio_analyzer" in p.read_text("utf-8")]
    assert naming == ["privacy/presidio.py"]


def test_the_root_module_imports_nothing_of_the_package() -> None:
    assert list(imports(ROOT / "__init__.py")) == []


def expected_files() -> set[str]:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    code = {f"cloister/{n}" for n in tracked if n.endswith(".py") and n.split("/")[0] in (*LAYERS, "__init__.py")}
    presets = {f"cloister/{n}" for n in tracked if n.startswith("privacy/") and n.endswith(".toml")}
    formats = {"runtime/FORMAT.md", "privacy/SEAL.md", "privacy/audit/FORMAT.md"}
    taggers = {f"cloister/{n}" for n in tracked if n.startswith("runtime/taggers/")}
    skeleton = "cloister/runtime/skeleton/genai_config.json"
    return code | presets | taggers | {"cloister/py.typed", skeleton, *(f"cloister/{n}" for n in formats)}


def test_wheel_and_source_archive_hold_exactly_what_they_should(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    copy = tmp_path / "copy"
    for name in filter(None, listed.decode().split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    # Bundles of taggers ship whole, whatever their files are called, also before there is one in the repository.
    placed = [f"runtime/taggers/latin/{name}" for name in ("manifest.json", "int8.onnx", "int8.weights", "LICENSE")]
    (copy / placed[0]).parent.mkdir(parents=True)
    for name in placed:
        (copy / name).write_bytes(b"x")
    expected = expected_files() | {f"cloister/{name}" for name in placed}
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(copy)],
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert names == expected
    with tarfile.open(archive) as tar:
        inside = {"/".join(m.name.split("/")[1:]) for m in tar.getmembers() if m.isfile()}
    folders = {n.split("/")[0] for n in inside if "/" in n}
    assert folders == {*LAYERS, "cloister.egg-info"}
    assert {n.removeprefix("cloister/") for n in expected} <= inside


def test_every_package_is_listed() -> None:
    import tomllib

    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {"cloister"} | {
        ".".join(["cloister", *p.parent.relative_to(ROOT).parts]) for p in sources() if p.name == "__init__.py"
    }
    assert declared == found
