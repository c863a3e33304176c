"""Both apps side by side, each with a link to the other, until Ctrl-C.

make apps
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPS = {
    "PREDICT_URL": "huggingface-spaces-titanic",
    "MONITOR_URL": "huggingface-spaces-titanic-monitor",
}
FIRST_PORT = 7860  # Gradio's own


def free_ports(count: int) -> list[int]:
    """The first ports from FIRST_PORT on that no program listens on."""
    found: list[int] = []
    port = FIRST_PORT
    while len(found) < count:
        with socket.socket() as listener:
            if listener.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        port += 1
    return found


def start(folder: str, port: int, links: dict[str, str]) -> subprocess.Popen:
    """Start the app in `folder`; it prints its address once it answers."""
    environment = {**os.environ, **links, "GRADIO_SERVER_PORT": str(port)}
    return subprocess.Popen([sys.executable, ROOT / folder / "app.py"], env=environment)


def wait(apps: list[subprocess.Popen]) -> int:
    """Wait until one app has ended, end the others too, and return the highest exit status."""
    try:
        while all(app.poll() is None for app in apps):
            time.sleep(0.2)
    finally:
        for app in apps:
            app.send_signal(signal.SIGINT)
        statuses = [app.wait() for app in apps]
    return max(statuses)


def stop(*_: object) -> None:
    """End on SIGTERM, with the exit status that a shell expects."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would leave an app behind
    sys.exit(128 + signal.SIGTERM)


def main() -> int:
    """Run both apps until they end; returns the exit status."""
    ports = dict(zip(APPS, free_ports(len(APPS)), strict=True))
    links = {name: f"http://127.0.0.1:{port}/" for name, port in ports.items()}
    apps = [start(folder, ports[name], links) for name, folder in APPS.items()]
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the apps as well
    signal.signal(signal.SIGTERM, stop)
    return wait(apps)


if __name__ == "__main__":
    sys.exit(main())
