"""Test servers for flakebisect, and the protocol core they stand on.

packets    subunit v2 packets: bytes in, packets out, and the reverse (no I/O)
rpc        the RPC messages and both ends of the conversation (no I/O)
channel    the two file descriptors that carry the conversation, kept out of the tests' reach
children   the processes that run the tests: forked, watched, stopped, swept up
service    the loop that answers requests; knows nothing of a test framework
stream     what a process that runs tests writes its results with
unittest_server, pytest_server        the two servers
pytest_subunit, pytest_run            a pytest plugin that writes subunit v2, and a test_command made of it
xdist_lists                           ordered lists out of a pytest-xdist run

docs/servers.md is the manual, docs/protocol.md the protocol.
"""

__version__ = "0.1.0"
