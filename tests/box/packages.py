"""A Debian package in two versions: one installed in the box, the newer one in a repository there."""

from __future__ import annotations

import hashlib

from tests.box.machine import Box

PACKAGE = "toy-package"
_REPOSITORY = "/srv/repository"


def offer_package(box: Box) -> None:
    """Install version 1.0, and make a repository with 2.0 the only source there is; what it says is security's."""
    _build(box, "1.0", "/root/toy-1.deb")
    box.run("dpkg", "--install", "/root/toy-1.deb")
    _build(box, "2.0", f"{_REPOSITORY}/toy-2.deb")
    deb = (box.root / f"{_REPOSITORY}/toy-2.deb".lstrip("/")).read_bytes()
    packages = f"{_control('2.0')}Filename: ./toy-2.deb\nSize: {len(deb)}\nSHA256: {_hash(deb)}\n"
    box.put(f"{_REPOSITORY}/Packages", packages)
    box.put(
        f"{_REPOSITORY}/Release",
        "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nCodename: bookworm-security\nVersion: 12\n"
        f"SHA256:\n {_hash(packages.encode())} {len(packages)} Packages\n",
    )
    box.put("/etc/apt/sources.list", f"deb [trusted=yes] file:{_REPOSITORY} ./\n")


def _build(box: Box, version: str, deb: str) -> None:
    folder = f"/root/toy-{version}"
    box.put(f"{folder}/DEBIAN/control", _control(version))
    box.put(f"{folder}/DEBIAN/conffiles", "/etc/toy.conf\n")
    # As packages do whose update a running host does not use, such as the kernel's.
    box.put(f"{folder}/DEBIAN/postinst", f"#!/bin/sh\n[ {version} = 1.0 ] || touch /run/reboot-required\n", 0o755)
    box.put(f"{folder}/etc/toy.conf", f"version {version}\n")
    box.run("mkdir", "-p", _REPOSITORY)
    box.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder, deb)


def _control(version: str) -> str:
    return (
        f"Package: {PACKAGE}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
        "Description: stands for any package\n"
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
