"""Create or update both apps as Spaces of the Hugging Face account that HF_TOKEN belongs to.

    export HF_TOKEN=... HOPSWORKS_API_KEY=...
    make deploy

HOPSWORKS_PROJECT, HOPSWORKS_HOST and HOPSWORKS_PORT mean what they mean to the pipelines; without
them the Spaces use the key's only project at Hopsworks' own address. Run again it changes what
differs, and nothing else. Whatever can be checked is checked before anything is created.
"""

import hashlib
import os
import re
import subprocess
import warnings
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

import requests
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session
from huggingface_hub.errors import HfHubHTTPError, HTTPError, RepositoryNotFoundError
from huggingface_hub.utils import logging

ROOT = Path(__file__).resolve().parent.parent
SPACES = {
    "huggingface-spaces-titanic": "titanic",
    "huggingface-spaces-titanic-monitor": "titanic-monitor",
}
# What else lies in a folder stays private
FILES = ("README.md", "requirements.txt", "*.py", "*.css", "*.js", "templates/*.html")
SECRET = "HOPSWORKS_API_KEY"
VARIABLES = ("HOPSWORKS_HOST", "HOPSWORKS_PORT", "HOPSWORKS_PROJECT")
LINKS = ("PREDICT_URL", "MONITOR_URL", "REPOSITORY_URL")  # the apps show those that are set
DEFAULT_HOST = "eu-west.cloud.hopsworks.ai"  # the SDK's, if HOPSWORKS_HOST is not set
PORTS_OPEN_TO_SPACES = ("80", "443", "8080")
TIMEOUT = 30  # seconds without an answer
WHERE = {
    "HF_TOKEN": "make one of the type 'Write' at https://huggingface.co/settings/tokens",
    "HOPSWORKS_API_KEY": "make one at https://run.hopsworks.ai (Account settings, API)",
}


def credential(name: str) -> str:
    """The variable's value; exits if it cannot be one, for HTTP clients put a malformed one into
    their messages."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise SystemExit(f"{name} is not set: {WHERE[name]}, then export {name}=...")
    if not re.fullmatch(r"[!-~]+", value):
        raise SystemExit(
            f"{name} holds a blank, a line break or a letter that no such key has: copy it again."
        )
    return value


def is_this_machine(host: str | None) -> bool:
    """Whether a host name is this machine's own, which no other machine reaches."""
    return host in ("localhost", "::1") or (host or "").startswith("127.")


