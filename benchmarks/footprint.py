"""Seconds and memory to load a bundle, to import the runtime, and to export: each in a fresh process."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import workbench as wb

_MEMORY = "import psutil; m = lambda: psutil.Process().memory_info()"
_BARE = f"{_MEMORY}\nimport onnxruntime, tokenizers\nprint(m().rss)"
_LOAD = f"""{_MEMORY}
import json, sys, time
from cloister.runtime import load
import onnxruntime, tokenizers
start = time.perf_counter()
engine = load(sys.argv[1])
seconds = time.perf_counter() - start
loaded = m().rss
engine.predict(["warm up"])
print(json.dumps([seconds, loaded, m().rss]))"""
_IMPORT = "import time; start = time.perf_counter(); import cloister.runtime; print(time.perf_counter() - start)"
_EXPORT = """import json, resource, sys
from cloister.export import export
report = export(sys.argv[1], sys.argv[2], force=True)
print(json.dumps([report.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))"""


def fresh(code: str, *arguments: str) -> str:
    """Run code in a new interpreter; its last line of output."""
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1]


def main() -> None:
    """Print medians of five runs (one for the export)."""
    print(wb.machine())
    out = wb.WORK / "minilm-footprint"
    wb.WORK.mkdir(exist_ok=True)
    seconds, peak = json.loads(fresh(_EXPORT, str(wb.model_folder()), str(out)))
    print(f"\nExport of MiniLM to int8: {seconds:.1f} s, peak {peak / 2**30:.2f} GiB (wanted: 90 s, 2.5 GiB)")
    size = sum(f.stat().st_size for f in Path(out).iterdir())
    bare = sorted(int(fresh(_BARE)) for _ in range(5))[2]
    runs = sorted(json.loads(fresh(_LOAD, str(out))) for _ in range(5))
    load, loaded, used = runs[2]
    print(f"Load of the bundle ({size / 1e6:.1f} MB): {load:.3f} s (wanted: 0.5)")
    for name, value in (("after the load", loaded), ("after a first text", used)):
        print(
            f"Memory above a bare import of onnxruntime and tokenizers, {name}: {(value - bare) / 1e6:.1f} MB, "
            f"{(value - bare) / size:.2f} x the bundle's size (wanted: 3)"
        )
    imports = sorted(float(fresh(_IMPORT)) for _ in range(5))[2]
    print(f"import cloister.runtime: {imports:.3f} s (wanted: 0.3)")


if __name__ == "__main__":
    main()
