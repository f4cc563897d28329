"""The life of an import: upload → read (a job) → choose the mapping → run (a job) → done; cancel at any time.

One module per use case. What a person starts checks "imports.run"; `read` and `run` are the jobs' functions and take
up where they stopped.
"""

from regulars.imports.services.cancel import cancel, forget, forget_files
from regulars.imports.services.erase import forget_person
from regulars.imports.services.mapping import choose_mapping, delete_mapping, save_mapping
from regulars.imports.services.progress import Progress, Silent
from regulars.imports.services.read import read
from regulars.imports.services.run import run
from regulars.imports.services.start import reread, start
from regulars.imports.services.upload import upload

__all__ = [
    "Progress", "Silent", "cancel", "choose_mapping", "delete_mapping", "forget", "forget_files", "forget_person",
    "read", "reread", "run", "save_mapping", "start", "upload",
]  # fmt: skip
