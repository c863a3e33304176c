"""Dataset storage, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.datasets import routes
from local_hopsworks.datasets.replacements import REPLACE
from local_hopsworks.datasets.uploads import Uploads
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.intents import Intents
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.services import ServiceDescription


def _upload_policy(hopsworks: Hopsworks, client: str) -> str:
    hopsworks.part(Intents).asked_for_upload_policy(client)
    return "enabled"


_refused = Routes()
_refused.refuse(routes.PATH + "/tags/{rest:path}", "tags on files")

SERVICE = ServiceDescription(
    routes=[*routes.routes, *_refused],
    refuses={
        r"/dataset/tags": "tags on files",
        r"/dataset/": "permissions, sharing and archives of files",
    },
    variables={"upload_policy": _upload_policy},
    writes=[REPLACE],
    on_login=lambda hopsworks: hopsworks.part(Uploads).forget_broken(),
)
