"""The task of labelling: the sound of a file first, then its picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.catalogue.hashing import hash_file
from asmr_classify.errors import MediaError
from asmr_classify.visual.seen import VERSION, Effort, shows

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.features.cache import KeptFeatures, KeptRecording
    from asmr_classify.media.found import Found
    from asmr_classify.model import Model

EFFORTS = tuple(Effort)
"""From little to much."""

LARGE_BYTES = 16_000_000
"""Sound of so large a file is worked on for a hundred times as long as giving memory back takes."""


@dataclass(frozen=True, slots=True)
class LabelTask:
    """Label each file by a model, see :class:`~asmr_classify.batch.task.Task`.

    Parameters
    ----------
    model : Model
    video : Effort or None
        How much of a picture is looked at; None to listen only.
    features : KeptFeatures, optional
        Those of recordings are taken from there, and kept there, by their content.
    """

    model: Model
    video: Effort | None = None
    features: KeptFeatures | None = None

    def load(self) -> None:
        """Load what labelling needs, which takes a second and more, by labelling silence."""
        import numpy as np

        import asmr_classify.classify  # noqa: F401 (loads the decoder)
        from asmr_classify.features.windows import iter_window_rows
        from asmr_classify.threads import one_thread

        silence = np.zeros(self.model.features.frames.sr, dtype=np.float32)
        with one_thread():
            for rows in iter_window_rows(iter([silence]), self.model.features, self.model.encoder):
                self.model.ensemble.predict_logits(rows.X)

    def do(self, found: Found, on_progress: Callable[[float], None]) -> FileResult:
        """Listen to one file."""
        from asmr_classify.classify import label_file, label_kept

        keep = self._entry(found, on_progress)
        if keep is None:
            return label_file(found.path, model=self.model, on_progress=on_progress)
        known = label_kept(found.path, keep, model=self.model)
        if known is not None:
            return known
        return label_file(found.path, model=self.model, on_progress=on_progress, keep=keep)

    def _entry(self, found: Found, on_progress: Callable[[float], None]) -> KeptRecording | None:
        """Give the entry of a file among kept features; None if they are not, or it has changed."""
        if self.features is None:
            return None
        digest = hash_file(
            found.path,
            size=found.size,
            mtime_ns=found.mtime_ns,
            on_read=lambda: on_progress(0.0),
        )
        return (
            None
            if digest is None
            else self.features.of(digest, self.model.features, self.model.encoder)
        )

    def fail(self, path: str, problem: Problem) -> FileResult:
        """Make the result of a file that could not be labelled."""
        return FileResult(str(path), Status.FAILED, self.model.id, error=problem)

    def take_over(self, result: FileResult, other: FileResult) -> FileResult:
        """Take over what was seen for a result of another model: it depends on none."""
        return result if result.status is Status.FAILED else replace(result, visual=other.visual)

    def lacks(self, result: FileResult) -> bool:
        """Tell whether a file is to be looked at, and was not, or not in this way or as closely."""
        if self.video is None or result.status is Status.FAILED:
            return False
        if result.visual_error is not None:
            return False  # what may pass is not kept
        if not shows(result.visual):
            return result.visual is None
        if result.visual.version != VERSION:
            return True
        return EFFORTS.index(result.visual.effort) < EFFORTS.index(self.video)

    def add(self, found: Found, result: FileResult, on_progress: Callable[[], None]) -> FileResult:
        """Look at one file."""
        from asmr_classify.visual.look import give_back, look

        if found.size >= LARGE_BYTES:
            give_back()  # before the index of a long film comes to lie between what the sound left
        try:
            visual = look(found.path, effort=self.video or Effort.NORMAL, on_progress=on_progress)
        except MediaError as exc:
            return self.give_up(result, Problem.of(exc))
        return replace(result, visual=visual, visual_error=None)

    def give_up(self, result: FileResult, problem: Problem) -> FileResult:
        """Say why nothing was seen; what was seen earlier, with less effort, stands."""
        if result.visual is not None:
            return result
        return replace(result, visual_error=problem)
