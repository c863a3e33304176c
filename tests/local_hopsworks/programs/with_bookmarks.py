"""A program over a copy of local_hopsworks that has one folder more, `bookmarks`.

Started with the folder of a store. Prints what the new service answers, and what is said of a
write of its that was broken off.
"""

import sys
from contextlib import closing
from pathlib import Path

import requests
from local_hopsworks.bookmarks.service import BOOKMARK

from local_hopsworks import Server
from local_hopsworks.check import check
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import Store
from local_hopsworks.unfinished import begin

home = Path(sys.argv[1])
with Server(home) as server, requests.Session() as session:
    session.trust_env = False
    session.headers["Authorization"] = f"ApiKey {server.api_key}"
    session.verify = str(server.store.security / "ca.pem")
    api = f"{server.address}/hopsworks-api/api"
    for body in ({"path": "Resources"}, {}):
        print(session.post(f"{api}/project/1/bookmarks", json=body).status_code)
    print(session.get(f"{api}/project/1/bookmarks").json())
    print(session.get(f"{api}/variables/bookmarks").json()["successMessage"])
    print(session.get(f"{api}/project/1/bookmarks/new").json()["errorMsg"])
for fault in check(home)[1]:
    print(fault)
with closing(Store(home)) as store, closing(Metadata(store.metadata_file)) as metadata:
    with metadata.transaction(write=True) as db:
        begin(db, store, BOOKMARK, store.home / "projects", word="back in")
print(*check(home)[1][:1])
with Server(home):
    pass
print(len(check(home)[1]))
