from datetime import UTC, date

from hypothesis import given
from hypothesis import strategies as st

from desk.charts.risk_line import NO_TIER, Event, TierBand, risk_line, risk_table
from desk.charts.scale import level_of, ticks
from desk.charts.small import places, reason_bars, spark
from desk.charts.stacked import histogram, tiers_over_time
from desk.i18n.words import Words

WORDS = Words("en", UTC, date(2026, 11, 30))
BANDS = [TierBand("On course", 0.0), TierBand("Some support", 0.4), TierBand("Soon", 0.7)]
RISKS = st.dictionaries(
    st.integers(1, 40), st.floats(0, 1, allow_nan=False), min_size=1, max_size=40
).map(lambda found: sorted(found.items()))
EVENTS = st.lists(
    st.builds(Event, st.floats(0, 40, allow_nan=False), st.text(max_size=40)), max_size=20
).map(lambda events: sorted(events, key=lambda event: event.period))


@given(RISKS, EVENTS, st.booleans())
def test_every_estimate_lies_in_the_plot_and_the_bands_fill_it(
    points: list[tuple[int, float]], events: list[Event], narrow: bool
) -> None:
    line = risk_line(
        points,
        BANDS,
        events,
        maximum=39,
        period_name="week",
        sentence="",
        words=WORDS,
        narrow=narrow,
    )
    for x, y in line.dots:
        assert line.left <= x <= line.right
        assert line.top <= y <= line.bottom
    assert abs(sum(band.height for band in line.bands) - (line.bottom - line.top)) < 1
    assert all(0 < flag.label_y < line.top for flag in line.flags)
    assert [band.level for band in line.bands] == [0, 1, 2]


def test_a_gap_in_the_periods_breaks_the_line() -> None:
    points = [(1, 0.1), (2, 0.2), (4, 0.4), (5, 0.5)]
    line = risk_line(points, BANDS, [], maximum=8, period_name="week", sentence="", words=WORDS)
    assert len(line.paths) == 2


def test_a_chart_without_tiers_judges_nothing() -> None:
    line = risk_line(
        [(1, 0.9)],
        [TierBand("", 0.0)],
        [],
        maximum=8,
        period_name="week",
        sentence="",
        words=WORDS,
    )
    assert [band.level for band in line.bands] == [NO_TIER]


def test_the_table_beside_the_chart_holds_its_numbers_and_events() -> None:
    table = risk_table(
        [(1, 0.2), (2, 0.75)], BANDS, [Event(2.4, "call")], period_name="week", words=WORDS
    )
    assert table.heads == ("Week", "Estimate", "Tier", "What happened")
    assert table.rows == (("1", "20%", "On course", ""), ("2", "75%", "Soon", "call"))


@given(st.integers(0, 5), st.integers(0, 600), st.integers(2, 16))
def test_ticks_are_few_ascending_and_within_the_axis(first: int, length: int, most: int) -> None:
    found = ticks(first, first + length, most)
    assert len(found) <= most + 1
    assert list(found) == sorted(set(found))
    assert first <= found[0]
    assert found[-1] <= first + length


def test_levels_are_the_lowest_the_highest_and_those_between() -> None:
    assert [level_of(position, 5) for position in range(5)] == [0, 1, 1, 1, 2]


def test_small_charts_hold_what_they_show() -> None:
    line = spark([0.1, 2.0, 0.5], "three")
    assert line is not None
    assert line.points.count(",") == 3
    assert spark([], "none") is None
    bars = reason_bars([1.0, -0.5])
    assert (bars[0].toward, bars[1].toward) == (True, False)
    assert bars[0].width == 2 * bars[1].width
    assert bars[1].x + bars[1].width == 100
    assert places(30, 20, WORDS).width == 150
    assert places(0, 0, WORDS).width == 0


def test_columns_of_a_cohort_add_up() -> None:
    chart = tiers_over_time(
        [(1, [6, 3, 1]), (2, [0, 0, 0])],
        ["low", "moderate", "high"],
        period_name="week",
        sentence="",
        words=WORDS,
    )
    assert abs(sum(part.height for part in chart.parts) - chart.bottom + 12) < 1
    assert chart.table.rows[0] == ("1", "6", "3", "1")
    bars = histogram([0, 5, 10], [0.4, 0.7], sentence="", words=WORDS)
    assert max(part.height for part in bars.parts) == bars.bottom - 12
    assert len(bars.table.rows) == 3
