"""What the eye sees in a video: whether its picture moves, how light it is, cuts and flashes.

It stands beside the classifier of sound, which knows nothing of it.
"""
