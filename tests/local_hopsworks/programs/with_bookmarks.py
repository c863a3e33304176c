"""A program over a copy of local_hopsworks that has one folder more, `bookmarks`.

Started with the folder of a store. Prints what the new service answers.
"""

import sys
from pathlib import Path

import requests

from local_hopsworks import Server
from local_hopsworks.check import check

store = Path(sys.argv[1])
with Server(store) as server, requests.Session() as session:
    session.trust_env = False
    session.headers["Authorization"] = f"ApiKey {server.api_key}"
    session.verify = str(server.store.security / "ca.pem")
    api = f"{server.address}/hopsworks-api/api"
    for body in ({"path": "Resources"}, {}):
        print(session.post(f"{api}/project/1/bookmarks", json=body).status_code)
    print(session.get(f"{api}/project/1/bookmarks").json())
    print(session.get(f"{api}/variables/bookmarks").json()["successMessage"])
    print(session.get(f"{api}/project/1/bookmarks/new").json()["errorMsg"])
for fault in check(store)[1]:
    print(fault)
