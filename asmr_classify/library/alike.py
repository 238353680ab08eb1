"""Recordings are listened to before clips of them are planned: is all there, and none twice.

Copies are found by their fingerprints, see :mod:`asmr_classify.features.fingerprints`: of two clips
that hold the same sound, one is left out, in whatever recording it is, so that none straddles the
parts of a data set. The one whose licence is known stays, else the longer one (by a tenth of a
second or more), else the better one (of a lossless codec, then of the higher rate), else the one
that was drawn first. Of a long clip, the first :data:`HEARD_SECONDS` are compared; clips of a
fraction of a second are too short to tell.

Within one recording, stretches that overlap are known by their times: of two labels of the same
time, the one that was drawn first stays, and a clip that lies in another one of its label is left
out. Clips that merely overlap both stay, whatever they sound like.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.errors import MediaError, StepError
from asmr_classify.features.fingerprints import SR, bit_error, candidate_pairs, fingerprint
from asmr_classify.library.clips import Limits
from asmr_classify.library.plan import Left
from asmr_classify.media.cut import is_exact
from asmr_classify.media.decode import AudioStream
from asmr_classify.units import samples_to_seconds, seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.features.fingerprints import Bits
    from asmr_classify.library.clips import Stretch, Wish
    from asmr_classify.media.decode import NativeBlock
    from asmr_classify.media.probe import MediaInfo

HEARD_SECONDS = 30.0
"""Of each clip: enough to tell a copy, and a night of rain takes no more memory than that."""

AFTER_SECONDS = 1.0
"""How far behind its last clip a recording is decoded."""


ROUNDING = 0.01
"""Seconds by which a timeline may be longer than the sound."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was found out about a recording.

    Parameters
    ----------
    info : MediaInfo
    sr : int
        Sampling rate in Hz, as it is decoded.
    n_channels : int
    end : float or None
        Seconds to the end of its sound, as far as that was come to.
    """

    info: MediaInfo
    sr: int
    n_channels: int
    end: float | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A stretch that is left out, as another one holds the same sound."""

    stretch: Stretch
    of: Stretch


@dataclass(slots=True)
class Choice:
    """What was chosen, and what was not though it fits.

    Parameters
    ----------
    stretches : list of Stretch
    recordings : dict of str to Recording
        By path.
    copies : list of Copy
    left : list of Left
        What cannot be cut out, and why.
    together : dict of str to str
        Groups of which recordings hold the same sound, chosen or not: each is in the part of a
        data set in which the group is that it is given with.
    """

    stretches: list[Stretch] = field(default_factory=list)
    recordings: dict[str, Recording] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    together: dict[str, str] = field(default_factory=dict)

    def of_part(self, group: str) -> str:
        """Give the group in whose part of a data set one is."""
        return self.together.get(group, group)


def choose(
    stretches: Sequence[Stretch],
    wish: Wish,
    *,
    check: Callable[[str, Recording], None] = lambda _path, _recording: None,
    on_heard: Callable[[int, int], None] = lambda _n, _of: None,
) -> Choice:
    """Choose the clips: as many as are wanted, none of them a copy of another.

    Parameters
    ----------
    stretches : sequence of Stretch
        In the order of their lots.
    wish : Wish
    check : callable
        Is given each recording that is listened to, by its path, and raises StepError if nothing
        can be cut out of it.
    on_heard : callable
        Is told how many recordings were listened to, of how many; where copies make room for
        others, those are more than was told before.

    Returns
    -------
    Choice
        A copy counts towards no limit. What holds the sound of a copy is in the choice itself.
    """
    choice, prints = Choice(), dict[int, "Bits"]()
    of_path: dict[str, list[int]] = {}
    for index, stretch in enumerate(stretches):
        of_path.setdefault(stretch.result.path, []).append(index)
    out: set[int] = set()
    copies: dict[int, int] = {}
    taken: list[int] = []
    n_heard = 0
    while True:
        taken = _take(stretches, out, taken, Limits(wish))
        unheard = {stretches[k].result.path for k in taken if k not in prints}
        of = n_heard + len(unheard)
        on_heard(n_heard, of)
        for path in sorted(unheard):
            indices = of_path[path]
            good = _listen(path, [stretches[k] for k in indices], choice, check)
            prints.update({indices[k]: bits for k, bits in good.items()})
            out.update(k for k in indices if k not in prints)
            n_heard += 1
            on_heard(n_heard, of)
        by_worth = sorted(
            (k for k in taken if k in prints), key=lambda k: _worth(choice, stretches[k])
        )
        found = _find_copies(stretches, by_worth, prints)
        out.update(found)
        copies |= found
        if not unheard and not found:
            choice.stretches = [stretches[k] for k in taken]
            choice.copies = [Copy(stretches[k], stretches[_kept(k, copies)]) for k in copies]
            choice.together = _find_together(stretches, prints)
            return choice


