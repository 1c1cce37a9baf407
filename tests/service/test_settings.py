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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("BELLWETHER_PROVIDR", "did you mean BELLWETHER_PROVIDER?"),
        ("BELLWETHER_WORKER", "did you mean BELLWETHER_WORKERS?"),
        ("BELLWETHER_MAX_BODY", "did you mean BELLWETHER_MAX_BODY_BYTES?"),
        ("BELLWETHER_workers", "no such setting"),
        ("BELLWETHER_LOUDNESS", "settings are BELLWETHER_BUNDLE, BELLWETHER_PROVIDER"),
        ("BELLWETHER_", "no such setting"),
        ("BELLWETHER_DESKTOP", "no such setting"),
    ],
)
def test_a_mistyped_name_is_refused_with_a_suggestion(name: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({name: "", "BELLWETHER_THREADS": "1"})

    assert str(refused.value).startswith(f"{name}: ")
    assert said in str(refused.value)


def test_every_mistyped_name_is_listed() -> None:
    with pytest.raises(SettingsError, match=r"(?s)BELLWETHER_STRICTT.*BELLWETHER_THREAD:"):
        Settings.from_environment({"BELLWETHER_THREAD": "1", "BELLWETHER_STRICTT": "1"})


@pytest.mark.parametrize(
    "name",
    [
        "BELLWETHER_DESK_DATABASE",
        "BELLWETHER_INTERNAL_SHARES",
        "BELLWETHER_DEBUG",
        "BELLWETHER_DATA",
        # Set by Kubernetes for Services named bellwether and bellwether-desk.
        "BELLWETHER_SERVICE_HOST",
        "BELLWETHER_SERVICE_PORT",
        "BELLWETHER_SERVICE_PORT_HTTP",
        "BELLWETHER_PORT",
        "BELLWETHER_PORT_3000_TCP",
        "BELLWETHER_PORT_3000_TCP_ADDR",
        "BELLWETHER_SCORER_SERVICE_HOST",
        "BELLWETHER_SCORER_PORT_80_TCP_PROTO",
    ],
)
def test_names_of_other_readers_are_left_to_them(name: str) -> None:
    assert Settings.from_environment({name: "x"}) == Settings()
