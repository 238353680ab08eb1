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
    kinds : KindSpec
        Of no effect on a corpus without kinds.
    decision : DecisionSpec
    """

    name: str = "model"
    version: str = "1.0.0"
    takes: TakeSpec = field(default_factory=TakeSpec)
    fit: FitSpec = field(default_factory=FitSpec)
    student: StudentSpec = field(default_factory=StudentSpec)
    kinds: KindSpec = field(default_factory=KindSpec)
    decision: DecisionSpec = field(default_factory=DecisionSpec)
