"""The log of calibrations contains what is needed to compute each answer again."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from levy_calibration.app import create_app
from levy_calibration.audit_log import AuditLog, Entry, read_entries
from levy_calibration.handlers.replay import replay
from levy_calibration.registry import Registry
from levy_calibration.settings import CalibrationSettings
from levy_numerics.errors import InvalidInputError
from levy_schemas.headers import CALLER, REQUEST_ID
from levy_service import engine_version
from tests.calibration_service.conftest import TestClient


def serve(folder: Path, **settings: Any) -> TestClient:
    return TestClient(
        create_app(CalibrationSettings(audit_log=folder, deadline_seconds=600.0, **settings))
    )


@pytest.fixture(scope="module")
def audited(
    tmp_path_factory: pytest.TempPathFactory,
    grid_request: dict[str, Any],
    quotes_request: dict[str, Any],
) -> tuple[Path, list[dict[str, Any]]]:
    """Return the folder of a log, and the responses: single ones, per expiry, and a batch."""
    folder = tmp_path_factory.mktemp("audit")
    bodies = [
        grid_request,
        quotes_request,
        grid_request | {"per_maturity": True},
        grid_request | {"method": "least_squares", "uncertainty": "none"},
        quotes_request | {"method": "neural"},
    ]
    with serve(folder) as client:
        answers = [
            client.post(
                "/calibrate", json=body, headers={REQUEST_ID: f"one-{k}", CALLER: "desk"}
            ).json()
            for k, body in enumerate(bodies)
        ]
        batch = {"surfaces": [grid_request, grid_request | {"model_type": "NIG"}]}
        found = client.post("/calibrate", json=batch, headers={REQUEST_ID: "batch"}).json()
    answers += [outcome["result"] for outcome in found["results"]]
    return folder, answers


def test_each_answer_is_logged_with_who_when_and_with_which_versions(
    audited: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, answers = audited
    entries = list(read_entries(folder))
    assert [entry.id for entry in entries] == [*(f"one-{k}" for k in range(5)), "batch", "batch"]
    champion = Registry.open().champion("VarianceGamma")
    assert champion is not None
    # The surfaces of a batch run in threads, and are logged in the order in which they end.
    of_batch = sorted(entries[5:], key=lambda entry: entry.answer["model_type"], reverse=True)
    for entry, answer in zip([*entries[:5], *of_batch], answers, strict=True):
        assert entry.who == ("desk" if entry.id != "batch" else "")
        assert entry.engine_version == engine_version()
        assert entry.answer["parameters"] == answer["parameters"]
    assert entries[0].networks == (champion.version,)
    assert entries[3].networks == ()
    # The warm-up is not a calibration for anybody.
    assert len(entries) == len(answers)


def test_each_answer_is_reproduced_to_the_last_digit(
    audited: tuple[Path, list[dict[str, Any]]],
) -> None:
    for entry in read_entries(audited[0]):
        replayed = replay(entry, Registry.open(), engine_version())
        assert replayed.is_equal, (entry.id, replayed.differences, replayed.problem)


def changed(entry: Entry, path: Path, **changes: Any) -> Entry:
    """Write an entry with other members, and read it again."""
    content = json.loads(path.read_text().splitlines()[0])
    content.update(changes)
    other = path.with_name("changed.jsonl")
    other.write_text(json.dumps(content) + "\n")
    (read,) = read_entries(other)
    assert read.id == entry.id
    return read


def test_what_differs_is_stated_with_its_reason(
    audited: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    (log,) = audited[0].glob("*.jsonl")
    path = tmp_path / log.name
    path.write_bytes(log.read_bytes())
    entry = next(read_entries(path))
    parameters = entry.answer["parameters"]
    answer = entry.answer | {"parameters": parameters | {"nu": parameters["nu"] + 1e-15}}
    other = changed(entry, path, answer=answer, engine_version="0.0.1")
    replayed = replay(other, Registry.open(), engine_version())
    (difference,) = replayed.differences
    assert difference.member == "/parameters/nu"
    assert replayed.reasons == (f"the engine was 0.0.1, and is {engine_version()}",)
    missing = changed(entry, path, networks=[{"version": "set-0000000000", "outcome": "accepted"}])
    assert "set-0000000000" in replay(missing, Registry.open(), engine_version()).problem


def test_a_request_that_was_edited_is_detected(
    audited: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    (log,) = audited[0].glob("*.jsonl")
    path = tmp_path / log.name
    path.write_text(log.read_text().replace('"spot_price":100.0', '"spot_price":101.0', 1))
    with pytest.raises(InvalidInputError, match=r"line 1: .*does not match its hash"):
        list(read_entries(path))


def test_without_requests_only_the_hash_is_logged(
    tmp_path: Path, grid_request: dict[str, Any]
) -> None:
    with serve(tmp_path, audit_requests=False) as client:
        for body in (grid_request, dict(reversed(grid_request.items()))):
            assert client.post("/calibrate", json=body).status_code == 200
    first, second = read_entries(tmp_path)
    assert first.request is None
    assert first.request_sha256 == second.request_sha256
    assert "only the hash" in replay(first, Registry.open(), engine_version()).problem


def test_files_are_rotated_and_never_changed(tmp_path: Path, grid_request: dict[str, Any]) -> None:
    with serve(tmp_path, audit_file_bytes=1) as client:
        client.post("/calibrate", json=grid_request)
        (first,) = tmp_path.iterdir()
        before = first.read_bytes()
        for _ in range(2):
            client.post("/calibrate", json=grid_request)
    assert len(list(tmp_path.iterdir())) == 3
    assert first.read_bytes() == before
    assert len(list(read_entries(tmp_path))) == 3


def test_a_full_disk_loses_lines_but_no_answers(
    tmp_path: Path,
    grid_request: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    logged: list[dict[str, Any]],
) -> None:
    whole = os.write

    def half(descriptor: int, line: bytes) -> int:
        return whole(descriptor, line[: len(line) // 2])

    with serve(tmp_path) as client:
        with monkeypatch.context() as full:
            full.setattr("levy_calibration.audit_log.os.write", half)
            assert client.post("/calibrate", json=grid_request).status_code == 200
        assert client.post("/calibrate", json=grid_request).status_code == 200
    assert [event["event"] for event in logged].count("audit_log.failed") == 1
    # The torn line is the last of its file, and is skipped.
    assert len(list(tmp_path.iterdir())) == 2
    assert len(list(read_entries(tmp_path))) == 1


def test_no_log_is_written_unless_a_folder_is_configured(
    tmp_path: Path, grid_request: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with TestClient(create_app(CalibrationSettings())) as client:
        assert client.post("/calibrate", json=grid_request).status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_log_and_a_file_of_another_kind_are_refused(tmp_path: Path) -> None:
    AuditLog(tmp_path / "audit")
    for path, reason in ((tmp_path / "audit", "contains no"), (tmp_path / "absent", "not exist")):
        with pytest.raises(InvalidInputError, match=reason):
            list(read_entries(path))
    (tmp_path / "other.jsonl").write_text('{"id": "7"}\n')
    with pytest.raises(InvalidInputError, match="line 1: not an entry"):
        list(read_entries(tmp_path / "other.jsonl"))
