"""The Kafka broker's process: `python -m local_hopsworks.online.endpoint FOLDER KEYS HOST PORT`.

It prints its port when it listens, and ends when its standard input does, however the server that
started it ended: what it has acknowledged is on disk.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

from local_hopsworks.online.broker import Broker
from local_hopsworks.online.brokered import Brokered


async def _serve(folder: Path, certificates: Path, host: str, port: int) -> None:
    broker = Broker(Brokered(folder), certificates, host, port)
    server = await broker.listen()
    print(broker.port, flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    await server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
