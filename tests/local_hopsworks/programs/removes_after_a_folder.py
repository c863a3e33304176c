"""Overwrites a folder, and removes a file that was looked at before and after it.

Started with the folder, and the folder of dataset storage to upload it to, which has file.bin.
"""

import sys

import local_hopsworks

folder, target = sys.argv[1:]
storage = local_hopsworks.login().get_dataset_api()
file = f"{target}/file.bin"
assert storage.exists(file)
storage.upload(folder, target)
assert storage.exists(file)
storage.upload(folder, target, overwrite=True)
assert storage.exists(file)
storage.remove(file)
