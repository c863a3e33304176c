"""A program that is killed within upload(overwrite=True), after the earlier file is removed.

Started with the file, the folder to upload it to, how many chunks of three bytes it sends, and the
signal that it gets then. Without HOPSWORKS_API_KEY it is its own server.
"""

import os
import signal
import sys
import time

from hopsworks_common.core.dataset_api import DatasetApi

import local_hopsworks

file, folder, chunks = sys.argv[1], sys.argv[2], int(sys.argv[3])
number = signal.Signals[sys.argv[4]] if len(sys.argv) > 4 else signal.SIGKILL
send = DatasetApi._upload_request
sent: list[object] = []


def send_or_be_killed(*arguments):
    if len(sent) == chunks:
        os.kill(os.getpid(), number)
        time.sleep(1)  # until the main thread has its KeyboardInterrupt
        raise ConnectionError("The program was interrupted.")
    sent.append(arguments)
    return send(*arguments)


DatasetApi._upload_request = send_or_be_killed
storage = local_hopsworks.login().get_dataset_api()
storage.upload(file, folder, overwrite=True, chunk_size=3, simultaneous_chunks=1)
