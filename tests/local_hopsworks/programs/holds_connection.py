"""holds_connection.py PORT: connects, prints the port at its own end, and ends with its input."""

import socket
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(connection.getsockname()[1], flush=True)
sys.stdin.read()
