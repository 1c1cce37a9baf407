"""`bellwether reference`: what students are compared with, from a cohort's records."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cli.console import console, progress
from cli.options import ContractOption, Data, DataDir, OnErrorOption
from records.errors import CohortError


def reference(
    data: Data,
    data_dir: DataDir = None,
    contract: ContractOption = None,
    on_error: OnErrorOption = "fail",
    cohort: Annotated[
        str | None, typer.Option(help="Only this intake, such as [bold]2014B[/].")
    ] = None,
    until: Annotated[
        int | None, typer.Option(help="Only what was known at the end of this period.", min=1)
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Only this group, such as a module: requests that carry it are smaller."),
    ] = None,
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("reference.json"),
) -> None:
    """Write what relative features are compared with: of each group, the latest intake.

    Send it as `reference` of a `score` request, or pass it to `score` and `evaluate --reference`.
    """
    from records.files.replace import check_not_an_input, json_object_with, write_file
    from records.learnt.relative_reference import learn_relatives
    from records.load import load_cohort, row_policy

    check_not_an_input(out, [Path(data)])
    with progress() as report:
        records = load_cohort(
            data,
            data_dir=data_dir,
            contract=contract,
            on_error=row_policy(on_error),
            progress=report,
        )
    if cohort is not None:
        if cohort not in records.cohorts:
            there = ", ".join(np.unique(records.cohorts).tolist())
            raise CohortError(f"no record belongs to cohort {cohort}; there are {there}.")
        records = records.take(records.cohorts == cohort)
    found = learn_relatives(records if until is None else records.at(until))
    if found is None:
        raise CohortError(f"no feature of the contract '{records.contract.name}' is relative.")
    if group is not None:
        found = found.only(group)
    if not any(found.features.values()):
        raise CohortError("no group has enough students with values; nothing is written.")
    write_file(
        out,
        found.model_dump_json() + "\n",
        name="reference",
        recognise=lambda path: json_object_with(path, {"contract", "features"}),
    )
    groups = sorted({name for groups in found.features.values() for name in groups})
    console.print(f"Wrote {len(found.features)} features of {', '.join(groups)} to {out}.")
