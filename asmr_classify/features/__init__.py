"""Sound to feature rows: blocks -> frames -> windows."""
