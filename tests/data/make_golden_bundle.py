"""Makes `bundle_v1/` anew: a tiny BERT classifier with random weights. Run only when format 1 gains an optional field.

python -m tests.data.make_golden_bundle
"""

import tempfile
from pathlib import Path

from cloister.export import export
from tests.support.models import save

FOLDER = Path(__file__).resolve().parent / "bundle_v1"


def main() -> None:
    """Write the folder."""
    with tempfile.TemporaryDirectory() as folder:
        model = save(
            Path(folder) / "golden", "bert", "text-classification", labels=["negative", "positive"], hidden_size=32
        )
        export(model, FOLDER, force=True)


if __name__ == "__main__":
    main()
