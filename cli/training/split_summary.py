"""Say in words which records learnt, stopped and judged."""

from collections import Counter

from training.run_folder import SPLITS, RunFolder

_MOST_NAMES = 6


def split_summary(run: RunFolder) -> list[str]:
    """Return one line for the split and one for each of its parts.

    The parts of a temporal split name their cohorts: cohorts follow each other as their names
    sort, and only who knows the names can see whether that is their order in time.
    """
    from pyarrow import parquet

    kind = run.record.settings.split.kind
    columns = parquet.read_table(run.path / SPLITS, columns=["part", "cohort"]).to_pydict()
    found = Counter(zip(columns["part"], columns["cohort"], strict=True))
    lines = [f"Split: {kind}, by student"]
    for part in dict.fromkeys([*run.record.parts, *columns["part"]]):
        names = sorted(cohort for of, cohort in found if of == part)
        if names:
            records = sum(found[part, name] for name in names)
            shown = ", ".join(name or "unnamed" for name in names[:_MOST_NAMES])
            shown += ", …" if len(names) > _MOST_NAMES else ""
            cohorts = f" ({shown})" if kind == "temporal" else ""
            lines.append(f"  {part.replace('_', ' ')}: {records:,} records{cohorts}")
    return lines
