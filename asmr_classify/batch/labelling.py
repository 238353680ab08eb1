"""The task of labelling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.catalogue.hashing import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.aggregate import Problem
    from asmr_classify.features.cache import KeptFeatures, KeptRecording
    from asmr_classify.media.discover import Found
    from asmr_classify.model import Model


@dataclass(frozen=True, slots=True)
class LabelTask:
    """Label each file by a model, see :class:`~asmr_classify.batch.task.Task`.

    Parameters
    ----------
    model : Model
    features : KeptFeatures, optional
        Those of recordings are taken from there, and kept there, by their content.
    """

    model: Model
    features: KeptFeatures | None = None

    def load(self) -> None:
        """Load what labelling needs, which takes a second and more, by labelling silence."""
        import numpy as np

        import asmr_classify.classify  # noqa: F401 (loads the decoder)
        from asmr_classify.features.windows import iter_window_rows
        from asmr_classify.threads import one_thread

        silence = np.zeros(self.model.features.frames.sr, dtype=np.float32)
        with one_thread():
            for rows in iter_window_rows(iter([silence]), self.model.features):
                self.model.ensemble.predict_logits(rows.X)

    def do(self, found: Found, on_progress: Callable[[float], None]) -> FileResult:
        """Label one file."""
        from asmr_classify.classify import label_file, label_kept

        keep = self._entry(found)
        if keep is None:
            return label_file(found.path, model=self.model, on_progress=on_progress)
        known = label_kept(found.path, keep, model=self.model)
        if known is not None:
            return known
        return label_file(found.path, model=self.model, on_progress=on_progress, keep=keep)

    def _entry(self, found: Found) -> KeptRecording | None:
        """Give the entry of a file among kept features; None if they are not, or it has changed."""
        if self.features is None:
            return None
        digest = hash_file(found.path, size=found.size, mtime_ns=found.mtime_ns)
        return None if digest is None else self.features.of(digest, self.model.features)

    def fail(self, path: str, problem: Problem) -> FileResult:
        """Make the result of a file that could not be labelled."""
        return FileResult(path, Status.FAILED, self.model.id, error=problem)
