"""Settings come from the environment and are checked before anything runs."""

import pytest

from scoring.runtime.provider_options import DeviceOptions
from scoring.runtime.providers import Provider
from service.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({"PATH": "/bin", "BELLWETHER_BUNDLE": ""}) == Settings()


def test_variables_are_typed() -> None:
    settings = Settings.from_environment(
        {
            "BELLWETHER_BUNDLE": "bellwether:latest",
            "BELLWETHER_PROVIDER": "cuda",
            "BELLWETHER_STRICT": "true",
            "BELLWETHER_DEVICE": "1",
            "BELLWETHER_DEVICE_MEMORY": "512",
            "BELLWETHER_ENGINE_CACHE": "/var/cache/engines",
            "BELLWETHER_THREADS": "2",
            "BELLWETHER_WORKERS": "3",
            "BELLWETHER_MAX_BODY_BYTES": "4096",
            "BELLWETHER_MAX_STUDENTS": "7",
            "BELLWETHER_MAX_ARRIVING_BYTES": "5000000",
            "BELLWETHER_QUEUE_MILLISECONDS": "50",
            "BELLWETHER_FAST_PATH": "false",
            "BELLWETHER_TRACES": "http://127.0.0.1:4318/v1/traces",
        }
    )

    assert settings == Settings(
        bundle="bellwether:latest",
        provider=Provider.CUDA,
        strict=True,
        device=1,
        device_memory=512,
        engine_cache="/var/cache/engines",
        threads=2,
        workers=3,
        max_body_bytes=4096,
        max_students=7,
        max_arriving_bytes=5_000_000,
        queue_milliseconds=50,
        fast_path=False,
        traces="http://127.0.0.1:4318/v1/traces",
    )
    assert settings.device_options == DeviceOptions(
        number=1,
        memory_mib=512,
        engine_cache="/var/cache/engines",
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"BELLWETHER_MAX_ARRIVING_BYTES": "16777215"},
        {"BELLWETHER_MAX_BODY_BYTES": str(2**28)},
    ],
)
def test_the_largest_body_must_be_able_to_arrive(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^BELLWETHER_MAX_ARRIVING_BYTES: .*MAX_BODY_BYTES$"):
        Settings.from_environment(environment)


def test_every_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(
            {
                "BELLWETHER_PROVIDER": "gpu",
                "BELLWETHER_THREADS": "0",
                "BELLWETHER_STRICT": "perhaps",
            }
        )

    lines = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "BELLWETHER_PROVIDER",
        "BELLWETHER_STRICT",
        "BELLWETHER_THREADS",
    ]
    assert "'auto', 'cpu', 'cuda', 'tensorrt' or 'openvino'" in lines[0]
