"""Bringing everything back: from what each service needs to the order in which all of them can start.

matching   which dependency of one service is which other service
choice     which working set each uses, so that as many as possible can start
feedback   the fewest needs to break so that the rest can start too
cycles     what waits for what in a circle, listed without an explosion
plan       all of it put together: waves, blocked, cycles, breaks, roots
drawing    the plan as rows and lines
"""
