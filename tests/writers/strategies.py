"""Results of all kinds, as far as rounding keeps them."""

from __future__ import annotations

from hypothesis import strategies as st

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.timeline import Segment

LABELS = ("tap", "whisper", "speech")
KINDS = ("typing", "running_water", "two words", "=1+1", "a=b", "猫", "music")

times = st.integers(0, 10**8).map(lambda ms: ms / 1000)
scores = st.integers(0, 10**4).map(lambda parts: parts / 10**4)
names = st.binary(min_size=1, max_size=30).map(lambda b: b.decode("utf-8", "surrogateescape")) | (
    st.sampled_from(
        ["=1+1.mp3", "'quoted'.wav", 'a"b,c.wav', "new\nline.wav", "\x1b[2J.wav", "猫🐈.ogg"]
    )
)
messages = st.text(max_size=40)
segments = st.builds(Segment, times, times, st.sampled_from([*LABELS, "silence"]), scores)


@st.composite
def results(draw) -> FileResult:
    tags = tuple(draw(st.lists(st.sampled_from(LABELS[:2]), unique=True)))
    return FileResult(
        path=draw(names),
        status=draw(st.sampled_from(Status)),
        model="tiny@0.1",
        error=draw(st.none() | st.builds(Problem, st.sampled_from(["OpenError"]), messages)),
        duration=draw(st.none() | times),
        decoded=draw(times),
        trigger=tags[0] if tags else None,
        tags=tags,
        scores=draw(st.just({}) | st.fixed_dictionaries(dict.fromkeys(LABELS, scores))),
        shares=draw(st.just({}) | st.fixed_dictionaries(dict.fromkeys(LABELS, scores))),
        segments=tuple(draw(st.lists(segments, max_size=4))),
        no_talking=draw(st.sampled_from([True, False, None])),
        longest_talk=draw(st.none() | times),
        corrected=draw(st.sampled_from([(), ("trigger",), ("trigger", "no_talking")])),
        kinds=draw(st.dictionaries(st.sampled_from(KINDS), scores, max_size=4)),
    )


@st.composite
def _true_segments(draw) -> Segment:
    start = draw(st.integers(0, 10**6))
    end = start + draw(st.integers(1, 10**6))
    label = draw(st.sampled_from([*LABELS, "silence"]))
    return Segment(start / 1000, end / 1000, label, draw(scores))


@st.composite
def timelines(draw) -> FileResult:
    """Results whose segments are as a timeline's: sorted, not empty, inside the recording."""
    found = tuple(
        sorted(
            draw(st.lists(_true_segments(), max_size=12)), key=lambda s: (s.start, s.end, s.label)
        )
    )
    last = max((s.end for s in found), default=0.0)
    duration = round(last + draw(st.sampled_from([0.0, 0.5, 100.0])), 3)
    return FileResult(
        path=draw(names),
        status=draw(st.sampled_from(Status)),
        model="tiny@0.1",
        duration=draw(st.sampled_from([None, duration])),
        decoded=duration,
        segments=found,
    )
