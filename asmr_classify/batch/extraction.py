"""The task of computing features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.aggregate import Problem, Status
from asmr_classify.batch.parts import Extracted, Parts
from asmr_classify.errors import MediaError, NoAudioError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.media.found import Found

OUTPUT_ERROR = OutputError.__name__
"""The kind of the problem where rows cannot be kept."""


@dataclass(frozen=True, slots=True)
class FeatureTask:
    """Compute the feature rows of each file, see :class:`~asmr_classify.batch.task.Task`."""

    parts: Parts

    def load(self) -> None:
        """Load what features need, by computing those of silence."""
        import numpy as np

        import asmr_classify.media.decode  # noqa: F401 (loads the decoder)
        from asmr_classify.features.table import iter_rows
        from asmr_classify.threads import one_thread

        spec = self.parts.spec
        with one_thread():
            list(iter_rows([np.zeros(spec.frames.sr, np.float32)], spec, self.parts.by))

    def do(self, found: Found, on_progress: Callable[[float], None]) -> Extracted:
        """Write the rows of one file to a part."""
        try:
            return self._extract(found, on_progress)
        except NoAudioError as exc:
            return Extracted(str(found.path), Status.NO_AUDIO, Problem.of(exc))
        except MediaError as exc:
            return self.fail(found.path, Problem.of(exc))
        except OutputError as exc:  # no fault of the file: whoever reads this ends the run
            return self.fail(found.path, Problem(OUTPUT_ERROR, str(exc), may_pass=True))

    def _extract(self, found: Found, on_progress: Callable[[float], None]) -> Extracted:
        from asmr_classify.features.table import is_audible, iter_rows, iter_samples
        from asmr_classify.media.decode import AudioStream
        from asmr_classify.threads import one_thread

        spec, audible = self.parts.spec, False
        with (
            AudioStream.open(found.path, sr=spec.frames.sr) as stream,
            self.parts.writing(found) as part,
        ):
            with one_thread():
                for rows in iter_rows(iter_samples(stream, on_progress), spec, self.parts.by):
                    audible = audible or is_audible(rows)
                    part.write(rows)
            error = Problem.of(stream.problem) if stream.problem else None
            heard = Status.OK if audible else Status.SILENT
            status = heard if error is None else Status.PARTIAL
            return part.finish(str(found.path), status, error, stream.decoded)

    def fail(self, path: str, problem: Problem) -> Extracted:
        """Make the result of a file that could not be read."""
        return Extracted(str(path), Status.FAILED, problem)

    def take_over(self, result: Extracted, other: Extracted) -> Extracted:  # noqa: ARG002
        """Leave a result as it is."""
        return result

    def lacks(self, result: Extracted) -> bool:  # noqa: ARG002
        """Rows are whole at once."""
        return False

    def add(self, found: Found, result: Extracted, on_progress: Callable[[], None]) -> Extracted:  # noqa: ARG002
        """Leave a result as it is."""
        return result

    def give_up(self, result: Extracted, problem: Problem) -> Extracted:  # noqa: ARG002
        """Leave a result as it is."""
        return result
