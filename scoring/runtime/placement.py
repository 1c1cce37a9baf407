"""Decide how graphs run on the provider that answers: bound or not, and what stays on the CPU."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scoring.bundle.manifest import GraphFacts
from scoring.runtime.onnx_runtime import onnxruntime
from scoring.runtime.provider_options import DeviceOptions, ShapeProfile
from scoring.runtime.providers import (
    RUNTIME_NAMES,
    Provider,
    active_provider,
    open_sessions,
    options_of,
)
from scoring.runtime.runners import BoundRunner, PlainRunner, Runner, SplitRunner

_ON_A_GPU = tuple(RUNTIME_NAMES[one] for one in (Provider.CUDA, Provider.TENSORRT))


@dataclass(frozen=True, slots=True)
class Placement:
    """How graphs run on their provider.

    Attributes:
        bound: Whether they run over buffers that are bound once.
        cpu_below: Graph name -> fewer rows than this run on the CPU instead; empty where there is
            nothing to choose.
        options: Options of the provider that were set, as ONNX Runtime reports them; no paths.
    """

    bound: bool = False
    cpu_below: dict[str, int] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """Graphs, loaded.

    Attributes:
        provider: The active execution provider, as ONNX Runtime names it.
        runners: Graph name -> what runs it.
        options: As of `Placement`.
    """

    provider: str
    runners: dict[str, Runner]
    options: dict[str, str]

    def placement(self) -> Placement:
        """Say how they run as it stands; runners settle while they warm up."""
        split = any(isinstance(one, SplitRunner) for one in self.runners.values())
        return Placement(
            bound=all(one.bound for one in self.runners.values()),
            cpu_below={name: one.below for name, one in self.runners.items()} if split else {},
            options=self.options,
        )


def place(
    graphs: Sequence[tuple[str, Path, GraphFacts]],
    profiles: Sequence[ShapeProfile],
    provider: Provider | str,
    *,
    strict: bool,
    threads: int | None,
    device: DeviceOptions,
) -> Placed:
    """Open graphs on the provider that is wanted, or the next best.

    Args:
        graphs: Name, file, and the names of its input and output.
        profiles: Shapes of each graph's input.
        provider: What is wanted.
        strict: Raise where another would answer.
        threads: Intra-op threads; None takes what affinity and CPU quota allow.
        device: How an accelerator is used.

    Raises:
        ProviderError: No provider that will do can answer.
    """
    models = [path for _, path, _ in graphs]
    sessions = open_sessions(
        models, provider, strict=strict, threads=threads, device=device, profiles=profiles
    )
    active = active_provider(sessions[0])
    on_a_gpu = active in _ON_A_GPU
    bind = on_a_gpu if device.binding is None else device.binding
    runners: list[Runner] = []
    for session, (_, _, facts) in zip(sessions, graphs, strict=True):
        if bind:
            memory, number = ("cuda", device.number) if on_a_gpu else ("cpu", 0)
            runner: Runner = BoundRunner(
                session, facts.input, facts.output, device=memory, number=number
            )
        else:
            runner = PlainRunner(session, facts.input, facts.output)
        runners.append(runner)
    if device.crossover and active != RUNTIME_NAMES[Provider.CPU]:
        hosts = open_sessions(models, Provider.CPU, strict=True, threads=threads)
        runners = [
            SplitRunner(PlainRunner(host, facts.input, facts.output), runner)
            for host, runner, (_, _, facts) in zip(hosts, runners, graphs, strict=True)
        ]
    return Placed(
        provider=active,
        runners={name: runner for (name, _, _), runner in zip(graphs, runners, strict=True)},
        options=_shown(sessions[0], active, device, profiles[0], models[0]),
    )


def _shown(
    session: onnxruntime.InferenceSession,
    active: str,
    device: DeviceOptions,
    profile: ShapeProfile,
    model: Path,
) -> dict[str, str]:
    provider = next(one for one, name in RUNTIME_NAMES.items() if name == active)
    reported = session.get_provider_options().get(active, {})
    asked = options_of(provider, device, model, profile)
    return {
        name: str(reported.get(name, asked[name])) for name in asked if not name.endswith("_path")
    }
