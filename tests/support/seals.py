"""Ways to tamper with a sealed folder, each drawn from a seed, and what is needed to draw them."""

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cloister.privacy import keygen
from cloister.privacy.age import parse_recipients
from cloister.privacy.keyfiles import read_secret_key
from cloister.privacy.notes import SecretKey
from cloister.privacy.seal import Contents, Label, seal
from cloister.privacy.sealfile import decode_seal, encode_seal
from cloister.privacy.unseal import Unseal
from cloister.runtime.bundle import read


@dataclass(frozen=True)
class Ground:
    """Seals of one publisher for one device, and of somebody else for the same device.

    Attributes:
        current: version 2, which `unseal` opens.
        old: version 1 of the same.
        sibling: version 2 of other contents, by the same publisher.
        foreign: version 2 of the same contents, by another publisher whose key has the same name.
        stranger: that publisher's key.
    """

    folder: Path
    current: Path
    old: Path
    sibling: Path
    foreign: Path
    stranger: SecretKey
    unseal: Unseal
    contents: dict[str, bytes] = field(repr=False)


def ground(folder: Path, bundle: Path) -> Ground:
    """Make all of it in a folder."""
    keygen.generate(folder / "device", "device")
    keygen.generate(folder / "publisher", "publisher", "acme")
    keygen.generate(folder / "stranger", "publisher", "acme")
    recipients = parse_recipients((folder / "device" / "recipient.txt").read_text().splitlines())
    ours, theirs = (read_secret_key(folder / who / "signing.key") for who in ("publisher", "stranger"))
    contents = read(bundle).contents
    changed = contents | {"golden.json": contents["golden.json"] + b" "}
    for name, inside, version, key in (
        ("current", contents, 2, ours),
        ("old", contents, 1, ours),
        ("sibling", changed, 2, ours),
        ("foreign", contents, 2, theirs),
    ):
        seal(folder / name, Contents("bundle", inside), Label(version), recipients=recipients, signers=[key])
    unseal = Unseal(folder / "device" / "identity.txt", folder / "publisher" / "signing.pub", min_version=2)
    named = {name: folder / name for name in ("current", "old", "sibling", "foreign")}
    return Ground(folder, **named, stranger=theirs, unseal=unseal, contents=contents)


def _pick(folder: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(folder.iterdir()))


def _flip(folder: Path, rng: random.Random, ground: Ground) -> None:
    path = _pick(folder, rng)
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _cut(folder: Path, rng: random.Random, ground: Ground) -> None:
    path = _pick(folder, rng)
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])


def _cut_out(folder: Path, rng: random.Random, ground: Ground) -> None:
    path = _pick(folder, rng)
    data = path.read_bytes()
    at = rng.randrange(len(data))
    path.write_bytes(data[:at] + data[at + rng.randint(1, 64) :])


def _insert(folder: Path, rng: random.Random, ground: Ground) -> None:
    path = _pick(folder, rng)
    data = path.read_bytes()
    at = rng.randint(0, len(data))
    path.write_bytes(data[:at] + rng.choice([b"\n", b" ", b"\0", rng.randbytes(16)]) + data[at:])


def _rename(folder: Path, rng: random.Random, ground: Ground) -> None:
    path = _pick(folder, rng)
    names = [f"{rng.randrange(1000):03d}.age", path.name.upper(), f".{path.name}", f"{path.name}~", "seal.json.old"]
    path.rename(folder / rng.choice([n for n in names if not (folder / n).exists()]))


def _extra(folder: Path, rng: random.Random, ground: Ground) -> None:
    taken = {p.name for p in folder.iterdir()}
    names = [f"{n:03d}.age" for n in range(20)] + [".hidden", "manifest.json", ".gitattributes", "x", "000.AGE", "é"]
    path = folder / rng.choice([n for n in names if n not in taken])
    match rng.randrange(4):
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to("seal.json")
        case 2:
            os.mkfifo(path)
        case _:
            path.write_bytes(_pick(ground.sibling, rng).read_bytes())


def _link(folder: Path, rng: random.Random, ground: Ground) -> None:
    path = _pick(folder, rng)
    path.unlink()
    path.symlink_to(rng.choice([ground.current, ground.sibling]) / path.name)


def _other_kind(folder: Path, rng: random.Random, ground: Ground) -> None:
    path = _pick(folder, rng)
    path.unlink()
    path.mkdir() if rng.random() < 0.5 else os.mkfifo(path)


def _remove(folder: Path, rng: random.Random, ground: Ground) -> None:
    _pick(folder, rng).unlink()


def _swap(folder: Path, rng: random.Random, ground: Ground) -> None:
    one, two = rng.sample(sorted(folder.iterdir()), 2)
    one.rename(folder.parent / "aside")
    two.rename(one)
    (folder.parent / "aside").rename(two)


def _mix(folder: Path, rng: random.Random, ground: Ground) -> None:
    """Some files of another seal among the files of this one."""
    other = rng.choice([ground.old, ground.sibling, ground.foreign])
    names = sorted(p.name for p in folder.iterdir())
    for name in rng.sample(names, rng.randint(1, len(names) - 1)):
        shutil.copyfile(other / name, folder / name)


def _whole(folder: Path, rng: random.Random, ground: Ground) -> None:
    """All of an old version, or all of somebody else's."""
    shutil.rmtree(folder)
    shutil.copytree(rng.choice([ground.old, ground.foreign]), folder)


def _sign_anew(folder: Path, rng: random.Random, ground: Ground) -> None:
    """Somebody else's signature, alone or beside the publisher's, over a changed or unchanged seal."""
    seal_file, signature = folder / "seal.json", folder / "seal.sig"
    made = decode_seal(seal_file.read_bytes())
    text = encode_seal(type(made).of(made.id, made.version + rng.randint(0, 3), made.files))
    ours = signature.read_bytes().rpartition(b"\n\n")[2]
    if text == seal_file.read_bytes():
        lines = ground.stranger.signature_line(text)
    else:
        lines = rng.choice([b"", ours]) + ground.stranger.signature_line(text)
    seal_file.write_bytes(text)
    signature.write_bytes(text + b"\n" + lines)


MUTATIONS: dict[str, Callable[[Path, random.Random, Ground], None]] = {
    "flipped bit": _flip,
    "cut end": _cut,
    "cut out": _cut_out,
    "inserted": _insert,
    "renamed": _rename,
    "extra entry": _extra,
    "link": _link,
    "folder or pipe": _other_kind,
    "removed": _remove,
    "swapped": _swap,
    "mixed with another seal": _mix,
    "old version or other publisher": _whole,
    "other signer": _sign_anew,
}

# Flips find most places to hide, so they come more often.
_WEIGHTS = [
    6 if name == "flipped bit" else 2 if name in ("cut end", "cut out", "inserted") else 1 for name in MUTATIONS
]


def mutate(folder: Path, seed: int, ground: Ground) -> str:
    """Put a copy of the current seal at `folder` and tamper with it; returns how."""
    rng = random.Random(seed)
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(ground.current, folder)
    (name,) = rng.choices(list(MUTATIONS), _WEIGHTS)
    MUTATIONS[name](folder, rng, ground)
    return name
