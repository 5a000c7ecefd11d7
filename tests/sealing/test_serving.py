"""A service with sealed bundles: at the start, swapped in, and refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloister import CloisterError
from cloister.privacy.minimum import raise_minimum
from cloister.runtime.http.application import build
from cloister.runtime.settings import Settings, read_settings
from tests.support.seals import Ground
from tests.support.service import Client

ADMIN = {"authorization": "Bearer an-admin-key-long-enough"}


@pytest.fixture
def settings(ground: Ground, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("CLOISTER_ADMIN_KEY", "an-admin-key-long-enough")
    shutil.copytree(ground.current, tmp_path / "models" / "one")
    return {
        "policy": "off",
        "models": str(tmp_path / "models"),
        "identity": str(keys / "identity.txt"),
        "public_key": str(ground.unseal.public_key),
    }


@pytest.fixture
def client(settings: dict[str, Any]) -> Iterator[Client]:
    one = Client(build(Settings(bundles=[f"one={settings['models']}/one"], **settings)))
    yield one
    one.close()


def load(client: Client) -> int:
    return client.post("/v2/repository/models/one/load", {}, headers=ADMIN).status_code


def answers(client: Client) -> bool:
    return client.post("/v1/classify", {"model": "one", "input": "a text"}).status_code == 200


def test_sealed_models_are_listed_swapped_and_refused(
    client: Client, settings: dict[str, Any], ground: Ground, keys: Path
) -> None:
    folder = Path(settings["models"]) / "one"
    assert {m["name"] for m in client.post("/v2/repository/index", {}).json()} == {"one"}
    assert answers(client)
    assert load(client) == 200
    for other in (ground.foreign, Path(__file__).resolve().parents[1] / "data" / "bundle_v1"):
        shutil.rmtree(folder)
        shutil.copytree(other, folder)
        assert load(client) == 422
        assert answers(client)  # by the model that was there before
    shutil.rmtree(folder)
    shutil.copytree(ground.old, folder)
    assert load(client) == 200
    raise_minimum(keys / "minimum.json", "default", 2)  # what `verify --remember` does; a load sees it at once
    assert load(client) == 422
    assert answers(client)


def test_an_identity_from_a_descriptor_serves_more_than_one_load(settings: dict[str, Any], keys: Path) -> None:
    with (keys / "identity.txt").open("rb") as file:
        settings["identity"] = f"fd:{file.fileno()}"
        client = Client(build(Settings(bundles=[f"one={settings['models']}/one"], **settings)))
        try:
            assert load(client) == 200
            assert answers(client)
        finally:
            client.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"min_version": 3}, "seal_version_too_old"),
        ({"bundle_ids": ["one=another"]}, "seal_other_bundle"),
        ({"public_key": None}, "settings_invalid"),
        ({"identity": None}, "settings_invalid"),
        ({"identity": None, "public_key": None, "min_version": 1}, "settings_invalid"),
        ({"identity": None, "public_key": None}, "bundle_sealed"),
        ({"bundle_ids": ["one"]}, "settings_invalid"),
        ({"identity": "env:NOT_SET"}, "key_invalid"),
    ],
)
def test_a_service_does_not_start_with(settings: dict[str, Any], changes: dict[str, Any], code: str) -> None:
    with pytest.raises(CloisterError) as error:
        Client(build(Settings(bundles=[f"one={settings['models']}/one"], **settings | changes)))
    assert error.value.code == code


def test_a_secret_among_the_settings_is_refused_before_it_can_be_printed(keys: Path) -> None:
    secret = (keys / "identity.txt").read_text().splitlines()[-1]
    for flags, environment in (({"identity": secret}, {}), ({}, {"CLOISTER_IDENTITY": secret})):
        with pytest.raises(CloisterError) as error:
            read_settings(flags, environment=environment)
        assert error.value.code == "settings_invalid"
        assert secret not in str(error.value)


def test_an_id_per_model(settings: dict[str, Any]) -> None:
    client = Client(build(Settings(bundles=[f"one={settings['models']}/one"], bundle_ids=["one=default"], **settings)))
    assert answers(client)
    client.close()
