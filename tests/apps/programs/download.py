"""download.py FOLDER: the files of the first version of the model."""

import sys

import hopsworks

hopsworks.login().get_model_registry().get_model("titanic", 1).download(sys.argv[1])
