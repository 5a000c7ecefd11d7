"""How much quality does a fine-tuned model lose in int8, int4, and in ONNX Runtime's own dynamic int8?

The model is exported with a contract on texts held out of its training data; the table is measured on a test split that
neither the training nor the contract saw. ONNX Runtime's side is the graph of transformers' own exporter after
`quantize_dynamic` (QInt8), texts sorted by length, padded batches of 32.
"""

import argparse
import logging
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import workbench as wb
from cloister.export import Contract, export, metrics, parity
from cloister.export.evaluate import evaluation
from cloister.export.labelled import read_labelled
from cloister.export.source import read
from cloister.runtime import load
from cloister.runtime.encoder import pooled
from cloister.runtime.engine import Options
from cloister.runtime.packing import Tokens
from cloister.runtime.processor import available_threads
from cloister.runtime.session import onnxruntime


def main() -> None:
    """Export, then print one line per side: score, drop with interval, flips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a fine-tuned model")
    parser.add_argument("--eval", type=Path, required=True, help="labelled data for the contract")
    parser.add_argument("--test", type=Path, required=True, help="labelled data for the table")
    parser.add_argument(
        "--calibration", type=Path, help="texts of the domain, as `cloister export --calibration` reads"
    )
    parser.add_argument("--max-drop", type=float, default=0.003)
    parser.add_argument("--max-flips", type=float)
    parser.add_argument("--int4", action="store_true", help="measure int4 too, without a contract")
    chosen = parser.parse_args()
    wb.WORK.mkdir(exist_ok=True)
    out = wb.WORK / f"accuracy-{chosen.model.name}"
    texts = None
    if chosen.calibration is not None:
        from cloister.export.data import read_texts

        texts = read_texts(chosen.calibration)
    contract = Contract(read_labelled(chosen.eval), chosen.max_drop, chosen.max_flips)
    report = export(chosen.model, out, precision="int8", calibration=texts, contract=contract, force=True)
    print(wb.machine())
    print(
        f"\n{chosen.model.name}: {report.task}, contract on {len(contract.data.examples)} examples: {report.accuracy}"
    )
    bundles = {"Cloister int8": out}
    if chosen.int4:
        bundles["Cloister int4, no contract"] = wb.WORK / f"accuracy-{chosen.model.name}-int4"
        export(chosen.model, bundles["Cloister int4, no contract"], precision="int4", calibration=texts, force=True)
    _table(chosen, bundles)


def _table(chosen: Any, bundles: dict[str, Path]) -> None:
    engines = {name: load(path, options=Options()) for name, path in bundles.items()}
    first = next(iter(engines.values()))
    judged = evaluation(read_labelled(chosen.test), first.manifest, first.tokenizer, None)
    tokens = judged.prepared.tokens
    source = read(str(chosen.model), first.task)
    outputs: dict[str, Sequence[Any]] = {"PyTorch fp32": [parity.forward(source, one) for one in tokens]}
    outputs |= {name: engine.forward(tokens) for name, engine in engines.items()}
    outputs["ONNX Runtime dynamic QInt8"] = _dynamic(chosen.model, source, tokens, per_token=source.task != _PER_TEXT)
    rows = np.arange(judged.examples)
    answers = {name: judged.answers(judged.prepared.finish(found)) for name, found in outputs.items()}
    base = answers["PyTorch fp32"]
    print(f"\n{judged.examples} test examples{'':<22}{judged.metric:>12}{'drop':>9}  95% interval          flips")
    for name, found in answers.items():
        score = judged.score(found.table, rows)
        drop = judged.score(base.table, rows) - score
        interval = metrics.paired_interval(
            lambda r, found=found: judged.score(found.table, r),  # type: ignore[misc]
            lambda r: judged.score(base.table, r),
            judged.examples,
        )
        flips = metrics.flips(base.identity, found.identity) if base.identity and found.identity else 0
        print(
            f"  {name:<40}{score:>8.4f}{drop:>+9.4f}  [{interval.low:+.4f}, {interval.high:+.4f}]"
            f"{flips:>7} ({flips / judged.examples:.2%})"
        )


_PER_TEXT = "text-classification"


def _dynamic(folder: Path, source: Any, tokens: Sequence[Tokens], *, per_token: bool) -> list[Any]:
    """Outputs of transformers' own ONNX export after `quantize_dynamic`, as `Engine.forward` gives them."""
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = available_threads()
    options.log_severity_level = 3
    path = _dynamic_graph(folder, source)
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = {i.name for i in session.get_inputs()}
    order = np.argsort([len(t) for t in tokens], kind="stable")
    result: list[Any] = [None] * len(tokens)
    for start, batch in enumerate(wb.sorted_batches(tokens)):
        output = "logits" if source.dense is None else "last_hidden_state"
        values = session.run([output], {k: v for k, v in batch.items() if k in names})[0]
        for index, row in zip(order[start * 32 : start * 32 + 32], values, strict=True):
            if source.dense is not None:  # a classifier over the pooled vector, in float on every side
                result[index] = source.dense(pooled(row[: len(tokens[index])], source.pooling))
            else:
                result[index] = row[: len(tokens[index])] if per_token else row
    return result


def _dynamic_graph(folder: Path, source: Any) -> Path:
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter  # type: ignore[attr-defined]

    path, quantized = wb.WORK / f"{folder.name}.onnx", wb.WORK / f"{folder.name}-dynamic.onnx"
    ids = torch.arange(14).reshape(2, 7)
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if source.token_types:
        inputs["token_type_ids"] = torch.zeros_like(ids)
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            config = OnnxConfig(dynamic=True)
            exported = OnnxExporter().export(source.model, inputs, config=config)  # type: ignore[no-untyped-call]
            OnnxExporter.save_program(exported.program, str(path))
            quantize_dynamic(str(path), str(quantized), weight_type=QuantType.QInt8)
        finally:
            logging.disable(logging.NOTSET)
    return quantized


if __name__ == "__main__":
    main()
