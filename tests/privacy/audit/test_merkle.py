"""Trees and proofs against RFC 6962's definitions, written down once more and slowly, and its published roots."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister.privacy.audit import paths
from cloister.privacy.audit.check_notes import Accumulator
from cloister.privacy.audit.check_proof import _root as root_by_inclusion
from cloister.privacy.audit.merkle import Tree, consistency, inclusion, leaf_hash, range_hash, tree_hash
from cloister.privacy.audit.witness import _is_consistent as is_consistent

# Inputs and roots of the test vectors that certificate-transparency's implementations share.
LEAVES = [
    bytes.fromhex(x)
    for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


def grown(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    return tree


def numbered(count: int) -> list[bytes]:
    return [b"%d" % i for i in range(count)]


def test_published_roots() -> None:
    tree, checker = Tree(), Accumulator()
    assert tree.root() == checker.root() == hashlib.sha256(b"").digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.append(leaf_hash(leaf))
        checker.add(leaf_hash(leaf))
        assert tree.root().hex() == checker.root().hex() == root


@given(st.lists(st.binary(max_size=8), max_size=300))
@settings(max_examples=50, deadline=None)
def test_every_way_to_a_root_is_the_definition(leaves: list[bytes]) -> None:
    want = by_definition(leaves)
    assert grown(leaves).root() == want
    assert tree_hash([leaf_hash(leaf) for leaf in leaves]) == want
    checker = Accumulator()
    for leaf in leaves:
        checker.add(leaf_hash(leaf))
    assert checker.root() == want


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 70_000])
def test_tiles_are_those_of_the_specification(size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in numbered(size)]
    tree = Tree()
    tiles: dict[tuple[int, int], bytes] = {}
    for value in hashes:
        tree.append(value)
    for level, index, data in [*tree.take_finished(), *tree.unfinished()]:
        assert (level, index) not in tiles
        tiles[level, index] = data
    for level in range(4):
        unit = 256**level
        count = size // unit
        assert sum(len(d) // 32 for (at, _), d in tiles.items() if at == level) == count
        for i in {0, count // 2, count - 1} if count else ():
            tile, at = tiles[level, i // 256], i % 256
            assert tile[32 * at : 32 * at + 32] == tree_hash(hashes[i * unit : (i + 1) * unit])
    again = Tree.restored(size, lambda level, index, width: tiles[level, index][: 32 * width])
    assert again.root() == tree.root()
    again.append(hashes[0] if hashes else leaf_hash(b""))
    tree.append(hashes[0] if hashes else leaf_hash(b""))
    assert again.root() == tree.root()


def test_paths_are_those_of_the_specification() -> None:
    assert paths.tile(0, 1234067) == "tile/0/x001/x234/067"
    assert paths.tile(paths.ENTRIES, 0, 5) == "tile/entries/000.p/5"
    assert paths.tile(1, 999) == "tile/1/999"
    assert paths.tile(1, 1000) == "tile/1/x001/000"


@given(st.data(), st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_proofs_hold_and_altered_ones_do_not(data: st.DataObject, size: int) -> None:
    leaves = numbered(size)
    hashes = [leaf_hash(leaf) for leaf in leaves]

    def subtree(start: int, end: int) -> bytes:
        return by_definition(leaves[start:end])

    root = by_definition(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(index, size, subtree)
    assert root_by_inclusion(hashes[index], index, size, path) == root
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert root_by_inclusion(hashes[index], other, size, path) != root
        assert root_by_inclusion(hashes[other], index, size, path) != root
    assert root_by_inclusion(hashes[index], index, size, [*path, root]) != root
    if path:
        assert root_by_inclusion(hashes[index], index, size, path[:-1]) != root

    old = data.draw(st.integers(1, size))
    old_root = by_definition(leaves[:old])
    assert range_hash(0, old, subtree) == old_root
    proof = consistency(old, size, subtree)
    if old < size:
        assert is_consistent(old, size, old_root, root, proof)
        assert not is_consistent(old, size, root, root, proof)
        assert not is_consistent(old, size, old_root, old_root, proof)
        assert not is_consistent(old, size, old_root, root, [*proof, root])
        assert not is_consistent(old, size, old_root, root, proof[:-1])
    else:
        assert proof == []
