"""`bellwether search`: hyperparameters, by grid or by sampler."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from cli.console import console, progress
from cli.options import ContractOption, Data, DataDir, Seed, Students, Workers
from records.errors import CohortError

_LISTED = "By commas."


def search(
    data: Data = "semesters",
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the search (default: runs/search/DATA-TARGET).")
    ] = None,
    contract: ContractOption = None,
    students: Students = 1000,
    seed: Seed = 0,
    target: Annotated[str, typer.Option(help="[bold]score[/] or [bold]risk[/].")] = "score",
    model: Annotated[
        str | None,
        typer.Option(help="Network to start from (default: what suits data and target)."),
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(help="[bold]grid[/]: every combination (paper B); [bold]tpe[/]: a sampler."),
    ] = "grid",
    trials: Annotated[int, typer.Option(help="How many the sampler draws.", min=1)] = 30,
    heads: Annotated[str, typer.Option(help=_LISTED)] = "2,4,8",
    units: Annotated[str, typer.Option(help=_LISTED)] = "32,64,128",
    learning_rates: Annotated[
        str, typer.Option(help="By commas; a sampler draws between the smallest and the largest.")
    ] = "0.0005,0.001,0.005",
    layers: Annotated[str, typer.Option(help=_LISTED)] = "1",
    attention: Annotated[
        str | None,
        typer.Option(help="Of none, before, after, only; by commas (default: the network's)."),
    ] = None,
    dropout: Annotated[str | None, typer.Option(help=_LISTED)] = None,
    epochs: Annotated[
        int | None, typer.Option(help="At most, a trial (default: the network's).", min=1)
    ] = None,
    workers: Workers = 1,
) -> None:
    """Search heads, units, learning rate, layers and attention by the validation loss.

    A search that was interrupted goes on where it stopped. Train with what it found:
    bellwether train --from-study FOLDER.
    """
    from pydantic import ValidationError

    from records.load import load_cohort
    from training.model import TARGETS
    from training.registry import network
    from training.settings import settings_for
    from training.studies.search import Sampler, Search, run_search
    from training.studies.search_space import SearchSpace

    if target not in TARGETS:
        raise CohortError(f"--target is one of {', '.join(TARGETS)}.")
    if sampler not in get_args(Sampler):
        raise CohortError(f"--sampler is one of {', '.join(get_args(Sampler))}.")
    folder = out or Path("runs") / "search" / f"{Path(data).name.partition('.')[0]}-{target}"
    with progress() as report:
        cohort = load_cohort(
            data,
            data_dir=data_dir,
            students=students,
            seed=seed,
            contract=contract,
            progress=report,
        )
        settings = settings_for(cohort, seed=seed)
        base = settings.risk if target == "risk" else settings.score
        if model is not None:
            base = network("risk" if target == "risk" else "score", model).preset or base
        if epochs is not None:
            schedule = base.schedule.model_copy(update={"epochs": epochs})
            base = base.model_copy(update={"schedule": schedule})
        try:
            asked = Search.model_validate(
                {
                    "target": target,
                    "sampler": sampler,
                    "space": SearchSpace.model_validate(
                        {
                            "heads": _listed(heads),
                            "units": _listed(units),
                            "learning_rates": _listed(learning_rates),
                            "layers": _listed(layers),
                            "attention": _listed(attention or base.attention),
                            "dropout": _listed(dropout or str(base.dropout)),
                        }
                    ).model_dump(),
                    "base": base.model_dump(),
                    "settings": settings.model_dump(),
                    "trials": trials,
                    "seed": seed,
                }
            )
        except ValidationError as error:
            first = error.errors()[0]
            where = "/".join(str(part) for part in first["loc"])
            raise CohortError(f"{where}: {first['msg'].lower()}.") from None
        best = run_search(cohort, folder, asked, workers=workers, progress=report)
    console.print(f"Best of {best.trials} trials: number {best.trial}, by its validation loss")
    console.print(f"  validation loss {best.validation_loss:.5g}")
    for name in ("attention", "layers", "heads", "units", "dropout"):
        console.print(f"  {name} {getattr(best.preset, name)}")
    console.print(f"  learning rate {best.preset.schedule.learning_rate:.3g}")
    console.print(f"Trials and figures: {folder}. Next: bellwether train --from-study {folder}")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
