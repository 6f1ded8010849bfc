"""Stand-ins that ship with the library: fakes with memory and servers over real sockets.

For unit tests, the demo and users' own tests. Import from the submodules.
"""
