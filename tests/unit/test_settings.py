"""Where settings come from, which one wins, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from backend.errors import ConfigurationError
from backend.settings import ECOSYSTEM_NAMES, Settings, load_settings

SECRETS = {
    "BASIC_AUTH_PASS": ("server", "basic_auth_pass"),
    "LABEL_STUDIO_API_KEY": ("label_studio", "api_key"),
    "ARGILLA_API_KEY": ("argilla", "api_key"),
    "OPENAI_API_KEY": ("llm", "openai_api_key"),
    "ANTHROPIC_API_KEY": ("llm", "anthropic_api_key"),
}


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text("server: {port: 1111, threads: 3}\n", encoding="utf-8")
    return path


class TestPrecedence:
    def test_defaults_stand_where_nothing_is_set(self) -> None:
        assert load_settings() == Settings()

    def test_a_file_wins_over_the_defaults_and_leaves_the_others(self, settings_file: Path) -> None:
        server = load_settings(settings_file).server

        assert (server.port, server.threads, server.workers) == (1111, 3, 1)

    def test_a_harambee_variable_wins_over_the_file(
        self, settings_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HARAMBEE_SERVER__PORT", "2222")

        server = load_settings(settings_file).server

        assert (server.port, server.threads) == (2222, 3)

    def test_an_ecosystem_name_wins_over_a_harambee_variable(
        self, settings_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HARAMBEE_SERVER__PORT", "2222")
        monkeypatch.setenv("PORT", "3333")

        server = load_settings(settings_file).server

        assert (server.port, server.threads) == (3333, 3)

    def test_the_url_wins_over_the_host_of_label_studio(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LABEL_STUDIO_URL", "http://url.test")
        monkeypatch.setenv("LABEL_STUDIO_HOST", "http://host.test")

        assert load_settings().label_studio.url == "http://url.test"

    def test_an_empty_variable_counts_as_not_set(
        self, settings_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PORT", "")

        assert load_settings(settings_file).server.port == 1111

    def test_the_file_may_be_named_by_the_environment(
        self, settings_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HARAMBEE_CONFIG", str(settings_file))

        assert load_settings().server.port == 1111

    def test_a_file_given_by_the_caller_wins_over_the_named_one(
        self, settings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HARAMBEE_CONFIG", str(tmp_path / "absent.yaml"))

        assert load_settings(settings_file).server.port == 1111

    def test_a_section_given_by_the_caller_replaces_that_of_the_file(
        self, settings_file: Path
    ) -> None:
        server = load_settings(settings_file, server={"workers": 2}).server

        assert (server.port, server.workers) == (9090, 2)


@pytest.mark.parametrize(("name", "place"), ECOSYSTEM_NAMES.items())
def test_each_ecosystem_name_reaches_its_setting(
    name: str, place: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {"LOG_LEVEL": "DEBUG", "PORT": "77", "WORKERS": "77", "THREADS": "77"}.get(name, "/x")
    monkeypatch.setenv(name, value)
    section, key = place

    found = getattr(getattr(load_settings(), section), key)

    plain = found.get_secret_value() if isinstance(found, SecretStr) else found
    assert str(plain) == value


class TestMistakes:
    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("server: {prot: 9090}", "server.prot"),
            ("sever: {port: 9090}", "sever"),
            ("server: {port: many}", "server.port"),
            ("server: {port: 70000}", "server.port"),
            ("learning: {held_out_share: 1.0}", "learning.held_out_share"),
            ("llm: {provider: opanai}", "llm.provider"),
            ("audit: {share: 0.3}", "settings"),
            ("server:", "server"),
        ],
    )
    def test_a_wrong_setting_in_the_file_is_named(
        self, tmp_path: Path, content: str, complaint: str
    ) -> None:
        path = tmp_path / "settings.yaml"
        path.write_text(content, encoding="utf-8")

        with pytest.raises(ConfigurationError, match=f"cannot be used: {complaint}: "):
            load_settings(path)

    def test_every_wrong_setting_is_named_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.yaml"
        path.write_text("server: {prot: 1}\nllm: {modle: x}", encoding="utf-8")

        with pytest.raises(ConfigurationError, match=r"server\.prot.*; llm\.modle"):
            load_settings(path)

    def test_a_wrong_variable_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HARAMBEE_SERVER__PROT", "9090")

        with pytest.raises(ConfigurationError, match=r"server\.prot"):
            load_settings()

    def test_a_wrong_value_is_not_repeated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may be a secret that was put under the wrong name."""
        monkeypatch.setenv("PORT", "sk-canary")

        with pytest.raises(ConfigurationError) as error:
            load_settings()

        assert "sk-canary" not in str(error.value)

    @pytest.mark.parametrize("content", [b"server: [", b"- a\n- b", b"just words", b"\xff\xfe\xfa"])
    def test_a_file_that_holds_no_sections_is_refused_by_name(
        self, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "settings.yaml"
        path.write_bytes(content)

        with pytest.raises(ConfigurationError, match=r"settings\.yaml"):
            load_settings(path)

    def test_a_missing_file_is_refused_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"absent\.yaml"):
            load_settings(tmp_path / "absent.yaml")

    def test_a_file_cannot_make_python_objects(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.yaml"
        path.write_text("server: !!python/object/apply:os.getcwd []", encoding="utf-8")

        with pytest.raises(ConfigurationError, match="Cannot read"):
            load_settings(path)

    def test_an_empty_file_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.yaml"
        path.touch()

        assert load_settings(path) == Settings()


class TestSecrets:
    @pytest.mark.parametrize("name", SECRETS)
    def test_a_secret_is_not_shown(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(name, "canary-value")

        settings = load_settings()

        shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
        assert "canary-value" not in shown

    def test_every_setting_that_sounds_secret_is_one(self) -> None:
        places = {
            (section, name)
            for section, field in Settings.model_fields.items()
            for name, inner in type(field.default).model_fields.items()
            if "SecretStr" in str(inner.annotation)
        }

        assert places == set(SECRETS.values())


class TestDerived:
    def test_the_data_folder_holds_the_database_and_the_models(self, tmp_path: Path) -> None:
        settings = load_settings(store={"data_dir": tmp_path})

        assert settings.database_url == f"sqlite:///{tmp_path}/harambee.sqlite3"
        assert settings.model_dir == tmp_path / "models"

    def test_a_database_and_a_model_folder_may_live_elsewhere(self) -> None:
        settings = load_settings(store={"database_url": "postgresql://h/d", "model_dir": "/m"})

        assert (settings.database_url, settings.model_dir) == ("postgresql://h/d", Path("/m"))

    @pytest.mark.parametrize(
        ("server", "address"),
        [
            ({}, "http://127.0.0.1:9090"),
            ({"host": "0.0.0.0", "port": 1}, "http://localhost:1"),
            ({"host": "::", "port": 1}, "http://localhost:1"),
            ({"public_url": "https://ner.example.org/"}, "https://ner.example.org"),
        ],
    )
    def test_the_public_address_is_one_that_others_can_reach(
        self, server: dict[str, object], address: str
    ) -> None:
        assert load_settings(server=server).public_url == address

    def test_settings_do_not_change(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Settings().server.port = 1  # type: ignore[misc]


def test_a_variable_for_a_section_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("HARAMBEE_SERVR__PORT", "1")

    with pytest.raises(ConfigurationError, match="HARAMBEE_SERVR__PORT"):
        load_settings()
