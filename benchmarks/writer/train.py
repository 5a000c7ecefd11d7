"""Train the small writer: a Qwen3 of 2.6 million parameters and a byte-level BPE tokenizer, from public texts.

`python -m benchmarks.writer.train DATA OUT`: DATA holds the sets that benchmarks/README.md names. A few minutes on two
free cores. The same seed, threads and machine give the same weights.
"""

import argparse
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from benchmarks.writer import texts

END, TURN, CLOSE = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SEED, ROW, ROWS, WINDOW, VOCABULARY = 0, 256, 24, 512, 4096


def tokenizer(data: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE, trained on the texts."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, TURN, CLOSE],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    labels = sorted({q.label for q in texts.questions(data, "train", SEED)})
    made.train_from_iterator([*texts.plain(data), *labels * 50], trainer)
    fast: Any = PreTrainedTokenizerFast
    found: PreTrainedTokenizerFast = fast(
        tokenizer_object=made, eos_token=CLOSE, pad_token=END, model_max_length=WINDOW, chat_template=TEMPLATE
    )
    return found


def config(words: Any) -> Qwen3Config:
    """Four layers of 192."""
    return Qwen3Config(
        vocab_size=len(words),
        hidden_size=192,
        intermediate_size=576,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=3,
        head_dim=32,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=True,
        eos_token_id=words.convert_tokens_to_ids(CLOSE),
        pad_token_id=words.convert_tokens_to_ids(END),
        bos_token_id=None,
    )


def rows(data: Path, words: Any, asked: int) -> torch.Tensor:
    """All documents of one pass one after the other, cut into rows of equal length. Shape: `[n, ROW + 1]`."""
    end = words.convert_tokens_to_ids(END)
    chats = [
        words.apply_chat_template([{"role": m.role, "content": m.content} for m in q.messages], tokenize=False)
        for q in texts.questions(data, "train", SEED)[:asked]
    ]
    documents = [*texts.plain(data), *chats]
    random.Random(SEED).shuffle(documents)
    ids = [token for one in words(documents, add_special_tokens=False).input_ids for token in [*one, end]]
    count = (len(ids) - 1) // ROW
    return torch.tensor([ids[i * ROW : i * ROW + ROW + 1] for i in range(count)])


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--questions", type=int, default=5_000)
    given = parser.parse_args()
    torch.manual_seed(SEED)
    words = tokenizer(given.data)
    table = rows(given.data, words, given.questions)
    causal: Any = Qwen3ForCausalLM
    model = causal(config(words)).train()
    steps = int(given.epochs * len(table) / ROWS)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {table.numel():,} tokens, {steps} steps")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    warm = max(1, steps // 20)
    plan = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm, 0.05 + 0.95 * (1 + math.cos(math.pi * s / steps)) / 2)
    )
    order = torch.cat([torch.randperm(len(table)) for _ in range(math.ceil(given.epochs) + 1)])
    start = time.perf_counter()
    for step in range(steps):
        batch = table[order[step * ROWS : (step + 1) * ROWS]]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(batch[:, :-1]).logits
        loss: Any = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        plan.step()
        if step % 20 == 0 or step == steps - 1:
            print(f"step {step}: loss {loss.item():.3f}, {time.perf_counter() - start:.0f} s", flush=True)
    model.eval()
    model.generation_config.eos_token_id = [words.convert_tokens_to_ids(t) for t in (CLOSE, END)]
    model.save_pretrained(given.out)
    words.save_pretrained(given.out)


if __name__ == "__main__":
    main()
