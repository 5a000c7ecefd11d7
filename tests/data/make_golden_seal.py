"""Makes `seal_v1/` anew: the golden bundle and a data file, sealed, with the keys that open and check them.

The keys are made for this folder and protect nothing. Run only when format 1 gains an optional field.

python -m tests.data.make_golden_seal
"""

import shutil
from pathlib import Path

from cloister.privacy import keygen
from cloister.privacy.age import parse_recipients
from cloister.privacy.keyfiles import read_secret_key
from cloister.privacy.seal import Contents, Label, seal
from cloister.runtime.bundle import read

DATA = Path(__file__).resolve().parent
FOLDER = DATA / "seal_v1"
FILE = b"text,label\nWhere is my parcel?,delivery\n"


def main() -> None:
    """Write the folder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    device = keygen.generate(FOLDER / "device", "device")
    publisher = keygen.generate(FOLDER / "publisher", "publisher", "example.org/models")
    recipients = parse_recipients(device["recipient.txt"].read_text().splitlines())
    signer = read_secret_key(publisher["signing.key"])
    for name, contents in (
        ("bundle", Contents("bundle", read(DATA / "bundle_v1").contents)),
        ("file", Contents("file", {"data.csv": FILE})),
    ):
        seal(FOLDER / name, contents, Label(7, f"golden-{name}"), recipients=recipients, signers=[signer])
    for unused in ("device/audit.key", "device/audit.pub", "publisher/signing.key"):
        (FOLDER / unused).unlink()


if __name__ == "__main__":
    main()
