"""Remote runners: the hub that hands out measuring jobs over HTTP, and what talks to it.

The hub's own parts need the extra `hub`; importing this package needs nothing.
"""
