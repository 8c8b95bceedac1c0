"""What an auditor asks of the log alone, so that it can convict a wrong read model."""

from mediation.audit.fields import field_labels, path_label, path_meaning
from mediation.audit.history import NOTHING, Change, Step, changes, diff, replay

__all__ = [
    "NOTHING",
    "Change",
    "Step",
    "changes",
    "diff",
    "field_labels",
    "path_label",
    "path_meaning",
    "replay",
]
