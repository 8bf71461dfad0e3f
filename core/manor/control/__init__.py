"""Commands of an admin's shell: run in this process when nobody has the house open, else in the daemon that has.

The daemon listens on `data_dir/control.sock` (0600). One connection carries one request, a JSON object
`{"command", "arguments"}` ended by closing the sending half, and its answer, `{"result"}` or `{"error": {"status",
"detail"}}`. Only root and the daemon's own user are heard.
"""

from manor.control.asking import CommandRefused, NoAnswer, ask_daemon, call_house
from manor.control.wire import SOCKET

__all__ = ["SOCKET", "CommandRefused", "NoAnswer", "ask_daemon", "call_house"]
