"""Many tasks on many workers: a scheduler, and pools of workers on this machine or on a Ray cluster.

It knows nothing of what the tasks do.
"""

from sentilab.engines.local import LocalPool
from sentilab.engines.running import MILESTONE, MachineTrouble, Pool, Silent, Watcher, carry_out
from sentilab.engines.scheduler import Kill, Patience, Scheduler, Start, Status
from sentilab.engines.tasks import Needs, Outcome, Report, Task, Told

__all__ = [
    "MILESTONE",
    "Kill",
    "LocalPool",
    "MachineTrouble",
    "Needs",
    "Outcome",
    "Patience",
    "Pool",
    "Report",
    "Scheduler",
    "Silent",
    "Start",
    "Status",
    "Task",
    "Told",
    "Watcher",
    "carry_out",
]
