"""Whether a search's score ranks networks as a longer training does: `bench validate-proxy`.

`settings.py` says what is asked, `networks.py` draws the networks, `trainings.py` trains one, `journal.py` keeps what
is done, `running.py` sees to it that all is, `findings.py` makes the answer of it and `words.py` tells it.
"""

from bench.study.validation.findings import findings_of
from bench.study.validation.running import validate
from bench.study.validation.settings import Validation
from bench.study.validation.words import findings_text

__all__ = ["Validation", "findings_of", "findings_text", "validate"]
