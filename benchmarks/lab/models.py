"""The models that all peers read: the real MiniLM, random weights in the shapes of larger models, the built-in tagger.

Random weights cost the same time as trained ones of their shape. They are drawn once, from a fixed seed, and saved, so
that every peer reads the same. They have no outliers, which makes quantizing them easy: cosines say little there.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from benchmarks import workbench as wb

_WORDPIECE = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_XLMR_WORDS = 250_002
_UNUSED = -100.0  # log probability of a piece that no text is cut into


@dataclass(frozen=True)
class Model:
    """A model of the lab. `folder` makes it where it is missing, and says where it is."""

    name: str
    title: str
    folder: Callable[[Path], Path]


def _minilm(models_folder: Path) -> Path:
    """The real MiniLM, with its window opened to the 512 positions that it has."""
    out = models_folder / "minilm"
    if not out.exists():
        shutil.copytree(wb.model_folder(), out)
        _window(out)
    return out


def _random(name: str, config: Callable[[], Any]) -> Callable[[Path], Path]:
    def folder(models_folder: Path) -> Path:
        out = models_folder / name
        if not out.exists():
            import torch
            from transformers import AutoModel

            unfinished = models_folder / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            torch.manual_seed(0)
            settings = config()
            model: Any = AutoModel.from_config(settings)  # type: ignore[no-untyped-call]
            model.eval().save_pretrained(unfinished)
            _told(unfinished / "config.json", position_embedding_type="absolute")  # CTranslate2 asks for it
            _pooling(unfinished, settings.hidden_size)
            if settings.model_type == "xlm-roberta":
                xlmr_tokenizer(unfinished)
            else:
                for file in _WORDPIECE:
                    shutil.copy(wb.model_folder() / file, unfinished / file)
            _window(unfinished)
            unfinished.rename(out)
        return out

    return folder


def _distilbert() -> Any:
    from transformers import DistilBertConfig

    return DistilBertConfig()


def _bert() -> Any:
    from transformers import BertConfig

    return BertConfig()


def _xlmr() -> Any:
    from transformers import XLMRobertaConfig

    return XLMRobertaConfig(vocab_size=_XLMR_WORDS, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)


def _told(path: Path, **more: str) -> None:
    """A setting that older configurations have, and transformers 5 leaves out."""
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **more}, indent=2), "utf-8")


def _window(folder: Path) -> None:
    settings = {"max_seq_length": 512, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))


def _pooling(folder: Path, size: int) -> None:
    """What sentence-transformers reads: the mean of the tokens, of length one, as in MiniLM's own folder."""
    for file in ("modules.json", "config_sentence_transformers.json"):
        shutil.copy(wb.model_folder() / file, folder / file)
    (folder / "1_Pooling").mkdir()
    given = json.loads((wb.model_folder() / "1_Pooling" / "config.json").read_text())
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({**given, "word_embedding_dimension": size}))


def xlmr_tokenizer(folder: Path, *, pieces: int = 4000, size: int = _XLMR_WORDS) -> None:
    """A Unigram tokenizer of XLM-R's form: pieces trained on the committed texts, then unused ones up to `size`.

    So lengths come from a real cut of real texts, while the embedding and the vocabulary file are as large as XLM-R's.
    """
    cutter = Tokenizer(models.Unigram())
    cutter.pre_tokenizer, cutter.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=pieces, special_tokens=list(_SPECIAL), unk_token=_SPECIAL[3], show_progress=False
    )
    cutter.train_from_iterator(wb.texts(), trainer)
    document = json.loads(cutter.to_str())
    vocabulary = document["model"]["vocab"]
    vocabulary += [[f"▁unused{i}", _UNUSED] for i in range(size - len(vocabulary))]
    whole = Tokenizer.from_str(json.dumps(document))
    whole.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    whole.save(str(folder / "tokenizer.json"))
    names = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    special = {f"{name}_token": token for name, token in names.items()}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    settings = {**special, "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _tagger(_: Path) -> Path:
    return wb.ROOT / "runtime" / "taggers" / "english"


MODELS = {
    model.name: model
    for model in (
        Model("minilm", "all-MiniLM-L6-v2, its real weights", _minilm),
        Model("distilbert", "DistilBERT's shape, random weights", _random("distilbert", _distilbert)),
        Model("bert-base", "BERT-base's shape, random weights", _random("bert-base", _bert)),
        Model("xlmr-base", "XLM-R-base's shape, random weights", _random("xlmr-base", _xlmr)),
        Model("tagger", "the built-in English tagger", _tagger),
    )
}
