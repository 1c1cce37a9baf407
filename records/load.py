"""Load a cohort by name: a simulated or public data set, or a table of one's own."""

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from records.cohort import Cohort
from records.contract import SHIPPED, Contract, load_contract
from records.errors import CohortError
from records.learnt.relative import with_own_relatives
from records.progress import Progress
from records.tables.options import PLAIN, ReadOptions

OnError = Literal["fail", "reject-rows"]


def load_cohort(
    data: str,
    *,
    data_dir: Path | None = None,
    students: int = 4000,
    seed: int = 0,
    contract: str | Path | None = None,
    on_error: OnError = "fail",
    rejects: Path | None = None,
    insist: bool = False,
    options: ReadOptions = PLAIN,
    risk: str | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Load a cohort.

    Args:
        data: `simulated`, `semesters`, `oulad`, `midfield`, or the path of a table.
        data_dir: Folder of the official files, for `oulad` and `midfield`.
        students: How many records to simulate.
        seed: Of the simulation.
        contract: What a table's columns mean: a shipped name or a TOML file. The named data sets
            bring their own.
        on_error: For tables; see `records.tables.read_write.read_table`.
        rejects: For tables; see `records.tables.read_write.read_table`.
        insist: For tables; see `records.tables.read_write.read_table`.
        options: For tables; see `records.tables.read_write.read_table`.
        risk: For `midfield`, the outcome to be warned of: `low_gpa` (the default) or `no_degree`.
        progress: Called with a text, the number of finished steps and of all steps, by slow parts.

    Raises:
        CohortError: Unknown data, a missing folder or contract, or records that cannot be used.
        ContractError: A contract that cannot be read.
        TableError: A table that breaks its contract.
    """
    if risk is not None and data != "midfield":
        raise CohortError(f"'{data}' has one risk outcome; leave risk (--risk) out.")
    if data not in SHIPPED:
        from records.tables.read_write import read_table

        read = partial(
            read_table,
            on_error=on_error,
            rejects=rejects,
            insist=insist,
            options=options,
            progress=progress,
        )
        return _table(data, contract, read)
    if contract is not None and str(contract) != data:
        raise CohortError(f"'{data}' has a contract of its own; leave the contract out.")
    # pandas and pyarrow are imported only by those who need them.
    if data == "simulated":
        from records.sources import simulated

        return simulated.simulate_cohort(students, seed=seed)
    if data == "semesters":
        from records.sources import semesters

        return semesters.simulate_cohort(students, seed=seed)
    folder = _folder(data, data_dir)
    if data == "oulad":
        from records.sources.oulad import load_oulad

        return load_oulad(folder, progress=progress)
    from records.sources.midfield import load_midfield, risk_outcome

    return load_midfield(folder, risk=risk_outcome(risk), progress=progress)


def row_policy(text: str) -> OnError:
    """Read `on_error` from text, such as a command-line option.

    Raises:
        CohortError: Neither `fail` nor `reject-rows`.
    """
    if text == "fail":
        return "fail"
    if text == "reject-rows":
        return "reject-rows"
    raise CohortError("on-error is 'fail' or 'reject-rows'.")


def _folder(data: str, data_dir: Path | None) -> Path:
    if data_dir is None:
        raise CohortError(
            f"'{data}' reads the official files; pass data_dir (--data-dir), their folder."
        )
    if not data_dir.is_dir():
        raise CohortError(f"{data_dir}: no such folder; it should hold the files of '{data}'.")
    return data_dir


def _table(
    data: str,
    contract: str | Path | None,
    read: Callable[[Path, Contract], Cohort],
) -> Cohort:
    path = Path(data)
    if not path.exists():
        near = difflib.get_close_matches(data, SHIPPED, n=1)
        advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(SHIPPED)}."
        raise CohortError(f"'{data}' is neither a file nor a known data set; {advice}")
    if contract is None:
        raise CohortError(
            f"'{data}' is a table: pass contract (--contract), a shipped name or a TOML file, "
            "which defines its columns."
        )
    return with_own_relatives(read(path, load_contract(contract)))
