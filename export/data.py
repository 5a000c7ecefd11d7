"""Files of texts that users bring."""

import csv
import io
import json
from pathlib import Path

from .. import InvalidInput, StorageError

_HINT = 'use JSON Lines with a "text" field, CSV with a text column, or one text a line; UTF-8'


def read_texts(path: Path) -> list[str]:
    """Texts of a file: JSON Lines (`.jsonl`) with a `text` field, CSV (`.csv`) with a `text` column, else plain lines.

    Raises:
        InvalidInput: not UTF-8, a line that is not what the ending promises, or no text at all.
        StorageError: the file cannot be read.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path.name} is not UTF-8", hint=_HINT) from error
    except OSError as error:
        raise StorageError(f"cannot read {path.name}: {error.strerror}", hint="check the path") from error
    if path.suffix in (".jsonl", ".json"):
        # Not splitlines: it would cut at U+2028 too, which JSON allows in a text.
        texts = [_json_text(line, number, path) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    elif path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(content, newline=""))
        if "text" not in (rows.fieldnames or []):
            raise InvalidInput(f"{path.name} has no text column", hint=_HINT)
        texts = [row["text"] or "" for row in rows]
    else:
        texts = content.splitlines()
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise InvalidInput(f"{path.name} has no text", hint=_HINT)
    return texts


def _json_text(line: str, number: int, path: Path) -> str:
    try:
        text = json.loads(line)["text"]
    except (ValueError, TypeError, KeyError):
        text = None
    if not isinstance(text, str):
        raise InvalidInput(f'{path.name}, line {number}: not a JSON object with a "text"', hint=_HINT) from None
    return text
