"""What rounding the small writer's weights changes, in what it says of texts and in the labels it chooses.

`python -m benchmarks.writer.figures DATA MODEL OUT`: exports the model of `benchmarks.writer.train` to int4, int8 and
fp32 (writing the bundle to OUT) and prints the figures of the export's own probe texts, those on held-out paragraphs
and questions, and how often the right label of ten is chosen, by the chat template and without it.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from benchmarks.writer import texts
from cloister.export import export
from cloister.runtime import Options, load
from cloister.runtime.generate import GeneratorEngine
from cloister.runtime.sampling import log_softmax

PRECISIONS = ("fp32", "int8", "int4")
LONGEST = 96


def divergence(model: Any, engine: GeneratorEngine, documents: list[str]) -> dict[str, float]:
    """Over all places of texts: mean divergence in nats, share of equal first choices, both perplexities."""
    lost: list[float] = []
    own: list[float] = []
    away: list[float] = []
    same: list[bool] = []
    for text in documents:
        ids = engine.tokenizer.plain(text)[:LONGEST]
        if len(ids) < 2:
            continue
        with torch.no_grad():
            rows = model(torch.tensor([ids])).logits[0].float().numpy()
        sequence = engine._decoder.sequence(len(ids) + 1)
        for place in range(len(ids) - 1):
            one, other = log_softmax(rows[place]), log_softmax(sequence.append([ids[place]]))
            away.append(float((np.exp(one) * (one - other)).sum()))
            same.append(bool(one.argmax() == other.argmax()))
            own.append(-float(one[ids[place + 1]]))
            lost.append(-float(other[ids[place + 1]]))
    before, after = float(np.exp(np.mean(own))), float(np.exp(np.mean(lost)))
    return {"kl": float(np.mean(away)), "same": float(np.mean(same)), "before": before, "after": after}


def right(engine: GeneratorEngine, questions: list[texts.Question], chat: bool) -> float:
    """How often the right label of ten is chosen."""
    found = [engine.predict([q.text], labels=q.labels, chat=chat)[0] for q in questions]
    return float(np.mean([f.label == q.label for f, q in zip(found, questions, strict=True)]))  # type: ignore[union-attr]


def main() -> None:
    """Export, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", type=int, default=60)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    export(given.model, given.out, precision=PRECISIONS, force=True)
    causal: Any = AutoModelForCausalLM
    model = causal.from_pretrained(given.model, dtype=torch.float32).eval()
    documents = texts.held_out(given.data)
    documents = documents[:: max(1, len(documents) // given.texts)]
    questions = texts.questions(given.data, "test", 1)[: given.questions]
    print(f"{'':<8}{'':<10}{'divergence':>12}{'same first':>12}{'perplexity':>12}{'change':>9}")
    for precision in PRECISIONS:
        engine = load(given.out, options=Options(variant=precision))
        assert isinstance(engine, GeneratorEngine)
        probes = engine.variant.generation
        assert probes is not None
        change = probes.perplexity / probes.source_perplexity - 1
        print(
            f"{precision:<8}{'probes':<10}{probes.kl_mean:>12.2g}{probes.top1_agreement:>12.1%}"
            f"{probes.perplexity:>12.4g}{change:>+9.2%}   {probes.greedy_equal} of {probes.greedy_steps} greedy steps"
        )
        held = divergence(model, engine, documents)
        change = held["after"] / held["before"] - 1
        print(
            f"{'':<8}{'held out':<10}{held['kl']:>12.2g}{held['same']:>12.1%}{held['after']:>12.4g}{change:>+9.2%}",
            flush=True,
        )
        chosen = {name: right(engine, questions, chat) for name, chat in (("chat", True), ("text", False))}
        print(
            f"{'':<8}{'labels':<10}right of {len(questions)} with ten to choose from: {chosen['chat']:.1%} asked in "
            f"the chat template, {chosen['text']:.1%} as one text",
            flush=True,
        )
        engine.close()


if __name__ == "__main__":
    main()
