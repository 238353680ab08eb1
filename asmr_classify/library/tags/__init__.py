"""Tags in recordings: which fields are ours, and what carries them in each kind of file.

``state`` is what is looked at in a file, ``fields`` what we want to be there, ``carriers`` finds
the one module that can read and write a kind of file: ``id3`` (MP3, WAV, AIFF), ``vorbis`` (FLAC,
Ogg, Opus), ``mp4`` (MP4, M4A, MOV), ``matroska`` (MKV, WebM). Anything else gets a ``sidecar``.

Law of every carrier: what it does not mean to change stays as it is, byte for byte, frames and
atoms that nobody knows included; a file where it cannot promise that is refused with
:class:`~asmr_classify.errors.NotCarriedError` before anything is written. The streams are compared
as well (``streams``) before a file is replaced, and a ``patch`` of the bytes that differ takes the
change back exactly.
"""
