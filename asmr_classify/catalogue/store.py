"""The catalogue as its users see it: results are added, found, corrected and forgotten."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Self

from asmr_classify.aggregate import Status
from asmr_classify.catalogue.answers import Answer, check_answer
from asmr_classify.catalogue.contents import Contents, Place, renamed
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.catalogue.edits import check_same, named_at
from asmr_classify.catalogue.fields import compile_order, compile_query
from asmr_classify.catalogue.hashing import hash_file
from asmr_classify.catalogue.query import EVERYTHING
from asmr_classify.catalogue.schema import NAME_ANOTHER, PLACE_VARIABLE, Database
from asmr_classify.errors import CatalogueError, UsageError
from asmr_classify.folders import user_data
from asmr_classify.labels import SILENCE
from asmr_classify.media.found import Found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue.edits import Edit
    from asmr_classify.catalogue.query import Query

SCATTER = (2654435761, 2**32)
"""What numbers of files are multiplied by, and what the product is taken modulo, to give some files
in an order that says nothing of them (Knuth's multiplicative hashing)."""


def default_path() -> str:
    """Tell where the catalogue is kept that is used if none is named.

    Raises
    ------
    CatalogueError
        If the environment names none, and the user has no home.
    """
    named = os.environ.get(PLACE_VARIABLE)
    if named:
        return named
    folder = user_data()
    if folder is None:
        raise CatalogueError(f"there is no home to keep a catalogue in; {NAME_ANOTHER}")
    return str(folder / "catalogue.sqlite")


class Catalogue:
    """Results of a library. Use :meth:`open` in a ``with`` statement.

    Paths are absolute in all results; any may be given. Every method raises
    :class:`~asmr_classify.errors.CatalogueError` where the file is damaged or out of reach.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._contents = Contents(database)

    @classmethod
    def open(cls, path: str, *, create: bool = False, as_copy: bool = False) -> Self:
        """Open a catalogue.

        Parameters
        ----------
        path : str
        create : bool
            Begin one if there is none; for the default place, its folder too.
        as_copy : bool
            Open a copy that is gone when it is closed; the file stays as it is.

        Raises
        ------
        CatalogueError
            If there is none, or it is damaged, foreign, of a later version, or out of reach.
        """
        if as_copy:
            return cls(Database.open_copy(path, create=create))
        if create:
            with suppress(CatalogueError):  # without a home there is no default place
                if path == default_path():
                    _make_folder(path)
        return cls(Database.open(path, create=create))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def path(self) -> str:
        """The file."""
        return self._database.path

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that any model gave or anyone set, in the order of their first coming."""
        return tuple(label for label in self._contents.vocabulary.labels if label != SILENCE)

    @property
    def named(self) -> tuple[str, ...]:
        """The labels that any model gave or anyone set, and those that answers are about."""
        asked = (label for answer in self.answers() for label in answer.asked)
        return tuple(dict.fromkeys([*self.labels, *asked]))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of sound that were told of any file, in the order of their first coming."""
        return tuple(self._contents.vocabulary.kinds)

    def __len__(self) -> int:
        row = self._database.row("SELECT count(*) FROM files")
        return int(str(row[0])) if row else 0

    def n_labelled_by(self, name: str) -> int:
        """Count the files that were labelled by a model of some name, in any version."""
        row: Any = self._database.row(
            "SELECT count(*) FROM files f JOIN contents c ON c.id = f.content_id "
            "WHERE substr(c.model, 1, length(?1)) = ?1 AND c.status != ?2",
            [f"{name}@", Status.FAILED.value],
        )
        return int(row[0])

    def find(
        self, query: Query = EVERYTHING, *, sort: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[FileResult]:
        """Find files.

        Parameters
        ----------
        query : Query
        sort : sequence of str
            Names of fields, the first weighs most; with ``-`` at its end, the greatest comes
            first. What is equal is sorted by path.
        limit : int, optional
            Give no more.

        Yields
        ------
        FileResult
            With corrections.

        Raises
        ------
        QueryError
            If the query is wrong.
        UsageError
            If there is no such field to sort by.
        """
        vocabulary = self._contents.vocabulary
        where = compile_query(query, vocabulary)
        orders = [compile_order(name, vocabulary) for name in sort]
        most = -1 if limit is None else limit
        found = self._database.rows(
            f"SELECT f.id FROM files f JOIN contents c ON c.id = f.content_id WHERE {where.text} "  # noqa: S608 (made of constants; values are parameters)
            f"ORDER BY {', '.join([*(order.text for order in orders), 'f.path'])} LIMIT ?",
            [*where.parameters, *(x for order in orders for x in order.parameters), most],
        )
        yield from self._results(found)

    def some(self, count: int) -> Iterator[FileResult]:
        """Give a few files of all, the same ones each time; see :meth:`find`."""
        return self._results(
            self._database.rows(
                "SELECT id FROM files ORDER BY id * ? % ? LIMIT ?", [*SCATTER, count]
            )
        )

    def _results(self, ids: Iterable[tuple[Any, ...]]) -> Iterator[FileResult]:
        for (file_id,) in ids:
            result = self._contents.result_at("f.id = ?", file_id)
            if result is not None:  # else another process took it out
                yield result

    def recall(self, found: Found, settings: str | None) -> FileResult | None:
        """Give what a model said of a file, wherever that lay then; None if that is not known.

        The catalogue learns where it lies now.

        Parameters
        ----------
        found : Found
        settings : str or None
            :meth:`~asmr_classify.model.Model.digest` of the model; None for any.

        Returns
        -------
        FileResult or None
            Without corrections, by the name given here. None also for a file that failed: it is
            tried again.
        """
        path = os.path.abspath(found.path)  # noqa: PTH100 (a link is a name of its own)
        place = self._contents.place(path)
        is_there = place is not None and place.is_of(found)
        if place is not None and is_there:
            content_id: int | None = place.content_id
        elif self._contents.knows_size(found.size, settings):
            content_id = self._contents.id_of(self._contents.hash_of(found))
        else:
            return None
        result = self._contents.said(content_id, settings)
        if content_id is None or result is None or result.status is Status.FAILED:
            return None
        if not is_there:
            self._move(place, path, found.mtime_ns, content_id)
        return renamed(result, found.path)

    def _move(self, before: Place | None, path: str, mtime_ns: int, content_id: int) -> None:
        with self._database.transaction():
            self._contents.put(path, mtime_ns, content_id)
            self._contents.forget_origins(path, content_id)
            if before is not None:
                self._contents.sweep(before.content_id)

    def add(self, found: Found, result: FileResult, settings: str | None) -> None:
        """Keep the result of a file.

        What was known of the content before gives way, but for corrections. Another content at a
        known place takes its corrections over if the same model hears the very same in it, as
        where only tags were changed; else it is another recording. A file that cannot be read
        adds nothing to what is known of one at that place, and one that is not there and was never
        known, as where a name was mistyped, is not kept.

        Parameters
        ----------
        found : Found
        result : FileResult
            What the model said, without corrections.
        settings : str or None
            :meth:`~asmr_classify.model.Model.digest` of the model; None for a result that was
            recalled, whatever model it is of, and to which something was added.
        """
        path = os.path.abspath(found.path)  # noqa: PTH100
        digest = self._contents.hash_of(found)
        with self._database.transaction():
            before = self._contents.place(path)
            if digest is None and (before.hash if before else not os.path.lexists(path)):
                return
            content_id = self._contents.id_of(digest)
            if content_id is None:
                content_id = self._contents.begin(digest, found.size, time.time())
                if before and self._contents.says_the_same(before.content_id, result, settings):
                    self._contents.inherit(before.content_id, content_id)
            self._contents.describe(content_id, result, settings)
            self._contents.put(path, found.mtime_ns, content_id)
            self._contents.forget_origins(path, content_id)
            if before is not None:
                self._contents.sweep(before.content_id)

    def corrected(self, result: FileResult) -> FileResult:
        """Apply the corrections of a file to a result of it."""
        place = self._contents.place(os.path.abspath(result.path))  # noqa: PTH100
        return result if place is None else place.correction.apply(result)

    def correct(self, paths: Sequence[str], correction: Correction | None) -> list[FileResult]:
        """Set what was heard of files by hand.

        Parameters
        ----------
        paths : sequence of str
            Known files; also ones that were moved since.
        correction : Correction or None
            What is set anew; None takes back all that was set.

        Returns
        -------
        list of FileResult
            In the order of the paths.

        Raises
        ------
        UsageError
            If a file is not known, has changed since, or nothing could be heard in it; then none
            is changed. If the correction contradicts an earlier one.

        Notes
        -----
        What is set belongs to the content: :meth:`copies_of` a file change with it.
        """
        known = [self._known(os.path.abspath(path)) for path in paths]  # noqa: PTH100
        if correction is not None:
            for path, _, content_id in known:
                _check_heard(path, self._contents.said(content_id, None))
        with self._database.transaction():
            for place in known:
                self._correct(place, correction)
        results = [self._contents.result_at("f.path = ?", os.fsencode(path)) for path, *_ in known]
        return [result for result in results if result is not None]

    def _correct(self, known: tuple[str, int, int], correction: Correction | None) -> None:
        path, mtime_ns, content_id = known
        self._contents.put(path, mtime_ns, content_id)
        self._contents.forget_origins(path, content_id)
        before = self._contents.correction(content_id)
        after = Correction() if correction is None else before.then(correction)
        self._contents.correct(content_id, after)

    def take(self, edits: Sequence[Edit]) -> list[Edit]:
        """Keep what people wrote into files: all of it, or nothing.

        Parameters
        ----------
        edits : sequence of Edit
            Of :func:`~asmr_classify.catalogue.edited.read_edits`. What an earlier answer of the
            very same stretch says of other labels stays.

        Returns
        -------
        list of Edit
            Those that changed something; their answers as they are kept.

        Raises
        ------
        UsageError
            As :meth:`correct` and :meth:`answer`, with the place in the file.
        """
        labels, places = self.labels, self._places(edits, are_heard=True)
        new: list[Edit] = []
        changed = []
        told: dict[tuple[object, ...], dict[object, Edit]] = {}
        with self._database.transaction():
            for edit in edits:
                with named_at(edit.place):
                    new += self._news(edit, places[edit.path], labels)
            for edit in new:
                _, _, content_id = places[edit.path]
                with named_at(edit.place):
                    check_same(told, content_id, edit)
                    if edit.correction is not None:
                        self._correct(places[edit.path], edit.correction)
                        changed.append(edit)
                if edit.answer is not None:
                    before = self._contents.answers.find(content_id, edit.answer)
                    if before is None or not before.says(edit.answer, labels):
                        answer = edit.answer if before is None else before.then(edit.answer)
                        self._contents.answers.put(content_id, answer)
                        changed.append(replace(edit, answer=answer))
        return changed

    def withdraw(self, edits: Sequence[Edit]) -> list[Edit]:
        """Take back answers, as far as they say what people wrote into files.

        Parameters
        ----------
        edits : sequence of Edit
            Of :func:`~asmr_classify.catalogue.edited.read_edits`. Corrections stay.

        Returns
        -------
        list of Edit
            Those that changed something; their answers are what was taken back. What is known of
            other labels in the very same stretch, or is known otherwise, stays.

        Raises
        ------
        UsageError
            As :meth:`take_back`, with the place in the file.
        """
        withdrawn, places = [], self._places(edits, are_heard=False)
        with self._database.transaction():
            for edit in edits:
                if edit.answer is None:
                    continue
                path, _, content_id = places[edit.path]
                with named_at(edit.place):
                    said = replace(check_answer(edit.answer), path=path)
                before = self._contents.answers.find(content_id, said)
                if before is None:
                    continue
                same = [x for x in said.asked if (x in said.labels) is (x in before.labels)]
                gone, rest = before.only(same), before.only({*before.asked}.difference(same))
                if rest.asked:
                    self._contents.answers.put(content_id, rest)
                else:
                    self._contents.answers.drop(content_id, said.start, said.end)
                if gone.asked:
                    withdrawn.append(replace(edit, answer=gone))
        return withdrawn

    def _places(self, edits: Iterable[Edit], *, are_heard: bool) -> dict[str, tuple[str, int, int]]:
        """Find the contents that edits are about, and check whether something is heard in them."""
        places: dict[str, tuple[str, int, int]] = {}
        for edit in edits:
            if edit.path not in places:
                with named_at(edit.place):
                    place = self._known(os.path.abspath(edit.path))  # noqa: PTH100
                    if are_heard:
                        _check_heard(place[0], self._contents.said(place[2], None))
                places[edit.path] = place
        return places

    def _news(self, edit: Edit, known: tuple[str, int, int], labels: Collection[str]) -> list[Edit]:
        """Give an edit as it is to be kept; none if it answers what was answered so before.

        Of two copies of a recording, a table that was written from the catalogue has a row each:
        the one that nobody edited must not take back what the other says.
        """
        if edit.answer is None:
            return [edit]
        path, _, content_id = known
        answer = replace(check_answer(edit.answer), path=path)
        before = self._contents.answers.find(content_id, answer)
        is_new = before is None or not before.says(answer, labels)
        return [replace(edit, answer=answer)] if is_new else []

    def answer(
        self, path: str, start: float, end: float, labels: Sequence[str], asked: Sequence[str]
    ) -> None:
        """Keep what somebody said of a stretch; it is on the disk when this returns.

        An earlier answer of the very same stretch gives way.

        Parameters
        ----------
        path : str
            A known file; also one that was moved since.
        start, end : float
            Seconds, as a player shows them; kept to the millisecond.
        labels : sequence of str
            What is heard there; none of those asked if empty.
        asked : sequence of str
            Labels that were offered; those in ``labels`` are taken for offered too.

        Raises
        ------
        UsageError
            If the file is not known or has changed since, the stretch is none, or a label is.
        """
        answer = check_answer(Answer(path, start, end, tuple(labels), tuple(asked), time.time()))
        name, _, content_id = self._known(os.path.abspath(path))  # noqa: PTH100
        with self._database.transaction():
            self._contents.answers.put(content_id, replace(answer, path=name))

    def take_back(self, path: str, start: float, end: float) -> None:
        """Forget the answer of a stretch, if there is one.

        Raises
        ------
        UsageError
            If the file is not known, or has changed since.
        """
        _, _, content_id = self._known(os.path.abspath(path))  # noqa: PTH100
        with self._database.transaction():
            self._contents.answers.drop(content_id, start, end)

    def answers(self, paths: Sequence[str] | None = None, *, replaced: bool = True) -> list[Answer]:
        """List what people said of stretches.

        Parameters
        ----------
        paths : sequence of str, optional
            Only of these files; by default of all contents that were ever answered.
        replaced : bool
            Of all contents, also those that lie nowhere any more and at whose last path another
            one does: what lies there is not what was answered.

        Returns
        -------
        list of Answer
            By path and time in it. Each has a path at which its content lies today, of several one
            that is there, and the one where it was asked if that is among them; else the last that
            it had.
        """
        answers = self._contents.answers
        if paths is None:
            return answers.all(replaced=replaced)
        named = dict.fromkeys(os.path.abspath(path) for path in paths)  # noqa: PTH100
        return sorted(
            (answer for path in named for answer in answers.of(path)),
            key=lambda answer: (answer.path, answer.start, answer.end),
        )

    def copies_of(self, paths: Iterable[str]) -> list[str]:
        """Find the known files, other than these, that hold the same bytes as one of them.

        Parameters
        ----------
        paths : iterable of str
            Known files.

        Returns
        -------
        list of str
            Absolute paths, sorted.
        """
        named = [os.path.abspath(path) for path in paths]  # noqa: PTH100
        copies = {copy for path in named for copy in self._contents.paths_like(path)}
        return sorted(copies.difference(named))

    def repeated(self, paths: Iterable[str]) -> list[str]:
        """Tell which of some files hold the same bytes as one that stands before them.

        Parameters
        ----------
        paths : iterable of str
            Any files, each once; of those that are not known, or changed since, nothing is told.

        Returns
        -------
        list of str
            As they are named.
        """
        known: set[int] = set()
        repeated = []
        for path in paths:
            place = self._current_place(_look_at(path))
            if place is None:
                continue
            if place.content_id in known:
                repeated.append(path)
            known.add(place.content_id)
        return repeated

    def _known(self, path: str) -> tuple[str, int, int]:
        """Find the content of a file that is there, or was when it was labelled."""
        place = self._contents.place(path)
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            if place is None:
                raise UsageError(f"{path}: there is no such file, nor is one known") from None
            return path, place.mtime_ns, place.content_id
        if place and (place.size, place.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return path, place.mtime_ns, place.content_id
        digest = hash_file(path, size=status.st_size, mtime_ns=status.st_mtime_ns)
        content_id = self._contents.id_of(digest)
        if content_id is None:
            state = "has changed since it was labelled" if place else "is not in the catalogue"
            raise UsageError(f"{path}: {state}; label it first, with --catalogue")
        return path, status.st_mtime_ns, content_id

    def forget(self, paths: Sequence[str] = (), query: Query | None = None) -> int:
        """Take files out of the catalogue.

        Corrections stay, and are found again if the same content is.

        Parameters
        ----------
        paths : sequence of str
            Files, and folders for all below them; none of them need exist.
        query : Query, optional
            These too.

        Returns
        -------
        int
            How many were taken out.
        """
        before = len(self)
        with self._database.transaction():
            for path in paths:
                self._contents.forget_path(os.path.abspath(path))  # noqa: PTH100
            if query is not None:
                where = compile_query(query, self._contents.vocabulary)
                self._database.run(
                    "DELETE FROM files WHERE id IN (SELECT f.id FROM files f JOIN contents c "  # noqa: S608 (as above)
                    f"ON c.id = f.content_id WHERE {where.text})",
                    where.parameters,
                )
            self._contents.sweep()
        return before - len(self)

    def paths(self) -> list[str]:
        """List the absolute paths of all files, sorted."""
        rows: list[Any] = self._database.rows("SELECT path FROM files ORDER BY path")
        return [os.fsdecode(row[0]) for row in rows]

    def result_of(self, path: str) -> FileResult:
        """Give what is known of a file, also one that was moved since.

        Returns
        -------
        FileResult
            With corrections, by the name given here.

        Raises
        ------
        UsageError
            If the file is not known, or has changed since.
        """
        _, _, content_id = self._known(os.path.abspath(path))  # noqa: PTH100
        result = self._contents.said(content_id, None)
        if result is None:  # another process took it out
            raise UsageError(f"{path}: is not in the catalogue; label it first, with --catalogue")
        return renamed(self._contents.correction(content_id).apply(result), path)

    def knows(self, path: str) -> bool:
        """Tell whether a file, or any below a folder, is in the catalogue."""
        return self._contents.knows_path(os.path.abspath(path))  # noqa: PTH100

    def is_current(self, path: str) -> bool:
        """Tell whether a file is there, and not changed since the catalogue heard of it."""
        return self._current_place(_look_at(path)) is not None

    def has_failed(self, found: Found, settings: str) -> bool:
        """Tell whether a model could not label a file by the file's own fault, and it is unchanged.

        Parameters
        ----------
        found : Found
        settings : str
            :meth:`~asmr_classify.model.Model.digest` of the model.

        Returns
        -------
        bool
            False also for what failed in a catalogue of an earlier version, which did not keep why.
        """
        place = self._current_place(found)
        return place is not None and self._contents.is_at_fault(place.content_id, settings)

    def _current_place(self, found: Found | None) -> Place | None:
        """Find where a file is known, if it has not changed since the catalogue heard of it."""
        if found is None:
            return None
        place = self._contents.place(os.path.abspath(found.path))  # noqa: PTH100
        return place if place is not None and place.is_of(found) else None

    def follow(self, before: Found, after: str, *, late: bool = False) -> None:
        """Learn that this program moved a file, or wrote tags into it.

        Parameters
        ----------
        before : Found
            The file as it was. If that is not what is known of the place, what was known is of
            another content, and the place is forgotten. A file that is not known stays so.
        after : str
            Where it is; the same path if only its tags were changed.
        late : bool
            Others may have told of it meanwhile: what is known is left if it is not of the file as
            it was.
        """
        old_path, path = os.path.abspath(before.path), os.path.abspath(after)  # noqa: PTH100
        place, now = self._contents.place(old_path), _look_at(path)
        if place is None or now is None or (late and not place.is_of(before)):
            return
        digest = None
        if place.is_of(before):
            only_moved = old_path != path and place.is_of(now)
            digest = place.hash if only_moved else _hash(now)
        with self._database.transaction():
            if self._contents.place(old_path) != place:  # another process knows more
                return
            if old_path != path or digest is None:
                self._contents.forget_path(old_path)
            if digest is None:
                self._contents.sweep(place.content_id)
            else:
                self._carry_over(place, now, digest)

    def _carry_over(self, before: Place, now: Found, digest: bytes) -> None:
        """Give what is known of a place to the content that a file has now."""
        content_id = self._contents.id_of(digest)
        if content_id is None:
            content_id = self._contents.copy(before.content_id, digest, now.size)
        elif self._contents.correction(content_id) == Correction():
            self._contents.correct(content_id, before.correction)
        self._contents.answers.share(before.content_id, content_id)
        self._contents.put(now.path, now.mtime_ns, content_id)
        is_kept = self._contents.correction(content_id) == before.correction
        self._contents.sweep(before.content_id, corrected=is_kept)


def _check_heard(path: str, said: FileResult | None) -> None:
    """Refuse to set what is heard where nothing was: a label without sound would mislead."""
    if said is None or said.status not in {Status.FAILED, Status.NO_AUDIO}:
        return
    message = renamed(said, path).error
    reason = "" if message is None else f": {message.message.removeprefix(f'{path}: ')}"
    if said.status is Status.NO_AUDIO:
        raise UsageError(f"{path}: has no sound of which anything could be set{reason}")
    raise UsageError(
        f"{path}: could not be labelled, so nothing of it can be set{reason}; once that is put "
        "right, label it anew with --catalogue"
    )


def _hash(found: Found) -> bytes | None:
    return hash_file(found.path, size=found.size, mtime_ns=found.mtime_ns)


def _look_at(path: str) -> Found | None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return Found(path, status.st_size, status.st_mtime_ns) if S_ISREG(status.st_mode) else None


def _make_folder(path: str) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # opening the file will tell
