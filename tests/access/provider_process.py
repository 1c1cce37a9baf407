"""A real OpenID provider process, and a browser that signs in there."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

FOLDER = Path(__file__).parent / "provider"
CALLBACK = "http://127.0.0.1:9/sign-in/provider/callback"
CLIENT_SECRET = "of the tests' client, and long enough"  # noqa: S105


def new_key(kid: str) -> RSAKey:
    """Make a signing key."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, private=True)


def client(client_id: str, callback: str) -> Mapping[str, Any]:
    """Describe a client that is registered at the provider."""
    return {
        "client_id": client_id,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [callback],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    }


@contextmanager
def run_provider(keys: Sequence[RSAKey], port: int = 0, callback: str = CALLBACK) -> Iterator[str]:
    """Run the provider with two clients, `desk` and `other`.

    Args:
        keys: Sign tokens; the first is used.
        port: Where it listens; 0 for any.
        callback: Where it sends browsers back to.

    Yields:
        Its issuer.
    """
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        pytest.skip("needs node and `npm ci` in tests/access/provider, which `make test` runs")
    process = subprocess.Popen(
        [node, "provider.js"],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        settings = {
            "port": port,
            "keys": [key.as_dict(private=True) for key in keys],
            "clients": [client("desk", callback), client("other", callback)],
        }
        process.stdin.write(json.dumps(settings))
        process.stdin.flush()
        issuer = process.stdout.readline().strip()
        assert issuer, "the provider did not start"
        yield issuer
        process.stdin.close()


def sign_in_at_provider(url: str, name: str, callback: str = CALLBACK) -> dict[str, str]:
    """Sign in and consent, as a browser does.

    Returns:
        Query parameters of the address that the provider sends the browser back to.
    """
    with httpx.Client() as browser:
        response = browser.get(url)
        while True:
            location = response.headers.get("location")
            if location is not None:
                url = str(response.url.join(location))
                if url.startswith(callback):
                    return dict(parse_qsl(urlsplit(url).query))
                response = browser.get(url)
                continue
            assert response.status_code == 200, response.text
            form = re.search(r'action="([^"]+)"', response.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', response.text)
            assert form is not None, response.text
            assert prompt is not None, response.text
            fields = {"prompt": prompt[1], "login": name, "password": "any"}
            response = browser.post(str(response.url.join(form[1])), data=fields)
