"""Text: what a rung is trained on, counted exactly, and what is held out.

``corpus`` documents · ``local`` those on this machine · ``hub`` those of the Hugging Face hub ·
``tokenizer`` what makes tokens of them, ``bytepairs`` one way · ``shards`` tokens on disk, in two
parts · ``cache`` where these lie · ``order`` which window comes when · ``windows`` the batches ·
``languages`` texts that are made up, with their entropy · ``opening`` all of it for a rung.
"""

from __future__ import annotations

from kleiber.training.text.opening import open_text

__all__ = ["open_text"]
