"""All that decides which model comes out of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field

from asmr_classify.config import DecisionSpec
from asmr_classify.training.takes import TakeSpec


@dataclass(frozen=True, slots=True)
class FitSpec:
    """How networks and trees are fitted.

    Parameters
    ----------
    background_db : float
        Windows that are quieter than the loudest of their clip by more than this are left out:
        what follows a bark is the hiss of the room, and its clip's label is wrong for it.
    members : int
        Networks in the ensemble; they take turns with ``scene_shares``.
    scene_shares : tuple of float
        Parts of the ensemble: which share of the scenes each is fitted on, in [0, 1].
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size : int
    learning_rate, l2 : float
        Of Adam, and of the penalty on weights.
    group_power : float
        A clip weighs its group's number of clips to the power of minus this: at 0 all clips weigh
        the same, at 1 all groups. One half keeps the largest sources from ruling without
        letting a source of one doubtful clip weigh as much as a hundred.
    tree_rounds : int
        Boosting rounds of each part; 0 for no trees.
    tree_leaves : int
    tree_rate : float
        Shrinkage of each round.
    tree_l2 : float
    tree_features : float
        Share of the features that each split may choose from.
    seed : int
    """

    background_db: float = 15.0
    members: int = 4
    scene_shares: tuple[float, ...] = (0.25, 1.0)
    hidden: tuple[int, ...] = (512,)
    epochs: int = 5
    batch_size: int = 256
    learning_rate: float = 1e-3
    l2: float = 1.0
    group_power: float = 0.5
    tree_rounds: int = 100
    tree_leaves: int = 15
    tree_rate: float = 0.08
    tree_l2: float = 5.0
    tree_features: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class StudentSpec:
    """How students of a teacher are fitted, see :mod:`asmr_classify.training.student`.

    Parameters
    ----------
    hints : int
        Principal components of what the teacher says, which a student learns to say.
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size : int
    learning_rate, l2 : float
        Of Adam, and of the penalty on weights.
    """

    hints: int = 64
    hidden: tuple[int, ...] = (1024, 512)
    epochs: int = 4
    batch_size: int = 256
    learning_rate: float = 1e-3
    l2: float = 1.0


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """How an encoder is fitted, see :mod:`asmr_classify.training.encoder`.

    Parameters
    ----------
    width, texture_width : int
        Channels of the first layers; later ones have multiples of these.
    codes : int
        Columns that it gives.
    hints : int
        Principal components of what the teacher says, which it learns to say.
    step : float
        Seconds from one patch of a sound to the next.
    epochs, batch_size : int
    learning_rate, weight_decay : float
        Of Adam, at its highest.
    dropped_share : float
        Of codes, each time.
    shift : int
        Frames by which patches move, at most.
    speed_share, speed_octaves : float
        Of patches that are faster or slower, and by how much at most.
    reverb_share : float
        Of patches that reverberate.
    reverb_seconds : tuple of float
        Range of reverberation times: until it is 60 dB less.
    reverb_ratio_db : tuple of float
        Range of reverberation to direct sound.
    gain_db : float
        Deviation of the gains of bands.
    dull_share, hiss_share, masked_share, mixed_share : float
        Of patches that lose their highs, get hiss, have bands left out, are mixed with another.
    hiss_db : tuple of float
        Range by which hiss is quieter than the sound, each at its loudest moment.
    masked_bands : int
        At most so many, side by side.
    gap_share : float
        Of patches of which a moment is left out.
    gap_frames : int
        Spectral frames of that at most.
    mixed_db : float
        By how much the other may be louder, or quieter.
    """

    width: int = 20
    texture_width: int = 40
    codes: int = 256
    hints: int = 64
    step: float = 0.25
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    dropped_share: float = 0.3
    shift: int = 4
    speed_share: float = 0.5
    speed_octaves: float = 0.25
    reverb_share: float = 0.4
    reverb_seconds: tuple[float, float] = (0.7, 3.5)
    reverb_ratio_db: tuple[float, float] = (-25.0, -5.0)
    gain_db: float = 4.0
    dull_share: float = 0.25
    hiss_share: float = 0.4
    hiss_db: tuple[float, float] = (3.0, 40.0)
    masked_share: float = 0.4
    masked_bands: int = 6
    gap_share: float = 0.5
    gap_frames: int = 13
    mixed_share: float = 0.35
    mixed_db: float = 12.0


@dataclass(frozen=True, slots=True)
class KindSpec:
    """How the network that tells kinds is fitted, and which of them are told.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size : int
    learning_rate, l2 : float
        Of Adam, and of the penalty on weights.
    least_precision : float
        Kinds whose average precision, on sources never heard, is lower stay untold.
    """

    hidden: tuple[int, ...] = (512,)
    epochs: int = 6
    batch_size: int = 256
    learning_rate: float = 1e-3
    l2: float = 0.1
    least_precision: float = 0.6


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """All that decides which model comes out of a corpus.

    Parameters
    ----------
    name, version : str
        Of the model.
    takes : TakeSpec
    fit : FitSpec
    student : StudentSpec
        Of no effect without a teacher.
    encoder : EncoderSpec
        Likewise.
    kinds : KindSpec
        Of no effect on a corpus without kinds.
    decision : DecisionSpec
    """

    name: str = "model"
    version: str = "1.0.0"
    takes: TakeSpec = field(default_factory=TakeSpec)
    fit: FitSpec = field(default_factory=FitSpec)
    student: StudentSpec = field(default_factory=StudentSpec)
    encoder: EncoderSpec = field(default_factory=EncoderSpec)
    kinds: KindSpec = field(default_factory=KindSpec)
    decision: DecisionSpec = field(default_factory=DecisionSpec)
