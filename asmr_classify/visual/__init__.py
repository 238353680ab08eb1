"""What the eye sees in a video: whether its picture moves, how light it is, cuts and flashes.

It stands beside the classifier of sound, which knows nothing of it. Frames are decoded in few
places (:mod:`.film`) and made small (:mod:`.small`); what is measured in them is told by
:mod:`.motion`, :mod:`.light`, :mod:`.cuts` and :mod:`.flashes`, and put together by :mod:`.look`.
The document ``docs/visual.md`` says how each is defined.

Motion is measured in diagonals of the picture a second: the root of the mean, over the picture, of
the squared speed of what is there.
"""
