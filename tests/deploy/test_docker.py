"""Dockerfile and Compose file, as far as they can be checked without Docker's engine."""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Stage:
    """One stage of the Dockerfile: what it begins with, and its instructions."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages() -> list[Stage]:
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    found: list[Stage] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.split()
            found.append(Stage(base, name))
        elif word and not word.startswith("#"):
            found[-1].steps.append((word, rest))
    return found


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path of the checkout from the build: the last line that matches decides."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    ignored = False
    for line in filter(lambda line: line and not line.startswith("#"), lines):
        pattern = line.removeprefix("!")
        parts = Path(path).parts
        heads = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if any(fnmatch.fnmatch(head, pattern.removeprefix("**/")) for head in heads):
            ignored = not line.startswith("!")
        if pattern.startswith("**/") and pattern.removeprefix("**/") in parts:
            ignored = True
    return ignored


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    known: set[str] = set()
    copied = 0
    for stage in stages():
        for word, rest in stage.steps:
            if word != "COPY":
                continue
            *sources, _target = shlex.split(rest)
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in known
                continue
            for source in sources:
                copied += 1
                assert (ROOT / source).exists(), source
                assert not is_ignored(source.rstrip("/")), source
        known.add(stage.name)
    assert copied > 5


def test_what_belongs_to_one_machine_is_not_in_the_image() -> None:
    for path in (
        ".git/config",
        "instance/secrets.json",
        ".venv/bin/python",
        ".env",
        "static/vendor/a.js",
        "tests/x.py",
    ):
        assert is_ignored(path), path


def test_the_image_has_all_that_the_site_is_made_of() -> None:
    [site] = [stage for stage in stages() if stage.name == "site"]
    copied = " ".join(rest for word, rest in site.steps if word == "COPY")
    for link in (ROOT / "packages" / "site" / "wampflask").iterdir():
        assert link.name in copied or link.name == "apps", link.name


def test_the_containers_run_as_nobody_and_say_how_they_are() -> None:
    by_name = {stage.name: dict(stage.steps) for stage in stages()}
    assert by_name["site"]["USER"] == "wampflask"
    assert "/healthz" in by_name["site"]["HEALTHCHECK"]
    assert "/healthz" in by_name["whole"]["HEALTHCHECK"]
    assert "EUPL-1.2" in by_name["router"]["LABEL"]
    assert [stage.base for stage in stages()][-2:] == ["site", "router"]
    assert stages()[-1].name == "whole", "what docker build makes when it is not told otherwise"


def test_the_compose_file_names_targets_that_there_are() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert {"database", "init", "router", "web"} <= set(services)
    targets = {service["build"]["target"] for service in services.values() if "build" in service}
    assert targets == {"site", "router"} <= {stage.name for stage in stages()}
    for service in services.values():
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in compose["volumes"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert set(service.get("depends_on", ())) <= set(services)
