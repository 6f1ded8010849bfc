"""A real Label Studio on a free port, for tests and for the demo.

Label Studio lives in a virtual environment of its own and keeps everything in one folder. The
first start with an empty folder takes half a minute, because its database is made; later ones
take a few seconds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests

from backend.errors import ConfigurationError, ToolUnreachableError
from backend.testing.server_process import Startable, end_group, free_port, is_free, log_end

LONGEST_START_SECONDS = 240.0
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Login:
    """The only user of the server; ``token`` is the legacy API token, 40 hexadecimal digits."""

    email: str = "demo@harambee.example"
    password: str = "pull-together"  # noqa: S105 - of a server that only this machine reaches
    token: str = "6861726d6261656568617261646d626565686172"  # noqa: S105 - as above


class LabelStudioServer(Startable):
    """Label Studio as a context manager: ready to use inside, gone with its children after.

    ``environment`` is the virtual environment that holds it, ``folder`` its data (reused if it is
    there already), ``port`` 0 takes a free one. ``variables`` are set on top of the usual ones.
    """

    def __init__(
        self,
        environment: Path,
        folder: Path,
        port: int = 0,
        login: Login | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.login = login or Login()
        self.port = port or free_port()
        self.folder = folder
        self.log_file = folder / "label-studio.log"
        self._program = environment / "bin" / "label-studio"
        self._variables = dict(variables or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises :class:`~backend.errors.ConfigurationError` where it is not installed or its port
        is taken, and :class:`~backend.errors.ToolUnreachableError` with the end of its log where
        it fails.
        """
        if not self._program.exists():
            raise ConfigurationError(
                f"Label Studio is not installed: {self._program} does not exist. Make it with "
                f"'python -m venv {self._program.parent.parent}' and "
                f"'{self._program.parent / 'pip'} install label-studio==1.23.2'."
            )
        if not is_free(self.port):
            # Label Studio itself would move to the next port without a word.
            raise ConfigurationError(
                f"Port {self.port} is taken, perhaps by another Label Studio. Stop what uses it, "
                "or choose another port."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = self.log_file.open("ab")
        command = [str(self._program), "start", "--no-browser", "--internal-host", "127.0.0.1"]
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            [*command, "--port", str(self.port)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it and everything it started."""
        if self._process is not None:
            end_group(self._process)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def _environment(self) -> dict[str, str]:
        """All it is told: nothing of this process's own environment changes what it does."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder.resolve()),
            "LANG": "C.UTF-8",
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.folder.resolve()),
            "LABEL_STUDIO_USERNAME": self.login.email,
            "LABEL_STUDIO_PASSWORD": self.login.password,
            "LABEL_STUDIO_USER_TOKEN": self.login.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "ML_BLOCK_LOCAL_IP": "false",
            "SSRF_PROTECTION_ENABLED": "false",
            "COLLECT_ANALYTICS": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "LATEST_VERSION_CHECK": "false",
            **self._variables,
        }

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + LONGEST_START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ToolUnreachableError(
                    f"Label Studio ended with code {process.returncode} while starting:\n"
                    f"{log_end(self.log_file)}"
                )
            if self._answers():
                return
            time.sleep(POLL_SECONDS)
        raise ToolUnreachableError(
            f"Label Studio did not answer within {LONGEST_START_SECONDS:.0f} s:\n"
            f"{log_end(self.log_file)}"
        )

    def _answers(self) -> bool:
        """Whether our user is served: its port alone could be someone else's."""
        try:
            response = requests.get(
                f"{self.url}/api/current-user/whoami",
                headers={"Authorization": f"Token {self.login.token}"},
                timeout=5,
            )
        except requests.RequestException:
            return False
        return response.ok


def initialised_folder(environment: Path, template: Path, folder: Path) -> Path:
    """``folder`` as a copy of a data folder whose database is made already.

    ``template`` is made once, which takes half a minute; every copy then starts in seconds.
    """
    if not template.exists():
        staging = template.with_name(f"{template.name}-{os.getpid()}")
        with LabelStudioServer(environment, staging):
            pass
        staging.rename(template)
    shutil.copytree(template, folder)
    return folder