def _take(
    stretches: Sequence[Stretch], out: Collection[int], taken: Collection[int], limits: Limits
) -> list[int]:
    """Take what there is room for: what was taken before, as copies were told of it, then others.

    In the order of their lots.
    """
    before = set(taken)
    wanted = (k for k in range(len(stretches)) if k not in out)
    held_first = sorted(wanted, key=lambda k: k not in before)
    return sorted(k for k in held_first if limits.take(stretches[k]))


def _kept(copy: int, copies: Mapping[int, int]) -> int:
    """Find what holds the sound of a copy, and is no copy itself."""
    of = copies[copy]
    return _kept(of, copies) if of in copies else of


def _listen(
    path: str,
    stretches: Sequence[Stretch],
    choice: Choice,
    check: Callable[[str, Recording], None],
) -> dict[int, Bits]:
    """Listen to a recording, and give the fingerprints of what can be cut out of it."""
    try:
        recording, sounds = _hear(path, [(s.first, s.last) for s in stretches])
        check(path, recording)
    except (MediaError, StepError) as exc:
        choice.left.append(Left(path, exc.message))
        return {}
    choice.recordings[path] = recording
    good = {}
    for index, (stretch, sound) in enumerate(zip(stretches, sounds, strict=True)):
        is_there = recording.end is None or stretch.end <= recording.end + ROUNDING
        if sound is None or not is_there:
            place = f"{stretch.label} {stretch.first:.3f}-{stretch.last:.3f} s"
            why = f"is damaged at {place}" if sound is None else f"ends before {place} does"
            choice.left.append(Left(path, f"{why}: fetch or copy the file again"))
        else:
            good[index] = fingerprint(sound)
    return good


def _hear(
    path: str, spans: Sequence[tuple[float, float]]
) -> tuple[Recording, list[NDArray[np.float32] | None]]:
    """Decode a recording as far as spans of it are wanted; None for those that are damaged."""
    natives: list[tuple[int, int]] = []
    n_native_samples = 0

    def listen(block: NativeBlock) -> None:
        nonlocal n_native_samples
        n_native_samples += block.y.shape[1]
        if not natives:
            natives.append((block.sr, len(block.y)))

    parts: list[list[NDArray[np.float32]]] = [[] for _ in spans]
    bounds = [(seconds_to_samples(a, SR), seconds_to_samples(b, SR)) for a, b in spans]
    until = max(stop for _, stop in bounds) + seconds_to_samples(AFTER_SECONDS, SR)
    end: float | None = None
    to_come = sorted(range(len(spans)), key=lambda k: bounds[k][0], reverse=True)
    begun: list[int] = []
    with AudioStream.open(path, sr=SR, block_duration=1.0, listener=listen) as stream:
        for block in stream.iter_blocks():
            after = block.start + len(block.y)
            while to_come and bounds[to_come[-1]][0] < after:
                begun.append(to_come.pop())
            for k in begun:
                first, stop = bounds[k]
                last = min(stop, first + seconds_to_samples(HEARD_SECONDS, SR))
                part = block.y[max(0, first - block.start) : max(0, last - block.start)]
                parts[k].append(part.copy())
            begun = [k for k in begun if bounds[k][1] > after]
            if block.start >= until:
                break
        else:
            end = samples_to_seconds(after, SR)
        info = stream.info
        are_damaged = [stream.is_damaged(*span) for span in spans]
    sr, n_channels = natives[0]
    if end is not None:
        end = _exact_end(end, samples_to_seconds(n_native_samples, sr))
    sounds = [
        None if is_damaged else np.concatenate([*part, np.zeros(0, np.float32)])
        for is_damaged, part in zip(are_damaged, parts, strict=True)
    ]
    return Recording(info, sr, n_channels, end), sounds


