"""What has a trained model learned, beside one accuracy?

Each probe is a module with a ``measure`` of its own: a Subject in, a result out that goes to
``probe/<name>.json`` in the run's folder, from where the report reads it.
"""

from sentilab.probe.store import PROBES, NotApplicable, read, write
from sentilab.probe.subject import Classifier, Subject

__all__ = ["PROBES", "Classifier", "NotApplicable", "Subject", "read", "write"]
