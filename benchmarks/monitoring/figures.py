"""What does monitoring cost, how often is it wrong on normal traffic, and how soon does it find an attack?

python -m benchmarks.monitoring.figures --data DATA [--tuning]

The defaults of `Thresholds` were chosen on TUNING seeds alone. EVALUATION seeds are for figures: whoever changes a
threshold after looking at them must replace them.
"""

import argparse
import hmac
import json
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.monitoring.traffic import MODEL, World, attack, attacker, background
from cloister.privacy.monitoring import Alert, Monitor, Reader, Thresholds, patterns
from cloister.runtime.results import Classification
from cloister.runtime.trail import Trail
from cloister.runtime.watch import Watch

TUNING = range(10)
EVALUATION = range(1000, 1020)
ATTACKS = {
    "extraction": ("near_duplicates", "boundary_walk"),
    "burst": ("burst",),
    "drift": ("label_drift", "score_drift"),
    "leak": ("entity_jump",),
}
WITHIN = 500
BEFORE = 6000


def cost(world: World, rounds: int = 7) -> None:
    """Microseconds of everything the monitor adds to a request: signals, outcome, observation."""
    texts = [text for text, _ in world.pool[:4000]]
    names = [str(name) for name in world.classifier.classes_]
    scores = world.classifier.predict_proba(texts)
    predictions = []
    for row in scores:
        best = int(row.argmax())
        predictions.append(
            Classification(names[best], float(row[best]), dict(zip(names, map(float, row), strict=True)))
        )
    watch = Watch(Monitor())
    engine: Any = SimpleNamespace(digest=MODEL, reference=None, task="text-classification")
    trails = [Trail("-", "/v1/classify", f"client-{i % 60}", model_digest=MODEL, inputs=1) for i in range(len(texts))]
    wall, own = [], []
    for _ in range(rounds):
        for trail in trails:
            trail.watched = False
        started = time.perf_counter(), time.thread_time()
        for trail, text, prediction in zip(trails, texts, predictions, strict=True):
            trail.signals = watch.read([text])
            watch.answered(trail, engine, [prediction])
            watch.finished(trail)
        wall.append((time.perf_counter() - started[0]) / len(texts) * 1e6)
        own.append((time.thread_time() - started[1]) / len(texts) * 1e6)
    print(
        f"cost per request, {len(names)} labels: least {min(wall):.1f} us, median {np.median(wall):.1f} us over "
        f"{rounds} rounds of {len(texts)} (wanted: at most 20); processor time "
        f"{min(own):.1f} and {np.median(own):.1f} us"
    )


def false_alarms(world: World, seeds: range) -> None:
    """Alerts on the whole trace without an attack."""
    counts = []
    for seed in seeds:
        alerts = run(world, seed)
        counts.append(len(alerts))
        print(f"  seed {seed}: {len(alerts)} alerts {dict(Counter(a.kind for a in alerts)) or ''}")
    requests = len(world.arrivals) - Thresholds().calibration
    print(
        f"false alarms on {len(world.arrivals):,} requests, {requests:,} of them after calibration: at most "
        f"{max(counts)}, mean {np.mean(counts):.2f} over {len(counts)} seeds = "
        f"{np.mean(counts) / requests * 1e5:.1f} per 100,000 requests (wanted: at most 2 a run)"
    )


def run(world: World, seed: int) -> list[Alert]:
    """Alerts on one run of the trace."""
    monitor, reader = Monitor(secret=b"m" * 32), Reader(seed.to_bytes(32, "big"))
    return [a for seen in world.observations(background(world, seed), reader) for a in monitor.observe(seen)]


