"""Accelerators are opened with the options that production wants; no GPU is needed to tell."""

from pathlib import Path

import onnxruntime
import pytest

from scoring.bundle.reader import read_bundle
from scoring.runtime.provider_options import (
    CHUNK,
    DeviceOptions,
    EngineCacheError,
    ShapeProfile,
    cuda_options,
    tensorrt_options,
)
from scoring.runtime.providers import Provider, _profiles_to_try, options_of
from scoring.runtime.scorer import Scorer

PROFILE = ShapeProfile("records", (1, 8), 5)


def test_tensorrt_compiles_for_every_shape_that_a_scorer_runs() -> None:
    options = tensorrt_options(DeviceOptions(), b"graph", PROFILE)
    assert options["trt_profile_min_shapes"] == "records:1x1x5"
    assert options["trt_profile_opt_shapes"] == "records:32x8x5"
    assert options["trt_profile_max_shapes"] == f"records:{CHUNK}x8x5"
    assert not any("profile" in name for name in tensorrt_options(DeviceOptions(), b"graph", None))


def test_where_a_profile_is_refused_shapes_are_compiled_as_they_come() -> None:
    assert _profiles_to_try(Provider.TENSORRT, PROFILE) == (PROFILE, None)
    assert _profiles_to_try(Provider.TENSORRT, None) == (None,)
    assert _profiles_to_try(Provider.CUDA, PROFILE) == (PROFILE,)  # which looks at none


def test_engines_of_another_model_with_the_same_structure_are_never_taken(
    bundle_dir: Path, tmp_path: Path
) -> None:
    cache = DeviceOptions(engine_cache=str(tmp_path / "engines"))
    graph = read_bundle(bundle_dir).risk_graph
    content = bytearray(graph.read_bytes())
    content[-1] ^= 1

    def engines(model: Path | bytes) -> str:
        return tensorrt_options(cache, model, None)["trt_engine_cache_path"]

    assert engines(graph) == engines(graph.read_bytes())
    assert engines(graph) != engines(bytes(content))
    assert Path(engines(graph)).is_dir()
    assert Path(engines(graph)).stat().st_mode & 0o077 == 0


def test_engines_are_not_kept_where_others_may_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(EngineCacheError, match="chmod go-w"):
        tensorrt_options(DeviceOptions(engine_cache=str(tmp_path)), b"graph", PROFILE)


def test_no_cache_is_kept_where_none_was_asked_for() -> None:
    assert not any("cache" in name for name in tensorrt_options(DeviceOptions(), b"graph", PROFILE))


def test_no_provider_lowers_the_precision_on_its_own() -> None:
    assert options_of(Provider.CUDA)["use_tf32"] == "0"
    assert options_of(Provider.TENSORRT)["trt_fp16_enable"] == "0"
    assert options_of(Provider.OPENVINO)["precision"] == "FP32"


def test_cuda_takes_the_gpu_and_the_memory_that_it_is_given() -> None:
    options = cuda_options(DeviceOptions(number=2, memory_mib=512))
    assert options["device_id"] == "2"
    assert options["gpu_mem_limit"] == str(512 * 2**20)
    assert "gpu_mem_limit" not in cuda_options(DeviceOptions())


@pytest.mark.parametrize("provider", [Provider.CUDA, Provider.TENSORRT])
def test_the_installed_runtime_knows_every_option(provider: Provider, tmp_path: Path) -> None:
    """A misspelt option keeps a provider from loading, which a machine without a GPU never sees."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    library = folder / f"libonnxruntime_providers_{provider}.so"
    if not library.is_file():
        pytest.skip(f"this ONNX Runtime comes without {provider}")
    device = DeviceOptions(memory_mib=512, engine_cache=str(tmp_path))
    options = options_of(provider, device, b"graph", PROFILE)
    known = library.read_bytes()
    assert [name for name in options if name.encode() not in known] == []
    assert b"trt_no_such_option" not in known


def test_on_a_cpu_no_option_is_set(bundle_dir: Path) -> None:
    scorer = Scorer(read_bundle(bundle_dir), provider="cpu", threads=1)
    scorer.warm_up()
    assert scorer.provider_options == {}
