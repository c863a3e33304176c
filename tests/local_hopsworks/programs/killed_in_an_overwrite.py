"""A program that is killed within upload(overwrite=True), after the earlier file is removed.

Started with the file, the folder to upload it to, and how many chunks of three bytes it sends.
"""

import os
import signal
import sys

import hopsworks
from hopsworks_common.core.dataset_api import DatasetApi

file, folder, chunks = sys.argv[1], sys.argv[2], int(sys.argv[3])
send = DatasetApi._upload_request
sent = []


def send_or_be_killed(*arguments):
    if len(sent) == chunks:
        os.kill(os.getpid(), signal.SIGKILL)
    sent.append(arguments)
    return send(*arguments)


DatasetApi._upload_request = send_or_be_killed
storage = hopsworks.login().get_dataset_api()
storage.upload(file, folder, overwrite=True, chunk_size=3, simultaneous_chunks=1)
