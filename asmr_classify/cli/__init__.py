"""The command line: each command parses, calls one library function, and renders.

stdout carries data, stderr talk. Heavy libraries are imported inside commands, so that ``--help``
and ``--version`` stay quick and write nothing.
"""
