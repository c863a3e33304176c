"""Where the SDK finds the online store: the storage connector and the cluster variables."""

from __future__ import annotations

from local_hopsworks.errors import HopsworksError
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.routing import Routes
from local_hopsworks.online.errors import MYSQL_NOT_REACHABLE
from local_hopsworks.online.sql_endpoint import PORT, USER, SqlEndpoint

routes = Routes()


@routes.add(
    "GET",
    "/project/{project}/featurestores/{feature_store}/storageconnectors/onlinefeaturestore",
)
def online_connector(call: Call) -> Answer:
    """The JDBC connector, with the user and the password of the SQL endpoint, which starts now."""
    if call.is_remote:
        raise HopsworksError(
            "SQL reads the online store from the machine of this Hopsworks alone. Read it "
            "through REST: "
            "feature_view.init_serving(init_rest_client=True, init_sql_client=False).",
            MYSQL_NOT_REACHABLE,
        )
    endpoint = call.hopsworks.part(SqlEndpoint)
    project = call.project.name
    options = "useSSL=false&allowPublicKeyRetrieval=true"  # the SDK takes just these out again
    return {
        "id": 1,
        "name": f"{project}_onlinefeaturestore",
        "description": "The online feature store",
        "featurestoreId": call.project.id,
        "storageConnectorType": "JDBC",
        "type": "featurestoreJdbcConnectorDTO",
        "connectionString": f"jdbc:mysql://{endpoint.host}:{PORT}/{project}?{options}",
        "arguments": [
            {"name": "user", "value": USER},
            {"name": "password", "value": endpoint.password},
        ],
    }


def sql_host(hopsworks: Hopsworks, client: str) -> str:
    """Which host clients outside of a Hopsworks cluster find MySQL at."""
    return hopsworks.part(SqlEndpoint).host


def feature_server(hopsworks: Hopsworks, client: str) -> str:
    """Where the REST feature server is. The SDK appends ":4406"; after a slash that is a path, so
    the port before it counts."""
    return f"{hopsworks.host}:{hopsworks.port}/"
