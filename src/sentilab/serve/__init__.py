"""Bundles behind HTTP: ``create_app`` makes the ASGI application, ``run`` serves it.

Needs FastAPI, uvicorn and prometheus_client (``pip install "sentilab[serve]"``), and nothing of what
training needs.
"""

from sentilab.serve.app import create_app
from sentilab.serve.server import Address, run
from sentilab.serve.settings import ServiceSettings

__all__ = ["Address", "ServiceSettings", "create_app", "run"]