def attacks(world: World, seeds: range) -> None:
    """Requests until an attack is found, counted from its first one."""
    for kind, wanted in ATTACKS.items():
        own, every, missed, others = [], [], [], 0
        for seed in seeds:
            found = detect(world, kind, wanted, seed)
            others += found[2]
            if found[0] is None:
                missed.append(seed)
            else:
                own.append(found[0])
                every.append(found[1])
        line = f"  {kind:<12}{len(own)} of {len(seeds)} found within {WITHIN} requests of the attack"
        if own:
            line += f"; its requests until then: median {np.median(own):.0f}, most {max(own)}"
            line += f"; of everybody: most {max(every)}"
        if missed:
            line += f"; missed seeds {missed}"
        print(line + (f"; other alerts {others}" if others else ""))


def detect(world: World, kind: str, wanted: tuple[str, ...], seed: int) -> tuple[int | None, int, int]:
    """Requests of the attack, and of everybody, until the right alert about the right client; other alerts before."""
    monitor, reader = Monitor(secret=b"m" * 32), Reader(seed.to_bytes(32, "big"))
    normal = background(world, seed)
    for seen in world.observations(normal[:BEFORE], reader):
        monitor.observe(seen)
    mixed = list(attack(world, kind, normal[BEFORE:], seed, WITHIN))
    seen_all = world.observations([request for _, request in mixed], reader)
    spread = kind == "drift" or (kind == "leak" and seed % 3 == 0)
    guilty = hmac.digest(b"m" * 32, attacker(seed).encode(), "sha256").hex()[:16]
    own = others = 0
    for number, ((part, _), seen) in enumerate(zip(mixed, seen_all, strict=True), 1):
        own += part
        for alert in monitor.observe(seen):
            if alert.kind in wanted and (spread or alert.client == guilty):
                return own, number, others
            others += 1
        if own >= WITHIN:
            break
    return None, 0, others


def prompts(data: Path, world: World) -> None:
    """Texts with signs of injection or encoding among harmless ones, and windows that would raise an alert."""
    limits = Thresholds()
    trick = json.loads((data / "prompt_injection/NotInject_one.json").read_text("utf-8"))
    chinese = [
        json.loads(line)["text"]
        for name in ("chat", "formal")
        for line in (data / f"pii_zh_generated/{name}_seed42.jsonl").read_text("utf-8").splitlines()
    ]
    contexts = [
        part["context"]
        for article in json.loads((data / "xquad/xquad.en.json").read_text("utf-8"))["data"]
        for part in article["paragraphs"]
    ]
    sets = {
        "NotInject": [row["prompt"] for row in trick],
        "BANKING77, CLINC150": [text for text, _ in world.pool],
        "Restaurant8k": world.other,
        "Chinese messages": chinese,
        "XQuAD paragraphs": contexts,
    }
    for name, texts in sets.items():
        hits = [patterns.injection(text.lower()) for text in texts]
        coded = [patterns.encoded(text) for text in texts]
        print(
            f"  {name:<22}{len(texts):>7} texts: {sum(map(bool, hits))} with signs of injection, "
            f"{sum(map(bool, coded))} with encoded passages; alerts if one client sent them all in turn: "
            f"{_alerts(hits, limits.injection_share, limits.injection_limit)} and "
            f"{_alerts(coded, limits.encoded_share, limits.encoded_limit)}"
        )


def _alerts(weights: list[float], share: float, limit: float) -> int:
    total, count = 0.0, 0
    for weight in weights:
        total = max(0.0, total + weight - share)
        if total >= limit:
            total, count = 0.0, count + 1
    return count


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--tuning", action="store_true", help="use the seeds that thresholds may be chosen by")
    parser.add_argument("--only", choices=("cost", "alarms", "attacks", "prompts"))
    given = parser.parse_args()
    seeds = TUNING if given.tuning else EVALUATION
    world = World(given.data)
    if given.only in (None, "cost"):
        cost(world)
    if given.only in (None, "alarms"):
        false_alarms(world, seeds)
    if given.only in (None, "attacks"):
        attacks(world, seeds)
    if given.only in (None, "prompts"):
        prompts(given.data, world)


if __name__ == "__main__":
    main()
