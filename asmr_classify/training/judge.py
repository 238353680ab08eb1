"""Figures of a model as it is, on clips that others labelled: nothing is fitted or chosen.

What the model was fitted on is not for it to judge: only who made it knows whether it has heard the
clips, or others of their groups. The record beside a model that ``train`` wrote names its groups.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from asmr_classify.aggregate import summarise
from asmr_classify.errors import CorpusError
from asmr_classify.evidence import Heard
from asmr_classify.features.windows import window_rows
from asmr_classify.threads import one_thread
from asmr_classify.training.evaluate import CLIPS_AT_ONCE, Evaluation, measure_results
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.takes import clip_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Clip, Corpus


def known_to(corpus: Corpus, model: Model) -> tuple[Corpus, Counter[str]]:
    """Take of a corpus what a model can be judged by.

    Parameters
    ----------
    corpus : Corpus
    model : Model

    Returns
    -------
    corpus : Corpus
        Without the labels that the model does not know, and without the clips whose triggers all
        are such: as there is something to hear in them, they are no negatives either.
    unknown : Counter of str
        Clips that hold each trigger that the model does not know.

    Raises
    ------
    CorpusError
        If it knows none of the triggers.
    """
    unknown = Counter(
        trigger for clip in corpus.clips for trigger in clip.triggers if trigger not in model.labels
    )
    clips = []
    for clip in corpus.clips:
        triggers = tuple(trigger for trigger in clip.triggers if trigger not in unknown)
        if triggers or not clip.triggers:
            labels = tuple(label for label in clip.labels if label not in unknown)
            clips.append(replace(clip, labels=labels, triggers=triggers))
    if not any(clip.triggers for clip in clips):
        raise CorpusError(
            f"{model.id} knows none of {', '.join(unknown)}, which the clips hold; its labels are "
            f"{', '.join(model.labels)}: rename those that mean the same (OLD=NEW)"
        )
    labels = tuple(label for label in corpus.labels if label in model.labels)
    return replace(corpus, clips=tuple(clips), labels=labels), unknown


def judge(
    corpus: Corpus,
    model: Model,
    *,
    jobs: int = -1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Label every clip with one model, and measure.

    Parameters
    ----------
    corpus : Corpus
        Whose triggers the model knows, see :func:`known_to`.
    model : Model
        Its calibration and thresholds are taken as they are.
    jobs, on_progress
        As :func:`asmr_classify.training.prepare.prepare` takes them.

    Returns
    -------
    Evaluation
        Without kinds.

    Raises
    ------
    CorpusError
        If a clip cannot be decoded.
    """
    from joblib import delayed

    clips = corpus.clips
    parts = [clips[first : first + CLIPS_AT_ONCE] for first in range(0, len(clips), CLIPS_AT_ONCE)]
    heard: list[Heard] = []
    for part in iter_results((delayed(_hear)(x, model) for x in parts), jobs=jobs):
        heard += part
        if on_progress is not None:
            on_progress("clips", len(heard), len(clips))
    results = []
    for clip, each in zip(clips, heard, strict=True):
        seconds = float(each.intervals[-1, 1])
        results.append(summarise(clip.path, each, model, duration=seconds, decoded=seconds))
    return Evaluation(
        tuple(results),
        measure_results(corpus, results, by_group=False),
        measure_results(corpus, results, by_group=True),
        None,
        tuple(heard),
        (model,),
        model.thresholds,
    )


def _hear(clips: Sequence[Clip], model: Model) -> list[Heard]:
    heard = []
    with one_thread():
        for clip in clips:
            y = clip_sound(clip, model.features.frames.sr)
            rows = window_rows(y, model.features, model.encoder)
            heard.append(Heard.of(rows, model.ensemble.predict_logits(rows.X)))
    return heard
