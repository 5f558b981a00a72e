from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.report.figures import front_figure, write_page
from bench.report.views import StudyView

ATTACK = "<script>alert(1)</script>"


class Sources(HTMLParser):
    """What a page would fetch, and the scripts inside it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


@pytest.fixture(scope="module")
def page(view: StudyView, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "front.html"
    write_page(front_figure(view), path)
    return path.read_text()


def test_the_page_loads_nothing(page: str) -> None:
    assert Sources(page).fetched == []
    assert "Plotly.newPlot" in page
    assert not re.search(r"@import|url\(\s*['\"]?https?:", page)


def test_the_page_is_written_whole_or_not_at_all(view: StudyView, tmp_path: Path) -> None:
    path = tmp_path / "front.html"
    path.write_text("before")
    write_page(front_figure(view), path)
    assert path.read_text().rstrip().endswith("</html>")
    assert list(tmp_path.iterdir()) == [path]


def test_names_cannot_become_code(view: StudyView, page: str, tmp_path: Path) -> None:
    evil_study = replace(
        view.study,
        name=f"x{ATTACK}",
        space_name=ATTACK,
        config={**view.study.config, "data": {"source": f"folder:/{ATTACK}"}},
        fingerprint={"machine": {"cpu": ATTACK}},
    )
    evil_trials = tuple(
        replace(trial, name=ATTACK, architecture_id=f'"{ATTACK}', source=ATTACK) for trial in view.trials
    )
    path = tmp_path / "front.html"
    write_page(front_figure(replace(view, study=evil_study, trials=evil_trials)), path)
    text = path.read_text()
    assert ATTACK not in text
    assert Sources(text).tags == Sources(page).tags


def test_names_are_shown_as_text(view: StudyView) -> None:
    """Plotly draws a subset of HTML; what comes from outside must not be markup there either."""
    evil = tuple(replace(trial, name="<b>bold</b>") for trial in view.trials)
    figure = front_figure(replace(view, study=replace(view.study, space_name="<i>x</i>"), trials=evil))
    texts = [text for trace in figure.data for text in (trace.text or ())]
    assert not any("<b>bold" in text for text in texts)
    assert "<i>" not in figure.layout.title.text


def test_every_scored_trial_is_drawn_once_by_its_kind(view: StudyView) -> None:
    figure = front_figure(view)
    drawn = {trace.name: len(trace.x) for trace in figure.data}
    alive = [trial for trial in view.trials if trial.status != "failed" and trial.rung is not None]
    assert drawn["front"] == len(view.front)
    kinds = ("front", "dominated", "stopped early (fewer pictures seen)")
    assert sum(drawn[kind] for kind in kinds) == len(alive)


def test_latencies_on_the_front_have_intervals(view: StudyView) -> None:
    front = next(trace for trace in front_figure(view).data if trace.name == "front")
    assert len(front.error_x.array) == len(view.front)
    assert all(value >= 0 for value in (*front.error_x.array, *front.error_x.arrayminus))


def test_baselines_are_drawn_beside_the_front(view: StudyView, tmp_path: Path) -> None:
    top, trial = view.top_rung, view.front[0]
    networks = tuple(
        replace(trial, name=name, architecture_id=name, status=status, accuracy=accuracy, figures={"latency_ms": ms})
        for name, status, accuracy, ms in (
            ("mobileone_s0", "complete", {top: 0.41}, 3.5),
            (ATTACK, "complete", {top: 0.44}, 7.0),
            ("cmt_ti", "failed", {top: 0.9}, 1.0),
            ("cmt_xs", "running", {}, 9.0),
        )
    )
    figure = front_figure(view, replace(view, trials=networks))
    (drawn,) = [trace for trace in figure.data if trace.name == "baselines, measured here"]
    assert list(zip(drawn.x, drawn.y, strict=True)) == [(3.5, 0.41), (7.0, 0.44)]
    assert drawn.text == ("mobileone_s0", "&lt;script&gt;alert(1)&lt;/script&gt;")
    # The study's own traces stay as they are without baselines.
    assert [trace.name for trace in figure.data[:-1]] == [trace.name for trace in front_figure(view).data]
    write_page(figure, tmp_path / "front.html")
    assert "mobileone_s0" in (tmp_path / "front.html").read_text()
    assert ATTACK not in (tmp_path / "front.html").read_text()


def with_runners(view: StudyView, *names: str) -> StudyView:
    """The same study timed on each, on the second in reverse order of cost."""
    figures = [f"latency_ms:{name}" for name in names]
    trials = []
    for trial in view.trials:
        found = dict(trial.latency)
        if not found:
            trials.append(trial)
            continue
        slow = {name: 100 / float(found[name]) for name in ("ms", "low_ms", "high_ms")}
        slow["low_ms"], slow["high_ms"] = slow["high_ms"], slow["low_ms"]
        latencies = dict(zip(figures, (found, {**found, **slow}), strict=True))
        own = {name: value for name, value in trial.figures.items() if name != "latency_ms"}
        own |= {name: float(told["ms"]) for name, told in latencies.items()}
        trials.append(replace(trial, figures=own, latencies=latencies))
    return replace(view, trials=tuple(trials), objectives=("accuracy", *figures), maximise=(True, False, False))


def test_with_several_runners_each_latency_can_be_chosen(view: StudyView) -> None:
    """What the page draws at first is one runner's; a menu leads to the others, each with its own intervals."""
    figure = front_figure(with_runners(view, "pi5", "<b>pixel8"))
    alone = front_figure(view)
    count = len(alone.data)
    assert len(figure.data) == 2 * count
    assert [trace.visible for trace in figure.data] == [True] * count + [False] * count
    for first, only in zip(figure.data, alone.data, strict=False):
        assert (first.name, first.x, first.y) == (only.name, only.x, only.y)
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == [
        "latency (ms, batch 1) on pi5",
        "latency (ms, batch 1) on &lt;b&gt;pixel8",
    ]
    assert figure.layout.xaxis.title.text == menu.buttons[0].label
    shown, moved = menu.buttons[1].args
    assert shown == {"visible": [False] * count + [True] * count}
    assert moved == {"xaxis.title.text": menu.buttons[1].label}
    fronts = [trace for trace in figure.data if trace.name == "front"]
    assert fronts[1].x == tuple(pytest.approx(100 / x) for x in fronts[0].x)
    assert all(value >= 0 for trace in fronts for value in (*trace.error_x.array, *trace.error_x.arrayminus))
    # The attained line goes along the cost that is drawn, whatever the order of the others.
    for line in (trace for trace in figure.data if trace.name == "attained"):
        assert list(line.x) == sorted(line.x)
        assert list(line.y) == sorted(line.y)


def test_an_only_cost_needs_no_menu(view: StudyView) -> None:
    assert not front_figure(view).layout.updatemenus


def test_an_empty_study_can_be_drawn(view: StudyView) -> None:
    assert front_figure(replace(view, trials=()))
