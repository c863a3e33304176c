"""A program that asks for all that upload(overwrite=True) asks for before it uploads, and ends."""

from hopsworks_common.core.variable_api import VariableApi

import local_hopsworks

storage = local_hopsworks.login().get_dataset_api()
path = "Resources/file.bin"
assert storage.exists(path) and storage.get(path)
VariableApi()._get_upload_policy()
storage.remove(path)
assert not storage.exists(path)
