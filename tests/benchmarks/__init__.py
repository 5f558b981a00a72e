"""What is timed and not only tested; what tests share is at hand here as it is there."""

import sys
from pathlib import Path

# Behind everything else: names of folders of tests must not stand for packages.
sys.path.append(str(Path(__file__).resolve().parents[1]))