def ask_for_projects(address: str, key: str) -> list[str]:
    """Names of the projects that the key opens at a Hopsworks; raises what requests raises.

    One request instead of `hopsworks.login()`, which would write certificates, keep a session, ask
    at the keyboard which of several projects is meant, and remember a key that was typed in.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # urllib3 warns of this machine's own certificate
        answer = requests.get(
            f"{address}/hopsworks-api/api/project",
            headers={"Authorization": f"ApiKey {key}"},
            timeout=TIMEOUT,
            verify=not is_this_machine(urlsplit(address).hostname),
        )
    if answer.status_code in (401, 403):
        raise SystemExit(f"{address} does not accept HOPSWORKS_API_KEY: {WHERE[SECRET]}.")
    answer.raise_for_status()
    return sorted(membership["project"]["name"] for membership in answer.json())


def hopsworks_project(host: str, port: str, key: str, name: str | None) -> str:
    """The project the apps will work in; exits if they could not log in."""
    address = f"https://{host}:{port}"
    try:
        names = ask_for_projects(address, key)
    except requests.exceptions.SSLError:
        raise SystemExit(
            f"The certificate of {address} is not trusted: set REQUESTS_CA_BUNDLE to its issuer's."
        ) from None
    # The exceptions of requests are OSErrors; the others are an answer that is not Hopsworks'
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(
            f"No Hopsworks answers at {address} ({type(error).__name__}): "
            "check HOPSWORKS_HOST and HOPSWORKS_PORT."
        ) from None
    if name in names:
        return name
    if len(names) == 1 and not name:
        return names[0]
    wrong = f"there is no {name!r}" if name else "the Spaces need to know which"
    raise SystemExit(
        f"HOPSWORKS_API_KEY opens {len(names)} projects ({', '.join(names)}): {wrong}; "
        "set HOPSWORKS_PROJECT."
    )


def account_of(api: HfApi) -> str:
    """The account that the token belongs to; exits if the token may only read."""
    account = api.whoami()
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise SystemExit(f"HF_TOKEN may only read: {WHERE['HF_TOKEN']}.")
    return account["name"]


def is_there(api: HfApi, repo_id: str) -> bool:
    """Whether the Space exists; exits rather than overwrite another app of the same name."""
    try:
        files = [file.rfilename for file in api.space_info(repo_id).siblings or []]
    except RepositoryNotFoundError:
        return False
    # No app.py: made by hand for us to fill
    if "app.py" in files and SECRET not in api.get_space_secrets(repo_id):
        raise SystemExit(
            f"{api.endpoint}/spaces/{repo_id} is another app of yours (it has no secret {SECRET}): "
            "rename it there, or give ours another name in SPACES of tools/deploy_spaces.py. "
            "Nothing was changed."
        )
    return True


def configure(api: HfApi, repo_id: str, key: str, variables: dict[str, str]) -> list[str]:
    """Make the Space's variables and secret those of this run; what was changed. Every change
    restarts the Space.

    The Hub never tells a secret's value, so its description holds a fingerprint of the value we
    set: 48 bits of a hash of a random key tell nothing about it. If the secret was changed by hand,
    delete it there, and it is set again.
    """
    changes = []
    secrets, present = api.get_space_secrets(repo_id), api.get_space_variables(repo_id)
    for name in secrets.keys() & VARIABLES:  # a name that is both keeps the Space from starting
        api.delete_space_secret(repo_id, name)
        changes.append(f"secret {name} deleted")
    ours = {SECRET, *VARIABLES, *LINKS}
    for name in present.keys() & ours - variables.keys():  # not set now, so it must not steer there
        api.delete_space_variable(repo_id, name)
        changes.append(f"variable {name} deleted")
    for name, value in variables.items():
        if name not in present or present[name].value != value:
            api.add_space_variable(repo_id, name, value)
            changes.append(f"variable {name} set")
    fingerprint = hashlib.sha256(f"{repo_id} {key}".encode()).hexdigest()[:12]
    description = f"Set by make deploy; fingerprint {fingerprint}"
    if SECRET not in secrets or secrets[SECRET].description != description:
        api.add_space_secret(repo_id, SECRET, key, description=description)
        changes.append(f"secret {SECRET} set")
    return changes


def upload(api: HfApi, repo_id: str, folder: Path) -> list[str]:
    """Commit the files that differ, and delete those that an earlier deployment had and this one
    has not. The client compares them with the Hub's, and makes no empty commit."""
    before = api.space_info(repo_id)
    paths = [path for pattern in FILES for path in sorted(folder.glob(pattern))]
    ours = {path.relative_to(folder).as_posix(): path for path in paths}
    there = [file.rfilename for file in before.siblings or []]
    gone = [name for name in there if name not in ours and is_of_app(name)]
    operations: list[CommitOperationAdd | CommitOperationDelete] = []
    operations += [CommitOperationAdd(name, path) for name, path in ours.items()]
    operations += [CommitOperationDelete(name) for name in gone]
    commit = api.create_commit(repo_id, operations, commit_message="Deploy", repo_type="space")
    changes = [f"{name} deleted" for name in gone]
    return [*changes, "files uploaded"] if commit.oid != before.sha else []


def is_of_app(name: str) -> bool:
    """Whether a file of a Space has a name such as the app's own files have."""
    return any(
        fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for pattern in FILES
    )


def repository_url() -> str | None:
    """Where others find this repository: the web address of its remote `origin`, if it has one."""
    git = ["git", "-C", str(ROOT), "config", "--get", "remote.origin.url"]
    remote = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    remote = re.sub(r"^git@([\w.-]+):", r"https://\1/", remote).removesuffix(".git")
    parts = urlsplit(remote)
    if parts.scheme != "https":
        return None
    return f"https://{parts.hostname}{parts.path}"  # without a token that it may hold