def _exact_end(end: float, length: float) -> float:
    """Tell where sound ends, to the sample of the recording where it begins at 0.

    Resampling rounds its length. Where it begins later, that is all that is known.
    """
    return length if abs(end - length) <= samples_to_seconds(2, SR) else end


def _find_copies(
    stretches: Sequence[Stretch], taken: Iterable[int], prints: dict[int, Bits]
) -> dict[int, int]:
    """Find which of those that were taken, the best first, hold the same as a better one."""
    taken = list(taken)
    copies: dict[int, int] = {}
    for of, copy in _same_time(stretches, taken):
        if of not in copies:
            copies.setdefault(copy, of)
    rest = [k for k in taken if k not in copies]
    if len(rest) < 2:
        return copies
    for a, b in candidate_pairs([prints[k] for k in rest], np.arange(len(rest))):
        of, copy = rest[a], rest[b]
        is_stretch_of_one = stretches[of].overlaps(stretches[copy])
        if of not in copies and copy not in copies and not is_stretch_of_one:
            error = bit_error(prints[of], prints[copy])
            if error is not None:
                copies[copy] = of
    return copies


def _find_together(stretches: Sequence[Stretch], prints: dict[int, Bits]) -> dict[str, str]:
    """Find groups that hold the same sound, and give each of them the first of them by name.

    A recording that lies in the folders of two makers is in both: of one, this stretch may be
    chosen, and of the other that.
    """
    heard = sorted(prints)
    groups, of_group = np.unique([stretches[k].group for k in heard], return_inverse=True)
    first = list(range(len(groups)))
    if len(groups) > 1:
        for a, b in candidate_pairs([prints[k] for k in heard], of_group):
            low, high = sorted((first[of_group[a]], first[of_group[b]]))
            if low != high and bit_error(prints[heard[a]], prints[heard[b]]) is not None:
                first = [low if each == high else each for each in first]
    named = {str(group): str(groups[k]) for group, k in zip(groups, first, strict=True)}
    shared = Counter(named.values())
    return {group: of for group, of in named.items() if shared[of] > 1}


def _worth(choice: Choice, stretch: Stretch) -> tuple[bool, float, bool, int]:
    """Give what copies are sorted by, the one to keep first; the sort keeps lots in order."""
    recording = choice.recordings[stretch.result.path]
    info = recording.info
    is_lossless = is_exact(info) or info.codec.startswith("pcm_")
    seconds = round(stretch.last - stretch.first, 1)
    return not info.licence, -seconds, not is_lossless, -recording.sr


def _same_time(stretches: Sequence[Stretch], taken: Iterable[int]) -> list[tuple[int, int]]:
    """List pairs of one recording of which one gives way, what is to be kept first.

    Those of one label come before others, then what was drawn earlier.
    """
    of_path: dict[str, list[int]] = {}
    for k in taken:
        of_path.setdefault(stretches[k].result.path, []).append(k)
    pairs = []
    for indices in of_path.values():
        by_time = sorted(indices, key=lambda k: stretches[k].first)
        for place, k in enumerate(by_time):
            for other in by_time[place + 1 :]:
                if stretches[other].first >= stretches[k].last:
                    break
                pairs += [
                    (of, copy)
                    for of, copy in ((k, other), (other, k))
                    if stretches[copy].gives_way_to(stretches[of])
                ]
    return sorted(pairs, key=lambda pair: (len({stretches[k].label for k in pair}), pair))
