import pytest

from levy_cli.main import main
from levy_numerics import models
from levy_schemas.catalogue import ModelsResult


def test_json_is_a_valid_response_of_the_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    result = ModelsResult.model_validate_json(capsys.readouterr().out)
    assert result.models == models.names()
    assert [entry.name for entry in result.catalogue] == list(models.names())


def test_every_parameter_is_shown_with_its_condition(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    for name in models.names():
        assert name in shown
        for p in models.get(name).parameters():
            assert p.domain.condition(p.name) in shown