def links(spaces: dict[str, str], hub: str) -> dict[str, str]:
    """Addresses that the apps link to, as variables."""
    predict, monitor = (f"{hub}/spaces/{repo_id}" for repo_id in spaces.values())
    known = {"PREDICT_URL": predict, "MONITOR_URL": monitor, "REPOSITORY_URL": repository_url()}
    return {name: address for name, address in known.items() if address}


def refusal(error: Exception, hub: str) -> str:
    """What went wrong with the Hub, and what to do, in a sentence."""
    if not isinstance(error, HfHubHTTPError):
        return (
            f"{hub} does not answer ({type(error).__name__}): "
            "check the connection and run make deploy again."
        )
    status = error.response.status_code
    if status == 401:
        return f"{hub} does not know HF_TOKEN (401): {WHERE['HF_TOKEN']}."
    if status in (402, 403):
        return (
            f"{hub} refuses ({status}): HF_TOKEN must be of the type 'Write', and since August "
            "2026 a new Gradio Space needs a paid plan, or ZeroGPU on a personal account. For that "
            f"one, make empty Spaces named {' and '.join(SPACES.values())} at "
            "https://huggingface.co/new-space, then run make deploy again."
        )
    reason = error.server_message or "it gives no reason"
    return f"{hub} refuses ({status}): {reason}; run make deploy again later."


def settings(api: HfApi, key: str) -> dict[str, str]:
    """The variables for the Spaces; exits if an app could not work with them."""
    given = {name: os.environ.get(name, "").strip() for name in VARIABLES}
    variables = {name: value for name, value in given.items() if value}
    host = variables.get("HOPSWORKS_HOST", DEFAULT_HOST)
    port = variables.get("HOPSWORKS_PORT", "443")
    is_test = is_this_machine(urlsplit(api.endpoint).hostname)
    if not is_test and (is_this_machine(host) or port not in PORTS_OPEN_TO_SPACES):
        raise SystemExit(
            f"A Space cannot reach {host}:{port}: "
            "it needs a Hopsworks on the internet, on port 80, 443 or 8080."
        )
    project = hopsworks_project(host, port, key, variables.get("HOPSWORKS_PROJECT"))
    return {**variables, "HOPSWORKS_PROJECT": project}


def deploy(api: HfApi, key: str, variables: dict[str, str]) -> None:
    """Create or update both Spaces, and print what was changed."""
    account = account_of(api)
    spaces = {folder: f"{account}/{name}" for folder, name in SPACES.items()}
    there = {repo_id for repo_id in spaces.values() if is_there(api, repo_id)}
    variables = {**variables, **links(spaces, api.endpoint)}
    for folder, repo_id in spaces.items():
        changes = []
        if repo_id not in there:
            api.create_repo(repo_id, repo_type="space", space_sdk="gradio")
            changes.append("created")
        changes += configure(api, repo_id, key, variables)
        changes += upload(api, repo_id, ROOT / folder)
        print(f"{api.endpoint}/spaces/{repo_id}\n  {', '.join(changes) or 'nothing to change'}")


def main() -> None:
    """Check all that can be checked, then deploy; every problem is one sentence."""
    token, key = credential("HF_TOKEN"), credential(SECRET)
    api = HfApi(token=token)
    get_session().timeout = TIMEOUT  # the client itself would wait for ever
    logging.set_verbosity_error()  # it warns if there is nothing to commit, which is no problem
    variables = settings(api, key)
    try:
        deploy(api, key, variables)
    except (HTTPError, OSError) as error:
        raise SystemExit(refusal(error, api.endpoint)) from None
    # The client's, about wrong front matter in README.md; or no JSON, so it is not the Hub
    except ValueError as error:
        raise SystemExit(f"{api.endpoint}: {' '.join(str(error).split())}") from None


if __name__ == "__main__":
    main()
