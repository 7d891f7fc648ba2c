"""A demo has its folder and its addresses to itself, and gives them free when it cannot have all."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from demo.claim import StartError, claim
from demo.places import Places

NETWORK = "127.61.10"


def test_claim_refuses_folder_of_another(tmp_path: Path) -> None:
    places = Places(NETWORK, tmp_path)
    held = claim(places)
    with pytest.raises(StartError, match="another demo uses"):
        claim(places)
    os.close(held)
    os.close(claim(places))


def test_claim_gives_folder_free_when_address_is_taken(tmp_path: Path) -> None:
    places = Places(NETWORK, tmp_path)
    with socket.socket() as other:
        other.bind((f"{NETWORK}.12", 8080))
        other.listen()
        with pytest.raises(StartError, match=rf"{NETWORK}\.12:8080, for metro-b: Address already in use"):
            claim(places)
    os.close(claim(places))
