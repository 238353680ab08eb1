"""What people said of recordings, to examples: where each lies among sounds, and what it holds.

Three ways lead here: answers of stretches, corrections of whole files, and folders whose names are
labels. Each says of some labels whether they are there, and nothing of any other.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.catalogue.hashing import hash_file
from asmr_classify.errors import MediaError, OutputError
from asmr_classify.features.cache import kept_arrays, save_arrays
from asmr_classify.labels import SPEECH, WHISPER
from asmr_classify.media.decode import duration_of
from asmr_classify.media.stretch import read_stretch
from asmr_classify.threads import one_thread
from asmr_classify.training.corpus import NONE
from asmr_classify.training.parallel import iter_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.encoder import Encoder
    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Clip

    Array = NDArray[np.float32]

STRETCH_SECONDS = 10.0
"""Of a recording of which something is said as a whole, stretches of so long are looked at: over
as much a label is judged, see :class:`~asmr_classify.config.DecisionSpec`."""

MOST_STRETCHES = 3
"""Of one recording that lies in a folder of a label: ten minutes of one tell little more."""

MOST_OTHERS = 200
"""Stretches of which nothing was said that are looked at: a few seconds' work."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of a stretch.

    Parameters
    ----------
    path : str
    start, end : float
        Seconds, as a player shows them.
    labels, asked : tuple of str
        What is there, and of what it is known whether it is: nothing, of stretches that only show
        what a library is like.
    group : str
        Recordings that share a maker.
    """

    path: str
    start: float
    end: float
    labels: tuple[str, ...]
    asked: tuple[str, ...]
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What was said, and where it lies among sounds.

    Parameters
    ----------
    said : tuple of Said
    embedded : ndarray of float32, shape (n_examples, n_dimensions)
        Mean over windows.
    logits : ndarray of float32, shape (n_examples, n_labels)
        Mean over windows of what the model says that was not taught.
    """

    said: tuple[Said, ...]
    embedded: Array
    logits: Array

    def of(self, places: NDArray[np.int64]) -> Examples:
        """Take some of them."""
        said = tuple(self.said[place] for place in places)
        return Examples(said, self.embedded[places], self.logits[places])

    def of_label(self, label: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Find the examples of which it is known whether they hold a label, and whether."""
        places = np.array([k for k, x in enumerate(self.said) if label in x.asked], dtype=np.int64)
        return places, np.array([label in self.said[k].labels for k in places], dtype=bool)

    @property
    def labels(self) -> tuple[str, ...]:
        """All that was asked, in the order of its first coming."""
        return tuple(dict.fromkeys(label for x in self.said for label in x.asked))


def said_of_clips(clips: Sequence[Clip]) -> list[Said]:
    """Turn labelled recordings to what is said of stretches of them.

    Parameters
    ----------
    clips : sequence of Clip
        Each is known to hold none of the labels that others have and it has not.

    Returns
    -------
    list of Said
        Up to ``MOST_STRETCHES`` of a recording, evenly over it. Recordings that cannot be opened
        are whole stretches of no length, of which nothing will be heard.
    """
    named = {label for clip in clips for label in clip.labels}
    # Who has a folder of clear negatives does not ask for other sounds by it.
    stated = {clip.label for clip in clips if clip.labels == ("other",)}
    asked = tuple(sorted(named - ({"other"} if stated <= {NONE} else set())))
    said = []
    for clip in clips:
        if not clip.labels:
            continue
        first, last = clip.span or (0.0, _length_of(clip.path))
        for start in _places(first, last):
            end = min(start + STRETCH_SECONDS, last)
            held = tuple(label for label in clip.labels if label in asked)
            said.append(Said(clip.path, start, max(end, start + 0.1), held, asked, clip.group))
    return said


def spread(said: Iterable[Said]) -> list[Said]:
    """Take up to ``MOST_STRETCHES`` of each long stretch, evenly over it; others as they are."""
    return [
        replace(each, start=start, end=min(start + STRETCH_SECONDS, each.end))
        if round(each.end - each.start, 3) > STRETCH_SECONDS
        else each
        for each in said
        for start in _places(each.start, each.end)
    ]


def _length_of(path: str) -> float:
    try:
        return duration_of(path)
    except MediaError:
        return 0.0


def _places(first: float, last: float) -> list[float]:
    """Spread stretches evenly over a span."""
    count = int(np.clip((last - first) // STRETCH_SECONDS, 1, MOST_STRETCHES))
    room = max(last - first - STRETCH_SECONDS, 0.0)
    return [first + room * (k + 0.5) / count for k in range(count)] if room else [first]


def said_of_correction(result: FileResult, known: Iterable[str], group: str) -> list[Said]:
    """Turn what was set by hand of a file to what is said of stretches of it.

    Parameters
    ----------
    result : FileResult
        As corrected.
    known : iterable of str
        Triggers that could have been set.
    group : str

    Returns
    -------
    list of Said
        For a trigger, the longest stretch where the model heard it, whether rightly or not; where
        it heard none that is there, that is not known unless the file is short.
    """
    truths: dict[str, bool] = {}
    if "trigger" in result.corrected:
        truths |= {trigger: trigger in result.tags for trigger in known}
    if "no_talking" in result.corrected and result.no_talking:
        truths |= dict.fromkeys((WHISPER, SPEECH), False)
    said = []
    for label, is_there in truths.items():
        heard = [s for s in result.segments if s.label == label]
        if heard:
            longest = max(heard, key=lambda s: s.end - s.start)
            start, end = longest.start, min(longest.end, longest.start + STRETCH_SECONDS)
        elif not is_there or result.decoded <= STRETCH_SECONDS:
            start = max(0.0, (result.decoded - STRETCH_SECONDS) / 2)
            end = min(start + STRETCH_SECONDS, result.decoded)
        else:
            continue
        said.append(Said(result.path, start, end, (label,) if is_there else (), (label,), group))
    return said


def others_beside(results: Iterable[FileResult], said: Sequence[Said]) -> list[Said]:
    """Choose stretches of a library of which nothing was said.

    Parameters
    ----------
    results : iterable of FileResult
        Some of the library, the same ones each time.
    said : sequence of Said
        What lies over a stretch of these is left out.

    Returns
    -------
    list of Said
        At most ``MOST_OTHERS``, evenly over recordings.
    """
    spoken_of: dict[str, list[tuple[float, float]]] = {}
    for each in said:
        spoken_of.setdefault(os.path.abspath(each.path), []).append((each.start, each.end))  # noqa: PTH100 (links are names)
    others: list[list[Said]] = [[] for _ in range(MOST_STRETCHES)]
    for result in results:
        spoken = spoken_of.get(os.path.abspath(result.path), ())  # noqa: PTH100
        for turn, start in enumerate(_places(0.0, result.decoded) if result.decoded else ()):
            end = min(start + STRETCH_SECONDS, result.decoded)
            if not any(a < end and start < b for a, b in spoken):
                others[turn].append(Said(result.path, start, end, (), (), result.path))
    return [each for turn in others for each in turn][:MOST_OTHERS]


def settle(answered: Sequence[Said], corrected: Sequence[Said]) -> tuple[list[Said], list[Said]]:
    """Let answers about stretches and what was set of whole recordings agree.

    An answer is the closer look: where somebody listened to a stretch and was asked for a label,
    nothing that was set of the whole speaks of that label there. And where it is heard in a
    stretch though it was set as absent, what was set of it does not count at all.

    Parameters
    ----------
    answered : sequence of Said
    corrected : sequence of Said
        Of :func:`said_of_correction`: each of one label.

    Returns
    -------
    kept : list of Said
        All answers, and what counts of the rest.
    against : list of Said
        What was set as absent, and is heard in an answer; and what was set as there, is not heard
        in an answer about all of that stretch, and is heard in no other of the recording.
    """
    closer: dict[tuple[str, str], list[Said]] = {}
    for each in answered:
        for label in each.asked:
            closer.setdefault((each.path, label), []).append(each)
    kept, against = list(answered), []
    for each in corrected:
        (label,) = each.asked
        there = closer.get((each.path, label), [])
        is_heard = any(label in x.labels for x in there)
        covers_it = any(x.start <= each.start and each.end <= x.end for x in there)
        if (is_heard and not each.labels) or (each.labels and covers_it and not is_heard):
            against.append(each)
        elif not any(x.start < each.end and each.start < x.end for x in there):
            kept.append(each)
    return kept, against


def hear(
    said: Sequence[Said],
    model: Model,
    *,
    cache: Path | None = None,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Examples, list[MediaError]]:
    """Listen to all of which something was said.

    Parameters
    ----------
    said : sequence of Said
        Those of which something was said come first.
    model : Model
        With an embedding.
    cache : path, optional
        Folder that keeps features from run to run; what cannot be written is not kept.
    jobs : int
        Processes; -1 for one per core.
    on_progress : callable, optional
        Called with the stretches heard and their total.

    Returns
    -------
    heard : Examples
        Of those that could be heard and are not silent; of copies of which the same was said, the
        first: they are no further example, and no further maker.
    errors : list of MediaError
        Of the others, each file of which something was said once.
    """
    from joblib import delayed

    untaught = replace(model.ensemble, taught=None, kinds=None)
    kept: list[Said] = []
    embedded, logits = [], []
    known: set[tuple[object, ...]] = set()
    spoken_of: set[bytes] = set()
    errors: dict[str, MediaError] = {}
    places = _places_in(cache, said, model.features, model.encoder)
    tasks = (
        delayed(_rows)(each, model.features, model.encoder, place)
        for each, place in zip(said, places, strict=True)
    )
    heard = zip(said, iter_results(tasks, jobs=jobs, batch_size=8), strict=True)
    for n_heard, (each, rows) in enumerate(heard, 1):
        if on_progress is not None:
            on_progress(n_heard, len(said))
        if isinstance(rows, MediaError):
            if each.asked:
                errors.setdefault(each.path, rows)
        else:
            X, levels_db = rows
            audible = levels_db >= model.decision.silence_dbfs
            if audible.any():
                sound = hashlib.sha256(X.tobytes()).digest()
                same = (sound, each.labels, each.asked)
                if same in known or (sound in spoken_of and not each.asked):
                    continue
                known.add(same)
                if each.asked:
                    spoken_of.add(sound)
                of_labels, of_sound = untaught.listen(X[audible])
                kept.append(each)
                embedded.append(np.mean(of_sound, axis=0) if of_sound is not None else [])
                logits.append(of_labels.mean(axis=0))
    width = untaught.embedding.n_outputs if untaught.embedding else 0
    return (
        Examples(
            tuple(kept),
            np.array(embedded, dtype=np.float32).reshape(-1, width),
            np.array(logits, dtype=np.float32).reshape(-1, untaught.n_told),
        ),
        list(errors.values()),
    )


def _places_in(
    cache: Path | None, said: Sequence[Said], features: FeatureSpec, encoder: Encoder | None
) -> Iterator[Path | None]:
    """Yield where the rows of each stretch are kept: by the content of its recording."""
    from asmr_classify.features.encoder import named_with

    name = named_with(features, encoder)
    digests: dict[str, bytes | None] = {}
    for each in said:
        if cache is not None and each.path not in digests:
            digests[each.path] = _digest(each.path)
        digest = digests.get(each.path)
        if cache is None or digest is None:
            yield None
        else:
            key = f"{digest.hex()} {each.start} {each.end} {name}"
            yield cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.stretch.npz"


def _digest(path: str) -> bytes | None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return hash_file(path, size=status.st_size, mtime_ns=status.st_mtime_ns)


def _rows(
    said: Said, features: FeatureSpec, encoder: Encoder | None, place: Path | None
) -> tuple[Array, Array] | MediaError:
    """Compute the rows of a stretch and their levels, or read what was kept of them."""
    from asmr_classify.features.windows import window_rows

    saved = kept_arrays(place)
    if saved is not None:
        return saved["X"], saved["levels_db"]
    try:
        y = read_stretch(said.path, said.start, said.end, sr=features.frames.sr)
    except MediaError as exc:
        return exc
    with one_thread():
        rows = window_rows(y, features, encoder)
    if place is not None:
        with suppress(OutputError):
            save_arrays(place, X=rows.X, levels_db=rows.levels_db)
    return rows.X, rows.levels_db
