"""Open the shop of these tests for a person: `python tests/docker/open_shop.py`, where BellJar's tests are set up.

The checkout and its five dependencies run beside each other until Ctrl-C, on the engine there is; as root, on one that
is started for them. Needs debootstrap the first time, for the images.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "e2e"), str(Path(__file__).parents[2])]

import docker  # noqa: E402
import engine as engines  # noqa: E402
import images  # noqa: E402
import project  # noqa: E402
import target  # noqa: E402
from jarred import BELLJAR  # noqa: E402

CHECKOUT = "shop/checkout:1.4"


def main() -> None:
    if why := engines.why_none():
        sys.exit(why)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    before = os.environ.get("DOCKER_HOST")
    with engines.engine() as client:
        images.build(client)
        client.images.get(images.CHECKOUT).tag(CHECKOUT)
        subprocess.run([*BELLJAR, "agent-image", "--base", images.WORLD], check=True)
        with project.project(client), target.checkout(client, image=CHECKOUT, environment={"SHOP_NAME": "corner"}):
            say(client, os.environ.get("DOCKER_HOST"), before)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print()


def say(client: docker.DockerClient, address: str | None, before: str | None) -> None:
    if address is not None and address != before:
        print(f"export DOCKER_HOST={address}")
    for each in sorted(client.containers.list(filters={"network": project.NETWORK}), key=lambda one: str(one.name)):
        print(f"{each.name:<18}{each.attrs['Config']['Image']}")
    print(f"The shop is open, on the network {project.NETWORK}. Ctrl-C closes it.", flush=True)


if __name__ == "__main__":
    main()
