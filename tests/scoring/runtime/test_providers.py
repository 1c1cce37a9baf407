import logging
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from scoring.runtime.providers import (
    RUNTIME_NAMES,
    Provider,
    ProviderError,
    active_provider,
    candidates,
    loadable_providers,
    open_session,
    open_sessions,
    session_options,
    thread_count,
)

CPU, CUDA, TENSORRT, OPENVINO = (
    RUNTIME_NAMES[provider]
    for provider in (Provider.CPU, Provider.CUDA, Provider.TENSORRT, Provider.OPENVINO)
)


@pytest.fixture(scope="module")
def graph() -> bytes:
    """The smallest graph that computes something: y = max(x, 0)."""
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 2]) for name in ("x", "y")
    )
    relu = helper.make_node("Relu", ["x"], ["y"])
    model = helper.make_model(
        helper.make_graph([relu], "relu", [x], [y]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def absent(graph: bytes) -> Provider:
    """An accelerator that does not load on this machine."""
    loaded = loadable_providers([graph])
    missing = [p for p in (Provider.CUDA, Provider.TENSORRT) if p not in loaded]
    if not missing:
        pytest.skip("every execution provider loads on this machine")
    return missing[0]


@pytest.mark.parametrize(
    ("asked", "available", "strict", "expected"),
    [
        (Provider.AUTO, [TENSORRT, CUDA, CPU], False, [Provider.CUDA, Provider.CPU]),
        (Provider.AUTO, [CPU], False, [Provider.CPU]),
        (Provider.AUTO, [CUDA, CPU], True, [Provider.CUDA, Provider.CPU]),
        (Provider.CPU, [TENSORRT, CUDA, CPU], False, [Provider.CPU]),
        (Provider.CUDA, [CUDA, CPU], False, [Provider.CUDA, Provider.CPU]),
        (Provider.CUDA, [CUDA, CPU], True, [Provider.CUDA]),
        (Provider.CUDA, [CPU], False, [Provider.CPU]),
        (Provider.CUDA, [CPU], True, []),
        (
            Provider.TENSORRT,
            [TENSORRT, CUDA, CPU],
            False,
            [Provider.TENSORRT, Provider.CUDA, Provider.CPU],
        ),
        (Provider.TENSORRT, [CUDA, CPU], False, [Provider.CUDA, Provider.CPU]),
        (Provider.TENSORRT, [TENSORRT, CUDA, CPU], True, [Provider.TENSORRT]),
        (Provider.AUTO, [OPENVINO, CPU], False, [Provider.CPU]),
        (Provider.OPENVINO, [OPENVINO, CPU], False, [Provider.OPENVINO, Provider.CPU]),
        (Provider.OPENVINO, [CUDA, CPU], False, [Provider.CPU]),
        (Provider.OPENVINO, [CUDA, CPU], True, []),
    ],
)
def test_the_best_provider_that_this_build_knows_is_tried_first(
    asked: Provider, available: Sequence[str], strict: bool, expected: list[Provider]
) -> None:
    assert list(candidates(asked, available, strict=strict)) == expected


def test_the_cpu_always_answers(graph: bytes) -> None:
    session = open_session(graph, "cpu", strict=True)
    assert active_provider(session) == CPU
    rows = np.array([[-1, 2]], np.float32)
    assert session.run(["y"], {"x": rows})[0].tolist() == [[0, 2]]


def test_auto_takes_a_provider_that_really_loaded(graph: bytes) -> None:
    best = CUDA if Provider.CUDA in loadable_providers([graph]) else CPU
    assert active_provider(open_session(graph, strict=True)) == best


def test_strict_mode_raises_where_another_provider_would_answer(
    graph: bytes, absent: Provider
) -> None:
    with pytest.raises(ProviderError, match=f"'{absent}' (did not load|is not part)"):
        open_session(graph, absent, strict=True)


def test_without_strict_mode_the_next_best_answers_and_a_warning_says_so(
    graph: bytes, absent: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="scoring.runtime.providers"):
        session = open_session(graph, absent)
    assert active_provider(session) != RUNTIME_NAMES[absent]
    assert len(caplog.messages) == 1
    assert f"'{absent}'" in caplog.messages[0]
    assert "is used instead" in caplog.messages[0]


def test_a_provider_that_the_build_lacks_is_named_as_such(
    graph: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(ProviderError, match="'cuda' is not part of this ONNX Runtime"):
        open_session(graph, "cuda", strict=True)


def test_falling_back_is_silent_on_standard_output_and_error(
    graph: bytes, absent: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    open_session(graph, "auto")
    open_session(graph, absent)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "onnxruntime" not in captured.err


def test_a_session_never_changes_its_provider_while_it_runs(graph: bytes) -> None:
    assert open_session(graph, "cpu")._enable_fallback is False


def test_several_graphs_answer_on_one_and_the_same_provider(graph: bytes) -> None:
    sessions = open_sessions([graph, graph])
    assert len({active_provider(session) for session in sessions}) == 1


def test_a_broken_graph_is_not_taken_for_a_missing_provider() -> None:
    with pytest.raises(Exception, match="protobuf parsing failed"):
        open_session(b"not a graph", "cpu")


def test_an_unknown_provider_is_refused(graph: bytes) -> None:
    with pytest.raises(ValueError, match="npu"):
        open_session(graph, "npu")


@pytest.mark.parametrize("threads", [1, 2])
def test_sessions_run_with_the_options_of_production(graph: bytes, threads: int) -> None:
    options = open_session(graph, "cpu", threads=threads).get_session_options()
    assert options.intra_op_num_threads == threads
    assert options.inter_op_num_threads == 1
    assert options.enable_mem_pattern is False
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


def test_threads_default_to_what_this_process_may_use(graph: bytes) -> None:
    options = open_session(graph, "cpu").get_session_options()
    assert options.intra_op_num_threads == thread_count()


def test_several_threads_do_not_spin_between_requests() -> None:
    key = "session.intra_op.allow_spinning"
    assert session_options(4).get_session_config_entry(key) == "0"


def test_scoring_imports_nothing_that_trains() -> None:
    script = (
        "import importlib, pkgutil, sys, scoring\n"
        "for module in pkgutil.walk_packages(scoring.__path__, 'scoring.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'scoring.runtime.scorer' in sys.modules\n"
        "heavy = {'tensorflow', 'keras', 'tf2onnx', 'onnx', 'sklearn', 'pandas'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
