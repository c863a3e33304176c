"""A local stand-in of the Hugging Face Hub: what deploying a Space asks of it, over HTTP, with a
memory.

It answers as the Hub does as far as `huggingface_hub` can tell (statuses, error headers, git object
ids of stored files, secrets that cannot be read back), keeps every Space, and writes down every
change in `changes`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]
SETTINGS = "/api/spaces/{account}/{name}"


@dataclass
class Space:
    """One Space; a new one comes with two files and a commit, as on the Hub."""

    files: dict[str, bytes] = field(
        default_factory=lambda: {".gitattributes": b"*.bin filter=lfs\n", "README.md": b"--"}
    )
    commits: list[dict[str, Any]] = field(
        default_factory=lambda: [{"summary": "initial commit", "files": []}]
    )
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    sdk: str | None = None

    @property
    def head(self) -> str:
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


def blob_id(content: bytes) -> str:
    """The id that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def error(status: int, message: str, code: str | None = None) -> Response:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return JSONResponse({"error": message}, status, headers)


class FakeHub:
    """Use it as a context manager; HF_ENDPOINT is its `address`. `tokens` maps a token to its
    account and role."""

    def __init__(self, tokens: dict[str, tuple[str, str]]) -> None:
        self.tokens = tokens
        self.spaces: dict[str, Space] = {}
        self.changes: list[str] = []
        self.creation_refused: int | None = None  # a status: 402 asks for a paid plan
        # Named as TCP, or asyncio leaves Nagle's algorithm on and every answer takes 40 ms
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        routes = [
            Route("/api/whoami-v2", self._signed_in(self.whoami)),
            Route("/api/validate-yaml", self._signed_in(self.validate_yaml), methods=["POST"]),
            Route("/api/repos/create", self._signed_in(self.create), methods=["POST"]),
            Route(SETTINGS, self._signed_in(self.info)),
            Route(SETTINGS + "/revision/main", self._signed_in(self.info)),
            Route(
                SETTINGS + "/{kind:str}",
                self._signed_in(self.settings),
                methods=["GET", "POST", "DELETE"],
            ),
            Route(SETTINGS + "/preupload/main", self._signed_in(self.preupload), methods=["POST"]),
            Route(SETTINGS + "/commit/main", self._signed_in(self.commit), methods=["POST"]),
        ]
        self._http = uvicorn.Server(
            uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off")
        )
        self._thread = threading.Thread(
            target=self._http.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> FakeHub:
        self._thread.start()
        while not self._http.started:
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.should_exit = True
        self._thread.join(60)
        self._socket.close()

    def _signed_in(self, endpoint: Endpoint) -> Endpoint:
        """401 without a known token, 403 for a change with one that may only read, 404 for an
        unknown Space."""

        async def checked(request: Request) -> Response:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if token not in self.tokens:
                return error(401, "Invalid credentials in Authorization header")
            request.state.account, role = self.tokens[token]
            request.state.role = role
            if request.method != "GET" and role == "read":
                return error(403, "You don't have the required permissions to perform this action")
            if "name" in request.path_params:
                repo_id = "{account}/{name}".format(**request.path_params)
                if repo_id not in self.spaces:
                    return error(404, "Repository not found", "RepoNotFound")
                request.state.repo_id, request.state.space = repo_id, self.spaces[repo_id]
            return await endpoint(request)

        return checked

    async def whoami(self, request: Request) -> Response:
        return JSONResponse(
            {
                "type": "user",
                "name": request.state.account,
                "orgs": [],
                "auth": {"type": "access_token", "accessToken": {"role": request.state.role}},
            }
        )

    async def validate_yaml(self, request: Request) -> Response:
        content = (await request.json())["content"]
        if not content.startswith("---\n") or "\nsdk: gradio\n" not in content:
            return JSONResponse({"errors": [{"message": '"sdk" is required'}], "warnings": []}, 400)
        return JSONResponse({"errors": [], "warnings": []})

    async def create(self, request: Request) -> Response:
        wanted = await request.json()
        if self.creation_refused:
            return error(self.creation_refused, "Payment required")
        repo_id = f"{wanted['organization'] or request.state.account}/{wanted['name']}"
        if not repo_id.startswith(request.state.account + "/"):
            return error(403, "You don't have the rights to create a Space under this namespace")
        if repo_id in self.spaces:
            return error(409, "You already created this space repo")
        self.spaces[repo_id] = Space(sdk=wanted["sdk"])
        self.changes.append(f"{repo_id} created")
        return JSONResponse(
            {"url": f"{self.address}/spaces/{repo_id}", "name": repo_id, "id": repo_id}
        )

    async def info(self, request: Request) -> Response:
        space: Space = request.state.space
        files = [{"rfilename": name} for name in space.files]
        return JSONResponse(
            {
                "_id": "1",
                "id": request.state.repo_id,
                "sha": space.head,
                "private": False,
                "tags": [],
                "siblings": files,
            }
        )

    async def settings(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in ("secrets", "variables"):
            return error(404, f"The stand-in knows no {kind}")
        stored: dict[str, dict[str, str]] = getattr(request.state.space, kind)
        if request.method != "GET":
            change = await request.json()
            key = change.pop("key")
            self.changes.append(f"{request.state.repo_id} {request.method} {kind} {key}")
            if request.method == "DELETE":
                del stored[key]
            else:
                stored[key] = change
        readable = {"description"} if kind == "secrets" else {"description", "value"}
        return JSONResponse(
            {
                key: {"key": key, **{part: value[part] for part in readable & value.keys()}}
                for key, value in stored.items()
            }
        )

    async def preupload(self, request: Request) -> Response:
        stored = request.state.space.files
        answers = []
        for file in (await request.json())["files"]:
            path = file["path"]
            oid = blob_id(stored[path]) if path in stored else None
            answers.append(
                {"path": path, "uploadMode": "regular", "shouldIgnore": False, "oid": oid}
            )
        return JSONResponse({"files": answers})

    async def commit(self, request: Request) -> Response:
        space: Space = request.state.space
        header, *operations = [json.loads(line) for line in (await request.body()).splitlines()]
        for operation in operations:
            path = operation["value"]["path"]
            if operation["key"] == "deletedFile":
                del space.files[path]
            elif operation["key"] == "file":
                space.files[path] = base64.b64decode(operation["value"]["content"])
            else:
                return error(501, f"The stand-in does not do {operation['key']}")
        names = sorted(operation["value"]["path"] for operation in operations)
        space.commits.append({"summary": header["value"]["summary"], "files": names})
        self.changes.append(f"{request.state.repo_id} commit {' '.join(names)}")
        url = f"{self.address}/spaces/{request.state.repo_id}/commit/{space.head}"
        return JSONResponse({"success": True, "commitOid": space.head, "commitUrl": url})
