"""Fitting the convolutional network that encodes seconds of sound.

It learns three things of each second at once: what a teacher says of it, which labels its clip
holds, and of which kind that is; each of them keeps it from learning the others by heart. The
first needs no label, so that all sound there is takes part.

References
----------
.. [1] Smith and Topin (2019). Super-convergence: very fast training of neural networks using large
   learning rates. SPIE 11006.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.errors import CorpusError
from asmr_classify.estimators import Ensemble, Network
from asmr_classify.threads import one_thread
from asmr_classify.training.convolution import Adam, TrainedNetwork
from asmr_classify.training.patches import draw_lesson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.features.encoder import Encoder
    from asmr_classify.training.patches import Lesson, Patches
    from asmr_classify.training.spec import EncoderSpec

    Array = NDArray[np.float32]

WARMING = 0.15
"""Share of all steps in which the learning rate rises, along a cosine as it then falls [1]_."""

LABEL_SHARE, KIND_SHARE = 2.0, 3.0
"""Of labels and of kinds in the loss, to that of the teacher's opinions."""


@dataclass(frozen=True, slots=True, eq=False)
class Coder:
    """What is fitted: an encoder, and what its codes tell.

    Parameters
    ----------
    encoder : Encoder
    coded, coded_kinds : Network
        See :class:`~asmr_classify.estimators.Ensemble`; the latter may have no output.
    """

    encoder: Encoder
    coded: Network
    coded_kinds: Network

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name all arrays."""
        nothing = np.zeros(0, dtype=np.float32)
        whole = Ensemble(
            nothing,
            nothing,
            (),
            encoder=self.encoder,
            coded=self.coded,
            coded_kinds=self.coded_kinds,
        )
        return whole.arrays()

    @classmethod
    def of_arrays(cls, named: Mapping[str, NDArray[Any]]) -> Coder:
        """Put it together again; KeyError if an array is missing."""
        whole = Ensemble.of_arrays(named)
        if whole.encoder is None or whole.coded is None or whole.coded_kinds is None:
            raise KeyError("encoder")
        return cls(whole.encoder, whole.coded, whole.coded_kinds)


def fit_encoder(
    patches: Patches, left_out: frozenset[int], spec: EncoderSpec, *, seed: int
) -> Coder:
    """Fit an encoder that hears nothing of some folds.

    Parameters
    ----------
    patches : Patches
    left_out : frozenset of int
    spec : EncoderSpec
    seed : int

    Returns
    -------
    Coder

    Raises
    ------
    CorpusError
        If nothing is left to learn from.
    """
    inside = np.flatnonzero(~np.isin(patches.folds[patches.sounds], list(left_out)))
    if not len(inside):
        raise CorpusError(
            f"no sound is left for an encoder without folds {', '.join(map(str, sorted(left_out)))}"
            ": all the rest is silent; add recordings"
        )
    rng = np.random.default_rng([seed, *sorted(left_out)])
    n_mels = patches.logmel.shape[1]
    outputs = [patches.opinions.shape[1], patches.labels.shape[1], patches.kinds.shape[1]]
    network = TrainedNetwork(n_mels, outputs, spec, rng)
    adam = Adam(network.fitted(), spec.weight_decay)
    with one_thread():
        drawn = list(_epochs(inside, patches.sounds[inside], spec, rng))
        for k, chosen in enumerate(drawn):
            spectral, envelopes, lesson = draw_lesson(patches, chosen, spec, rng)
            network.backward(_slopes(lesson, network.forward(spectral, envelopes)))
            adam.step(spec.learning_rate * _warmth((k + 1) / len(drawn)))
    _, coded, coded_kinds = (head.network() for head in network.heads)
    return Coder(network.encoder(n_mels), coded, coded_kinds)


def _epochs(
    inside: NDArray[np.int64],
    sounds: NDArray[np.int64],
    spec: EncoderSpec,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.int64]]:
    """Yield the patches of each step: four times as many of one sound come up twice as often."""
    odds = 1 / np.sqrt(np.bincount(sounds)[sounds])
    odds /= odds.sum()
    for _ in range(spec.epochs):
        drawn = rng.choice(inside, len(inside), p=odds)
        yield from np.array_split(drawn, max(len(drawn) // spec.batch_size, 1))


def _warmth(done: float) -> float:
    """Share of the learning rate when so much is done: up, and down to nothing."""
    if done < WARMING:
        return float(0.5 - 0.5 * np.cos(np.pi * done / WARMING))
    return float(0.5 + 0.5 * np.cos(np.pi * (done - WARMING) / (1 - WARMING)))


def _slopes(lesson: Lesson, said: Sequence[Array]) -> list[Array]:
    """Compute the gradients of the loss by what was said: squares, and two likelihoods."""
    opinions, labels, kinds = said
    n_alone = max(float(lesson.alone.sum()), 1.0)
    of_opinions = 2 * (opinions - lesson.opinions) * lesson.alone[:, None]
    of_opinions /= n_alone * max(opinions.shape[1], 1)
    of_labels, of_kinds = (
        (_probability(logits) - truth) * (share / len(logits) * lesson.weights)[:, None]
        for logits, truth, share in (
            (labels, lesson.labels, LABEL_SHARE / labels.shape[1]),
            (kinds, lesson.kinds, KIND_SHARE / max(kinds.shape[1], 1)),
        )
    )
    return [np.asarray(each, np.float32) for each in (of_opinions, of_labels, of_kinds)]


def _probability(logits: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)
